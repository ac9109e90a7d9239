//! The frames that a node exports of a group, into chunks and what they come to.

use types::ids::GroupId;

use super::chunk::{Chunk, ChunkRef, Chunker};
use super::group::BackupRefused;
use super::manifest::GroupBackup;
use super::summary::Survey;
use crate::rows::ClusterRow;
use crate::snapshot::incoming::Incoming;

/// A group's export, as it comes in.
pub struct GroupExport {
    incoming: Incoming,
    survey: Survey,
    chunker: Chunker,
    chunks: Vec<ChunkRef>,
}

impl GroupExport {
    /// The export of this group.
    pub fn of(group: GroupId) -> Self {
        Self::with_audit_root_of(group, u64::MAX)
    }

    /// As [`GroupExport::of`]; the audit root that it comes to is that of the first `leaves` leaves only.
    pub fn with_audit_root_of(group: GroupId, leaves: u64) -> Self {
        GroupExport {
            incoming: Incoming::of(group),
            survey: Survey::new(leaves),
            chunker: Chunker::default(),
            chunks: Vec::new(),
        }
    }

    /// Takes the next frame in, and gives the chunks that end in it.
    ///
    /// # Errors
    /// It is not the next frame of this group's export, or a row in it cannot be read.
    pub fn frame(&mut self, bytes: &[u8]) -> Result<Vec<Chunk>, BackupRefused> {
        let mut full = Vec::new();
        for row in self.incoming.frame(bytes)? {
            self.survey.row(&row.key, row.row.1, row.hash)?;
            full.extend(self.chunker.push(row.row, &row.hash));
        }
        self.chunks.extend(full.iter().map(|chunk| chunk.name));
        Ok(full)
    }

    /// Whether a wallet was among the rows so far.
    pub fn holds_wallets(&self) -> bool {
        self.survey.wallets() > 0
    }

    /// The backup that the rows so far say they were restored from, finished or not.
    pub fn restored_from(&self) -> Option<[u8; 32]> {
        self.survey.restored_from()
    }

    /// The last chunk, what the group comes to, and the cluster's row in it.
    ///
    /// # Errors
    /// The export ended early, or does not have the digest that it announced.
    pub fn finish(
        mut self,
    ) -> Result<(Option<Chunk>, GroupBackup, Option<ClusterRow>), BackupRefused> {
        let meta = self.incoming.verify()?.clone();
        let last = self.chunker.finish();
        self.chunks.extend(last.iter().map(|chunk| chunk.name));
        let (summary, cluster) = self.survey.finish();
        Ok((last, GroupBackup { meta, summary, chunks: self.chunks }, cluster))
    }
}
