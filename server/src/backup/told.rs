//! What whoever runs a backup is told while it goes on.

use types::GroupId;

/// What is being done with a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// A node exports it.
    Export,
    /// Its chunks are read and held against the manifest.
    Check,
    /// Its segments of the journal are read and held against each other.
    CheckJournal,
    /// It is brought into a cluster.
    Restore,
    /// What was restored is held against the backup.
    Compare,
}

/// One piece of news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// This begins.
    Group {
        /// What.
        doing: Doing,
        /// With which group.
        group: GroupId,
    },
    /// So many more bytes were moved or checked.
    Bytes(u64),
    /// Something that the operator should know, in a sentence.
    Note(String),
}
