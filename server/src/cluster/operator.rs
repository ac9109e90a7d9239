//! One more operator for a cluster: a certificate with a name of its own.

use super::{
    ClusterError,
    add::{authority, known},
    admin::OperatorFiles,
    files::{self, FilesError},
    plan,
};
use std::path::Path;

/// Writes `operator-NAME.pem` and `operator-NAME.key` into the directory of a cluster.
///
/// # Errors
/// No cluster was written there, its authority's key is not there any more, or there is an operator of that
/// name.
pub fn operator(dir: &Path, name: &str) -> Result<OperatorFiles, ClusterError> {
    plan::check_name("the operator's name", name)?;
    let known = known(dir)?;
    let Some(model) = known.first() else {
        return Err(ClusterError::NotPrepared { dir: dir.to_path_buf() });
    };
    let authority = authority(dir, &model.identity.cluster)?;
    let credential = authority.operator(name).map_err(FilesError::from)?;
    let file = |kind: &str| dir.join(format!("operator-{name}.{kind}"));
    let (cert, key) = (file("pem"), file("key"));
    files::write_secret(&key, credential.key.as_bytes())?;
    files::write_public(&cert, &credential.certificate)?;
    Ok(OperatorFiles { ca: dir.join("ca.pem"), cert, key })
}
