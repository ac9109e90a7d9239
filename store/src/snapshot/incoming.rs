//! The frames of a snapshot as they come in, whatever becomes of their rows.
//!
//! Promises: a frame is the next one, a row has a key of the state and follows the row before it, and
//! [`Incoming::verify`] answers only for as many rows as were announced, with the announced digest.

use types::ids::GroupId;
use types::layout::{FormatError, Problem};

use super::SnapshotMeta;
use super::format::{self, Frame, Row};
use crate::digest::{PairHash, StateDigest};
use crate::keys::{Key, KeyBytes, Prefix};

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

/// What came of a snapshot so far.
pub(crate) struct Incoming {
    group: GroupId,
    meta: Option<SnapshotMeta>,
    /// How many frames came.
    frames: u64,
    rows: u64,
    digest: StateDigest,
    /// The key of the last row, without group and incarnation.
    last: Vec<u8>,
    ended: bool,
}

/// A row with its key read and its hash.
pub(crate) struct IncomingRow<'a> {
    pub(crate) key: Key,
    pub(crate) row: Row<'a>,
    pub(crate) hash: PairHash,
}

impl Incoming {
    pub(crate) fn of(group: GroupId) -> Self {
        Incoming {
            group,
            meta: None,
            frames: 0,
            rows: 0,
            digest: StateDigest::default(),
            last: Vec::new(),
            ended: false,
        }
    }

    /// What the snapshot is of, once its first frame came.
    pub(crate) fn meta(&self) -> Option<&SnapshotMeta> {
        self.meta.as_ref()
    }

    /// How many frames came.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// How many rows came.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The rows of the next frame; none of its first and its last.
    pub(crate) fn frame<'a>(
        &mut self,
        bytes: &'a [u8],
    ) -> Result<Vec<IncomingRow<'a>>, SnapshotRefused> {
        let number = self.frames;
        let frame = format::parse(bytes, number)
            .map_err(|source| SnapshotRefused::Frame { number, source })?;
        let rows = match frame {
            Frame::Header(meta) if self.meta.is_none() => {
                self.header(meta)?;
                Vec::new()
            }
            Frame::Rows(rows) if self.meta.is_some() && !self.ended => self.take(rows)?,
            Frame::End { rows } if self.meta.is_some() && !self.ended => {
                self.end(rows)?;
                Vec::new()
            }
            _ => return Err(SnapshotRefused::Order { number }),
        };
        self.frames += 1;
        Ok(rows)
    }

    fn header(&mut self, meta: SnapshotMeta) -> Result<(), SnapshotRefused> {
        let (found, expected) = (meta.group, self.group);
        if found != expected {
            return Err(SnapshotRefused::Group { found, expected });
        }
        self.meta = Some(meta);
        Ok(())
    }

    fn take<'a>(&mut self, rows: Vec<Row<'a>>) -> Result<Vec<IncomingRow<'a>>, SnapshotRefused> {
        let number = self.frames;
        let mut taken = Vec::with_capacity(rows.len());
        let mut last: &[u8] = &self.last;
        for row in rows {
            let key =
                state_key(row.0).map_err(|source| SnapshotRefused::Frame { number, source })?;
            if last >= row.0 || key == Key::Applied {
                return Err(SnapshotRefused::Order { number });
            }
            let hash = PairHash::of(row.0, row.1);
            self.digest.add(hash);
            last = row.0;
            taken.push(IncomingRow { key, row, hash });
        }
        self.last = last.to_vec();
        self.rows += taken.len() as u64;
        Ok(taken)
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
    pub(crate) fn verify(&self) -> Result<&SnapshotMeta, SnapshotRefused> {
        match &self.meta {
            Some(meta) if self.ended && meta.digest == self.digest => Ok(meta),
            Some(_) if self.ended => Err(SnapshotRefused::Digest),
            _ => Err(SnapshotRefused::Unfinished),
        }
    }
}

/// The key of a row that stands without group and incarnation.
pub(crate) fn state_key(digested: &[u8]) -> Result<Key, FormatError> {
    const ANY: Prefix = Prefix { group: GroupId::SYSTEM, incarnation: 0 };
    let bytes = KeyBytes::under(ANY, digested).ok_or(FormatError::new(
        "state key",
        KeyBytes::MAX,
        Problem::Trailing,
    ))?;
    Ok(Key::decode(&bytes)?.1)
}
