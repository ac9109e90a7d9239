//! The receiver's side: frames into a new life of the group's keys.

use std::sync::Arc;

use types::ids::GroupId;
use types::layout::FormatError;

use super::SnapshotMeta;
use super::format::{self, Frame, Row};
use crate::codec;
use crate::digest::{PairHash, StateDigest};
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

/// What is wrong with a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotRefused {
    /// A frame is damaged, or does not follow the one before it.
    #[error("frame {number} is no frame")]
    Frame {
        /// Its number, from 0.
        number: u64,
        /// What is wrong with it.
        #[source]
        source: FormatError,
    },
    /// A frame is of a kind that cannot stand where it stands.
    #[error("frame {number} is out of place")]
    Order {
        /// Its number, from 0.
        number: u64,
    },
    /// It is of another group.
    #[error("it is of group {found}, not of group {expected}")]
    Group {
        /// The group it is of.
        found: GroupId,
        /// The group it was received for.
        expected: GroupId,
    },
    /// Its rows are not as many as it says.
    #[error("it has {found} rows, not the {announced} it announced")]
    Count {
        /// How many came.
        found: u64,
        /// How many there should be.
        announced: u64,
    },
    /// Its rows do not have the digest it says.
    #[error("its rows do not have the digest it announced")]
    Digest,
    /// Its last frame has not come.
    #[error("it ended before its last frame")]
    Unfinished,
    /// The group has come further by itself.
    #[error("it is older than the state here")]
    Older,
}

/// A snapshot being received. Dropped before [`crate::Machine::finish_install`], it removes what it wrote.
pub struct SnapshotSink {
    engine: Arc<dyn Engine>,
    prefix: Prefix,
    meta: Option<SnapshotMeta>,
    /// How many frames came.
    frames: u64,
    rows: u64,
    digest: StateDigest,
    /// The key of the last row, without group and incarnation.
    last: Vec<u8>,
    ended: bool,
    installed: bool,
}

impl SnapshotSink {
    pub(crate) fn new(engine: Arc<dyn Engine>, prefix: Prefix) -> Self {
        SnapshotSink {
            engine,
            prefix,
            meta: None,
            frames: 0,
            rows: 0,
            digest: StateDigest::default(),
            last: Vec::new(),
            ended: false,
            installed: false,
        }
    }

    /// What the snapshot is of, once its first frame came.
    pub fn meta(&self) -> Option<&SnapshotMeta> {
        self.meta.as_ref()
    }

    /// Takes the next frame in.
    ///
    /// # Errors
    /// [`SnapshotError::Refused`] when it is not the next frame of a snapshot of this group: drop the
    /// sink and ask anew. [`SnapshotError::Fault`] stops the node.
    pub fn frame(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let number = self.frames;
        let frame = format::parse(bytes, number)
            .map_err(|source| SnapshotRefused::Frame { number, source })?;
        match frame {
            Frame::Header(meta) if self.meta.is_none() => self.header(meta)?,
            Frame::Rows(rows) if self.meta.is_some() && !self.ended => self.write(&rows)?,
            Frame::End { rows } if self.meta.is_some() && !self.ended => self.end(rows)?,
            _ => return Err(SnapshotRefused::Order { number }.into()),
        }
        self.frames += 1;
        Ok(())
    }

    fn header(&mut self, meta: SnapshotMeta) -> Result<(), SnapshotRefused> {
        let (found, expected) = (meta.group, self.prefix.group);
        if found != expected {
            return Err(SnapshotRefused::Group { found, expected });
        }
        self.meta = Some(meta);
        Ok(())
    }

    fn write(&mut self, rows: &[Row<'_>]) -> Result<(), SnapshotError> {
        let mut batch = Batch::with_capacity(rows.len(), format::FRAME_TARGET);
        for (key, value) in rows {
            batch.put(Column::State, &self.key(key)?, value);
            self.digest.add(PairHash::of(key, value));
            self.last.clear();
            self.last.extend_from_slice(key);
        }
        self.rows += rows.len() as u64;
        Ok(self.engine.write(batch, Durability::Unlogged)?)
    }

    /// The key of a row under this incarnation, if it is one and follows the last.
    fn key(&self, key: &[u8]) -> Result<KeyBytes, SnapshotRefused> {
        let misplaced = SnapshotRefused::Order { number: self.frames };
        let bytes = KeyBytes::under(self.prefix, key).ok_or(misplaced.clone())?;
        let (_, parsed) = Key::decode(&bytes)
            .map_err(|source| SnapshotRefused::Frame { number: self.frames, source })?;
        let follows = self.last.as_slice() < key && parsed != Key::Applied;
        if follows { Ok(bytes) } else { Err(misplaced) }
    }

    fn end(&mut self, announced: u64) -> Result<(), SnapshotRefused> {
        let found = self.rows;
        if found != announced {
            return Err(SnapshotRefused::Count { found, announced });
        }
        self.ended = true;
        Ok(())
    }

    /// Verifies that all of it came, unchanged.
    ///
    /// # Errors
    /// [`SnapshotRefused`]: drop the sink and ask anew.
    pub fn verify(&self) -> Result<&SnapshotMeta, SnapshotRefused> {
        match &self.meta {
            Some(meta) if self.ended && meta.digest == self.digest => Ok(meta),
            Some(_) if self.ended => Err(SnapshotRefused::Digest),
            _ => Err(SnapshotRefused::Unfinished),
        }
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
        if !self.installed && self.rows > 0 {
            // If even this fails, opening the group removes the leftovers; and whoever writes next
            // meets the same failure and stops the node.
            let _ = incarnation::remove(&*self.engine, self.prefix);
        }
    }
}
