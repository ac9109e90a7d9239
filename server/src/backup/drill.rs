//! The drill: a backup restored into a cluster made for it, and what comes out held against what went in.
//!
//! The cluster is one node process with an epoch key of its own: a backup is restored and compared
//! without any key that opens it. It is removed at the end, whatever the end is.

use std::path::PathBuf;

use store::backup::GroupExport;

use super::archive::Archive;
use super::error::{BackupError, Damage, UsageError};
use super::find::{Found, file_of};
use super::nodes::Nodes;
use super::restore::{RestoreOptions, Verified, read_export, restored_groups};
use super::told::{Doing, Told};
use super::trust::Trust;
use crate::cluster::admin::operator_tls;
use crate::cluster::{Cluster, ClusterError, Options, Scratch};

/// What a drill found, all of it as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drilled {
    /// Groups that were compared.
    pub groups: u64,
    /// Rows that were restored.
    pub rows: u64,
    /// Wallets whose heads were compared.
    pub wallets: u64,
    /// Audit leaves whose tree was compared.
    pub leaves: u64,
}

/// Restores a backup into a temporary cluster of processes of `program`, and compares rows, heads and
/// audit roots of every group.
///
/// # Errors
/// [`BackupError::Damaged`] when the backup is not whole, or does not come back as it is;
/// [`BackupError::Drill`] when the cluster cannot be run here.
pub async fn drill(
    archive: &Archive,
    found: &Found,
    trust: &Trust,
    program: PathBuf,
    tell: &(dyn Fn(Told) + Sync),
) -> Result<Drilled, BackupError> {
    let failed = |error: ClusterError| BackupError::Drill(Box::new(error));
    let verified =
        Verified::read(archive, found, &RestoreOptions::WithoutJournal, trust, tell).await?;
    let scratch = Scratch::new("holdfast-drill").map_err(UsageError::Scratch)?;
    let mut options = Options::dev(1, program, scratch.path().join("cluster")).map_err(failed)?;
    options.wallet_groups = found.manifest.wallet_groups;
    let cluster = Cluster::start(&options).await.map_err(failed)?;
    let nodes = Nodes::new(cluster.endpoints(), operator_tls(&cluster.operator())?);
    let restored = verified.bring(&nodes, tell).await?;
    let mut drilled =
        Drilled { groups: 0, rows: restored.rows, wallets: restored.wallets, leaves: 0 };
    for backup in restored_groups(found) {
        let group = backup.meta.group;
        tell(Told::Group { doing: Doing::Compare, group });
        let export = GroupExport::with_audit_root_of(group, backup.summary.leaves);
        let (export, endpoint) = read_export(&nodes, export, group).await?;
        let finished = export.finish();
        let (_, restored, _) =
            finished.map_err(|source| BackupError::Export { endpoint, group, source })?;
        if let Some(what) = backup.summary.differs_from_restored(&restored.summary) {
            let what = Damage::Restored { group, what };
            return Err(BackupError::damaged(&file_of(&found.name), what));
        }
        drilled.groups += 1;
        drilled.leaves += backup.summary.leaves;
    }
    Ok(drilled)
}
