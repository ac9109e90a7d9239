//! The receiver's side: frames into a new life of the group's keys.

use std::sync::Arc;

use super::format::FRAME_TARGET;
use super::incoming::Incoming;
use super::{SnapshotMeta, SnapshotRefused};
use crate::codec;
use crate::engine::{Batch, Column, Durability, Engine};
use crate::entry::Position;
use crate::fault::Fault;
use crate::keys::{Key, KeyBytes, Prefix};
use crate::machine::incarnation;
use crate::rows::AppliedRow;

/// Why a snapshot was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is damaged, incomplete or not wanted. The group is what it was; ask for another one.
    #[error("refuse the snapshot")]
    Refused(#[from] SnapshotRefused),
    /// This node cannot go on.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A snapshot being received. Dropped before [`crate::Machine::finish_install`], it removes what it wrote.
pub struct SnapshotSink {
    engine: Arc<dyn Engine>,
    prefix: Prefix,
    incoming: Incoming,
    installed: bool,
}

impl SnapshotSink {
    pub(crate) fn new(engine: Arc<dyn Engine>, prefix: Prefix) -> Self {
        SnapshotSink { engine, prefix, incoming: Incoming::of(prefix.group), installed: false }
    }

    /// What the snapshot is of, once its first frame came.
    pub fn meta(&self) -> Option<&SnapshotMeta> {
        self.incoming.meta()
    }

    /// Takes the next frame in.
    ///
    /// # Errors
    /// [`SnapshotError::Refused`] when it is not the next frame of a snapshot of this group: drop the
    /// sink and ask anew. [`SnapshotError::Fault`] stops the node.
    pub fn frame(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let number = self.incoming.frames();
        let rows = self.incoming.frame(bytes)?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::with_capacity(rows.len(), FRAME_TARGET);
        for row in rows {
            let (key, value) = row.row;
            let key = KeyBytes::under(self.prefix, key).ok_or(SnapshotRefused::Order { number })?;
            batch.put(Column::State, &key, value);
        }
        Ok(self.engine.write(batch, Durability::Unlogged)?)
    }

    /// Verifies that all of it came, unchanged.
    ///
    /// # Errors
    /// [`SnapshotRefused`]: drop the sink and ask anew.
    pub fn verify(&self) -> Result<&SnapshotMeta, SnapshotRefused> {
        self.incoming.verify()
    }

    /// Verifies what came and makes it durable. What is left to do is to name it.
    pub(crate) fn finish(
        mut self,
        present: Option<Position>,
    ) -> Result<(Prefix, AppliedRow, SnapshotMeta), SnapshotError> {
        let meta = self.verify()?.clone();
        if meta.position < present {
            return Err(SnapshotRefused::Older.into());
        }
        let SnapshotMeta { position, membership, digest, .. } = meta.clone();
        let applied = AppliedRow { position, membership, digest };
        let mut batch = Batch::new();
        batch.put(Column::State, &Key::Applied.encode(self.prefix), &codec::encode(&applied));
        self.engine.write(batch, Durability::Unlogged)?;
        self.engine.flush(Column::State)?;
        self.installed = true;
        Ok((self.prefix, applied, meta))
    }
}

impl Drop for SnapshotSink {
    fn drop(&mut self) {
        if !self.installed && self.incoming.rows() > 0 {
            // If even this fails, opening the group removes the leftovers; and whoever writes next
            // meets the same failure and stops the node.
            let _ = incarnation::remove(&*self.engine, self.prefix);
        }
    }
}
