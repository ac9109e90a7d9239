//! What backups are made of and come back by: a group's rows, its journal, and the steps of a restore.
//!
//! Nothing here knows where a backup lies: an operator's program takes what it is given to wherever
//! that is, and no request can make a node open an address.

use std::sync::Arc;

use raft::Order;
use store::command::{SystemCommand, SystemReply};
use store::{Fact, JournalPage, SnapshotSource, StateDigest};
use types::{ClusterId, GroupId};

use super::Acts;
use crate::auth::Operator;
use crate::vault::VaultError;

/// Exports that one node sends at once: each pins the state and reads all of a group.
pub(super) const EXPORTS: usize = 2;
/// How long to wait for a place among them, in milliseconds.
const EXPORT_WAIT_MS: u32 = 5_000;
/// No step of a restore brings more rows than these bytes hold, unless it is one row.
const ROWS_MAX: usize = 4 << 20;

/// One step of a restore.
pub(crate) enum Step {
    /// Closes the group.
    Begin,
    /// Brings rows, from this number on.
    Rows(u64, Vec<u8>),
    /// Brings facts of the journal.
    Facts(Vec<Vec<u8>>),
    /// Opens the group again, if so many rows with this digest are there.
    Finish(u64, Vec<u8>),
}

/// How far a group is restored.
pub(crate) struct SoFar {
    pub(crate) rows: u64,
    pub(crate) finished: bool,
}

/// A group's state on its way out, and the place that it takes among this node's exports.
pub(crate) struct Export {
    pub(crate) source: SnapshotSource,
    pub(crate) _turn: tokio::sync::OwnedSemaphorePermit,
}

impl Acts {
    /// One group's state, not older than the call.
    ///
    /// # Errors
    /// [`VaultError::Busy`] while others export; [`VaultError::Unavailable`] without a majority.
    pub(crate) async fn export(&self, group: GroupId) -> Result<Export, VaultError> {
        self.holds(group)?;
        let turn = Arc::clone(&self.exporting).try_acquire_owned();
        let turn = turn.map_err(|_| VaultError::Busy {
            what: "exports",
            limit: EXPORTS,
            wait_ms: EXPORT_WAIT_MS,
        })?;
        let reader = self.inner.vault.node().read(group).await?;
        if reader.restoring()? {
            return Err(VaultError::Restoring);
        }
        let source = self.inner.vault.node().export(group).await?;
        Ok(Export { source, _turn: turn })
    }

    /// The cluster, and what the journal of a group tells from place `from` on.
    ///
    /// # Errors
    /// As [`Acts::export`].
    pub(crate) async fn journal(
        &self,
        group: GroupId,
        from: u64,
    ) -> Result<(ClusterId, JournalPage), VaultError> {
        self.holds(group)?;
        let place = self.inner.vault.node().identity().place.ok_or(VaultError::NoCluster)?;
        let reader = self.inner.vault.node().read(group).await?;
        if reader.restoring()? {
            return Err(VaultError::Restoring);
        }
        let page = tokio::task::spawn_blocking(move || reader.journal(from)).await;
        let page = page.map_err(|error| VaultError::broken("read a journal", &error))??;
        Ok((place.cluster, page))
    }

    /// Takes one step of bringing a backup into a group.
    ///
    /// # Errors
    /// What the group's state says against it; [`VaultError::Unfinished`] if it may be repeated.
    pub(crate) async fn restore(
        &self,
        operator: &Operator,
        request: &[u8],
        group: GroupId,
        backup: &[u8],
        step: Step,
    ) -> Result<SoFar, VaultError> {
        self.holds(group)?;
        let backup = hash("the backup", backup)?;
        let command = match step {
            Step::Begin => SystemCommand::BeginRestore { backup },
            Step::Rows(_, rows) if rows.len() > ROWS_MAX + store::snapshot::format::FRAME_MAX => {
                return Err(VaultError::TooLarge("bring fewer rows in one step".to_owned()));
            }
            Step::Rows(first, rows) => SystemCommand::RestoreRows { backup, first, rows },
            Step::Facts(facts) => {
                let facts = facts.iter().map(|fact| Fact::decode(fact));
                let facts = facts.collect::<Result<_, _>>();
                let facts =
                    facts.map_err(|error| VaultError::Malformed(format!("a fact: {error}")))?;
                SystemCommand::RestoreFacts { backup, facts }
            }
            Step::Finish(rows, digest) => {
                let digest = StateDigest::from_bytes(hash("the digest", &digest)?);
                SystemCommand::FinishRestore { backup, rows, digest }
            }
        };
        let order = self.order(operator, request)?;
        match self.ask(group, order, command).await? {
            SystemReply::Restored { rows, finished } => Ok(SoFar { rows, finished }),
            _ => Err(VaultError::Broken),
        }
    }

    /// Notes that a backup was taken, or compared.
    ///
    /// # Errors
    /// As [`Acts::restore`].
    pub(crate) async fn note_backup(
        &self,
        operator: &Operator,
        request: &[u8],
        backup: &[u8],
        verified: bool,
        time_ms: u64,
    ) -> Result<(), VaultError> {
        let backup = hash("the backup", backup)?;
        let order = self.order(operator, request)?;
        let command = SystemCommand::NoteBackup { backup, verified, time_ms };
        self.ask(GroupId::SYSTEM, order, command).await.map(drop)
    }

    async fn ask(
        &self,
        group: GroupId,
        order: Order,
        command: SystemCommand,
    ) -> Result<SystemReply, VaultError> {
        let node = self.inner.vault.node();
        // How many acts the group has seen is part of the act, and a restore changes that at once.
        node.read(group).await?;
        Ok(node.act(group, order, command).await??)
    }

    fn holds(&self, group: GroupId) -> Result<(), VaultError> {
        if self.inner.vault.node().identity().place.is_none() {
            return Err(VaultError::NoCluster);
        }
        match self.inner.vault.node().groups().contains(&group) {
            true => Ok(()),
            false => Err(VaultError::NoSuchGroup(group)),
        }
    }
}

fn hash(what: &str, bytes: &[u8]) -> Result<[u8; 32], VaultError> {
    bytes.try_into().map_err(|_| {
        VaultError::Malformed(format!("{what} is named by 32 bytes, not by {}", bytes.len()))
    })
}
