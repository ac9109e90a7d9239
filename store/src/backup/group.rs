//! A group as it is read back from an archive: chunk by chunk, against what the manifest says.

use types::layout::FormatError;

use super::summary::Survey;
use super::{GroupBackup, chunk, file_hash};
use crate::codec::DecodeError;
use crate::digest::{PairHash, StateDigest};
use crate::keys::Key;
use crate::rows::ClusterRow;
use crate::snapshot::SnapshotRefused;
use crate::snapshot::format::Row;
use crate::snapshot::incoming::state_key;

/// What is wrong with an export or with a group of a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupRefused {
    /// The export is damaged, incomplete or out of order.
    #[error("the export is not whole")]
    Export(#[from] SnapshotRefused),
    /// The bytes are not those that the chunk is named for.
    #[error("the bytes are not those that the manifest names; they were changed, cut or exchanged")]
    Hash,
    /// The bytes are those of the name, and no chunk.
    #[error("the bytes are no chunk")]
    Chunk(#[from] FormatError),
    /// There are more or fewer rows in the chunk, or chunks in the group, than the manifest says.
    #[error("there are not as many rows or chunks as the manifest says")]
    Count,
    /// A row does not follow the one before it.
    #[error("a row stands where it cannot stand")]
    Order,
    /// A row cannot be read.
    #[error("{kind} cannot be read")]
    Row {
        /// What row it is.
        kind: &'static str,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The audit log has a hole.
    #[error("audit leaf {expected} is missing")]
    Leaf {
        /// The leaf that should have been next.
        expected: u64,
    },
    /// All rows are there, and come to something else than the manifest says.
    #[error("the rows do not come to what the manifest says")]
    Differs,
}

/// A group being read back.
pub struct GroupCheck<'a> {
    expected: &'a GroupBackup,
    survey: Survey,
    digest: StateDigest,
    /// The key of the last row, without group and incarnation.
    last: Vec<u8>,
    /// The chunk that comes next.
    next: usize,
}

impl<'a> GroupCheck<'a> {
    /// Of the group that a manifest describes like this.
    pub fn of(expected: &'a GroupBackup) -> Self {
        let (digest, last) = (StateDigest::default(), Vec::new());
        GroupCheck { expected, survey: Survey::new(u64::MAX), digest, last, next: 0 }
    }

    /// The rows of the next chunk.
    ///
    /// # Errors
    /// The bytes are another chunk, or one that cannot follow.
    pub fn chunk<'b>(&mut self, bytes: &'b [u8]) -> Result<Vec<(Key, Row<'b>)>, BackupRefused> {
        let name = self.expected.chunks.get(self.next).ok_or(BackupRefused::Count)?;
        if name.length as usize != bytes.len() || name.hash != file_hash(bytes) {
            return Err(BackupRefused::Hash);
        }
        let rows = chunk::read(bytes)?;
        if rows.len() != name.rows as usize {
            return Err(BackupRefused::Count);
        }
        let mut read = Vec::with_capacity(rows.len());
        let mut last: &[u8] = &self.last;
        for row in rows {
            let key = state_key(row.0)?;
            if last >= row.0 || key == Key::Applied {
                return Err(BackupRefused::Order);
            }
            let hash = PairHash::of(row.0, row.1);
            self.digest.add(hash);
            self.survey.row(&key, row.1, hash)?;
            last = row.0;
            read.push((key, row));
        }
        self.last = last.to_vec();
        self.next += 1;
        Ok(read)
    }

    /// Verifies that all of the group was read and came to what the manifest says; gives the cluster's
    /// row in it.
    ///
    /// # Errors
    /// [`BackupRefused::Count`] or [`BackupRefused::Differs`].
    pub fn finish(self) -> Result<Option<ClusterRow>, BackupRefused> {
        if self.next != self.expected.chunks.len() {
            return Err(BackupRefused::Count);
        }
        let (summary, cluster) = self.survey.finish();
        let same = summary == self.expected.summary && self.digest == self.expected.meta.digest;
        if same { Ok(cluster) } else { Err(BackupRefused::Differs) }
    }
}
