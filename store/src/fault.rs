//! What only this node suffers.

use crate::codec::DecodeError;
use crate::engine::{Column, DiskError};
use crate::entry::Position;

/// Why this node cannot go on. Never becomes a reply: whoever receives it stops the node.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The engine could not read, write or sync.
    #[error("{action} the column {column}")]
    Disk {
        /// What was being done: a verb such as `write` or `sync`.
        action: &'static str,
        /// The column it was done to.
        column: Column,
        /// The engine's own account.
        #[source]
        source: DiskError,
    },
    /// The engine's directory could not be opened.
    #[error("open the database in {path}")]
    Open {
        /// The directory, as configured.
        path: String,
        /// The engine's own account.
        #[source]
        source: DiskError,
    },
    /// A key or value that this node stored earlier does not read back: the disk is damaged, or a
    /// newer release wrote it. The replica has to be rebuilt from its peers.
    #[error("decode {kind} in the column {column}")]
    Corrupt {
        /// Where it lies.
        column: Column,
        /// What kind of key or value it is; never its contents.
        kind: &'static str,
        /// What is wrong with the bytes.
        #[source]
        source: DecodeError,
    },
    /// A committed entry holds a command this release does not know. Skipping it would part this
    /// replica from the others for ever, so it stops; a newer release goes on where it stopped.
    #[error("read the command of entry {index} of group {group}")]
    Command {
        /// The group.
        group: types::ids::GroupId,
        /// The entry's place in the log.
        index: u64,
        /// What is wrong with the bytes.
        #[source]
        source: DecodeError,
    },
    /// Entries were given out of order, or one was given twice: a defect of the caller.
    #[error("entry {found} given after {after}")]
    OutOfOrder {
        /// The last position applied.
        after: Position,
        /// The position of the entry given.
        found: Position,
    },
    /// Two rows that were written together contradict each other. The replica has to be rebuilt.
    #[error("{what} does not fit the rest of the state of group {group}")]
    Inconsistent {
        /// The group.
        group: types::ids::GroupId,
        /// What does not fit.
        what: &'static str,
    },
}

/// What of a node's database was found damaged, and so what has to be rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// What applying entries wrote. Log and vote are not known to be damaged.
    State,
    /// The log, a vote, or what is kept beside them: what the node has promised to others.
    Log,
    /// Something without which the database does not open; what of it, the engine does not say.
    Database,
}

impl Fault {
    /// What was damaged, if that is what happened; none for what the system refused, for what a newer
    /// release wrote, and for defects of the caller.
    pub fn damage(&self) -> Option<Damage> {
        let of = |column: &Column| match column {
            Column::State => Damage::State,
            Column::Log | Column::Meta => Damage::Log,
        };
        match self {
            Fault::Disk { column, source, .. } => source.is_damage().then(|| of(column)),
            Fault::Open { source, .. } => source.is_damage().then_some(Damage::Database),
            Fault::Corrupt { source: DecodeError::Version { .. }, .. } => None,
            Fault::Corrupt { column, .. } => Some(of(column)),
            Fault::Inconsistent { .. } => Some(Damage::State),
            Fault::Command { .. } | Fault::OutOfOrder { .. } => None,
        }
    }
}
