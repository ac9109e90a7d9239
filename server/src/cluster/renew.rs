//! New certificates for a cluster on real hosts, in place of those that end soon.

use super::{
    ClusterError,
    add::{authority, known},
    authority::Credential,
    files::{self, FilesError},
};
use crate::config::Config;
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A certificate that was renewed.
#[derive(Clone, Debug, Serialize)]
pub struct Renewed {
    /// The node's name; `operator` for the operator's.
    pub name: String,
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Signs new certificates with new keys for nodes of the cluster in `dir`, for all of them if none is
/// named, and for the operator if wanted. They name what the old ones name.
///
/// # Errors
/// No cluster was written there, its authority's key is not there any more, or no node has that name.
pub fn renew(dir: &Path, names: &[String], operator: bool) -> Result<Vec<Renewed>, ClusterError> {
    let known = known(dir)?;
    let Some(model) = known.first() else {
        return Err(ClusterError::NotPrepared { dir: dir.to_path_buf() });
    };
    if let Some(name) =
        names.iter().find(|name| known.iter().all(|node| node.identity.name != **name))
    {
        return Err(ClusterError::NoNodeNamed { name: name.clone(), dir: dir.to_path_buf() });
    }
    let authority = authority(dir, &model.identity.cluster)?;
    let wanted = |node: &&Config| names.is_empty() || names.contains(&node.identity.name);
    let mut renewed = Vec::new();
    for node in known.iter().filter(wanted) {
        let host = host(&node.advertise.peer);
        let hosts = files::names_of(host);
        let (name, dc) = (&node.identity.name, &node.identity.dc);
        let credential = authority.node(name, dc, &hosts).map_err(FilesError::from)?;
        renewed.push(replace(name, &node.tls.cert, &node.tls.key, &credential)?);
    }
    if operator {
        let credential = authority.operator("admin").map_err(FilesError::from)?;
        let (certificate, key) = (dir.join("operator.pem"), dir.join("operator.key"));
        renewed.push(replace("operator", &certificate, &key, &credential)?);
    }
    Ok(renewed)
}

/// The host of `HOST:PORT`, without the brackets of an address.
fn host(authority: &str) -> &str {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Each file is whole at every moment, the old one or the new one.
fn replace(
    name: &str,
    certificate: &Path,
    key: &Path,
    credential: &Credential,
) -> Result<Renewed, ClusterError> {
    let beside = |file: &Path| file.with_extension("new");
    let written = |file: &Path| {
        let new = beside(file);
        fs::rename(&new, file)
            .map_err(|source| FilesError::Unwritable { file: file.to_path_buf(), source })
    };
    // What an earlier attempt left.
    for file in [certificate, key] {
        let _ = fs::remove_file(beside(file));
    }
    files::write_secret(&beside(key), credential.key.as_bytes())?;
    written(key)?;
    files::write_public(&beside(certificate), &credential.certificate)?;
    written(certificate)?;
    Ok(Renewed { name: name.to_owned(), certificate: certificate.into(), key: key.into() })
}
