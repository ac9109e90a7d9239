//! Entries and the positions they stand at.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an entry stands in a group's log.
///
/// Positions order as their fields do; the index of consecutive entries rises by one. Kept apart
/// from the consensus library's type of the same meaning, so that what is stored stays ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The term of the leader that proposed it.
    pub term: u64,
    /// The node that was this leader.
    pub leader: u64,
    /// Its place in the log.
    pub index: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.term, self.leader, self.index)
    }
}

/// One committed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// What it carries.
    pub payload: Payload,
}

/// What an entry carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: a new leader's first entry.
    Blank,
    /// A membership of the group, in the consensus crate's own encoding, kept but not read here.
    Membership(Vec<u8>),
    /// A command, as [`crate::Command::encode`] wrote it.
    Command(Vec<u8>),
}

/// How far a group's state has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The last entry applied; none in a group that never had one.
    pub position: Option<Position>,
    /// The last membership applied, and where it stood.
    pub membership: Option<(Position, Vec<u8>)>,
}
