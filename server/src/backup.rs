//! Backups of a whole cluster, taken, verified and restored from an operator's machine.
//!
//! ```text
//! nodes ── Export ──► take ──► rows/*, backups/*.manifest ──► check ──► restore ──► another cluster
//! nodes ── Journal ──► journal ──► journal/*.facts ───────────────────────┘
//!                                                             drill: check, restore, compare
//! ```
//!
//! Promises: a manifest is written after everything it names was read back, and nothing without one looks
//! like a backup; rows leave as they are stored, so as sealed; nothing of a backup is believed before its
//! operator's signature, its hashes and its rows were checked, and all of that comes before the first
//! write to the cluster that it is restored into.
//!
//! The archive is a directory or a bucket ([`Archive`]); its layout is drawn in docs/formats/backup.md.
//! Nodes know nothing of it: they answer an operator's calls, and never open a place that a caller names.
//!
//! Not here: what rows and chunks are (`store::backup`), what a node does with them (`api`, `raft`), and
//! anything that a person reads: callers are told by [`Told`].

mod archive;
mod check;
mod drill;
mod error;
mod find;
mod journal;
mod nodes;
mod restore;
mod take;
#[cfg(test)]
mod tests;
mod told;
mod trust;

pub use archive::Archive;
pub use check::{Checked, check};
pub use drill::{Drilled, drill};
pub use error::{BackupError, Damage, Refusal, UsageError};
pub use find::{Found, Listed, find, list, time_text};
pub use journal::{Followed, Follower, JournalReach, JournalSource};
pub use nodes::Nodes;
pub use restore::{RestoreOptions, Restored, restore};
pub use store::backup::Manifest;
pub use take::{Taken, take};
pub use told::{Doing, Told};
pub use trust::{Signer, Trust};

/// Now, in Unix milliseconds by this machine's clock.
pub fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
