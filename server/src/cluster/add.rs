//! One node more for a cluster on real hosts: its certificate and its files, like those of the nodes
//! that are there.

use super::{
    ClusterError, PreparedNode,
    authority::Authority,
    files::{self, FilesError, Shared},
    plan::{NodePlan, Overrides},
    prepare::{addresses, prepared},
};
use crate::{
    config::{Config, EpochKey, Registration, read_secret},
    settings::ConfigError,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Writes what further nodes need into the directory where `prepare` wrote the first ones. Epoch key,
/// registration and ports are those of the nodes that are there.
///
/// # Errors
/// No cluster was written there, its authority's key is not there any more, or a name is taken.
pub fn add(dir: &Path, nodes: &[NodePlan]) -> Result<Vec<PreparedNode>, ClusterError> {
    let known = known(dir)?;
    let Some(model) = known.first() else {
        return Err(ClusterError::NotPrepared { dir: dir.to_path_buf() });
    };
    let unreadable = |source| ClusterError::NoAuthority { source };
    let authority = authority(dir, &model.identity.cluster)?;

    let (epoch_key, overrides) = match &model.epoch_key {
        EpochKey::File(file) => (read_secret(file).map_err(unreadable)?, Overrides::new()),
        EpochKey::Passphrase(file) => {
            let source = ("epoch_key.source".to_owned(), "passphrase".into());
            (read_secret(file).map_err(unreadable)?, Overrides::from([source]))
        }
    };
    let token = match &model.registration {
        Registration::Open => None,
        Registration::Token(file) => Some(read_secret(file).map_err(unreadable)?),
    };
    let token =
        token.as_ref().map(|token| String::from_utf8_lossy(token.expose()).trim().to_owned());
    let mut overrides = overrides;
    if let Some(data_dir) = elsewhere(model) {
        overrides.insert("data_dir".into(), data_dir.to_string_lossy().into_owned().into());
    }
    let shared = Shared {
        cluster: &model.identity.cluster,
        epoch_key: &epoch_key,
        registration_token: token.as_deref(),
        overrides: &overrides,
    };
    let (public, peer) = (model.listen.public.port(), model.listen.peer.port());
    let all = known.iter().map(|node| node.advertise.peer.clone());
    let all: Vec<String> = all.chain(nodes.iter().map(|node| node.authority(peer))).collect();
    let each = nodes.iter().map(|node| {
        let own = node.authority(peer);
        let seeds = all.iter().filter(|seed| **seed != own).cloned().collect();
        let addresses = addresses(node, public, peer, seeds);
        let written = files::write_node(dir, &authority, &shared, node, &addresses)?;
        Ok(prepared(node, written, addresses))
    });
    each.collect()
}

/// The authority of the cluster that was written into `dir`.
pub(super) fn authority(dir: &Path, cluster: &str) -> Result<Authority, ClusterError> {
    let certificate = read_public(&dir.join("ca.pem"))?;
    let key =
        read_secret(&dir.join("ca.key")).map_err(|source| ClusterError::NoAuthority { source })?;
    Ok(Authority::load(cluster, certificate, &key).map_err(FilesError::from)?)
}

/// The configurations of the nodes that are there, by name.
pub(super) fn known(dir: &Path) -> Result<Vec<Config>, ClusterError> {
    let unreadable = |source| ConfigError::Unreadable { file: dir.to_path_buf(), source };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let config = entry.map_err(unreadable)?.path().join("config.toml");
        if config.is_file() {
            files.push(config);
        }
    }
    files.sort();
    files.iter().map(|file| Ok(Config::load(file)?)).collect()
}

/// Where nodes keep their data, unless that is beside their configuration.
fn elsewhere(node: &Config) -> Option<&Path> {
    let beside = node.file.parent().is_some_and(|home| node.data_dir.starts_with(home));
    (!beside).then_some(node.data_dir.as_path())
}

fn read_public(file: &Path) -> Result<String, ClusterError> {
    fs::read_to_string(file)
        .map_err(|source| ConfigError::Unreadable { file: file.to_path_buf(), source }.into())
}
