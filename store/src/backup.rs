//! What a backup is made of, as bytes: nothing here reads or writes a file.
//!
//! ```text
//! Export frames ─► GroupExport ─► chunks + GroupSummary ─┐
//!                                                        ├─► Manifest ─► SignedFile
//! archive ─► GroupCheck ◄── chunks ◄─────────────────────┘
//! facts of the journal ─► Segment, Reach ─► SignedFile
//! ```
//!
//! Promises: rows leave as they are stored, so as sealed; equal rows give equal chunks, and a change of
//! a row changes the chunks around it only ([`chunk`]); [`GroupExport::finish`] and [`GroupCheck::finish`]
//! answer only for all rows, in order, each of them readable, with the digests that were announced.
//!
//! Not here: where chunks are kept and who signs (`server`), and taking rows in (`machine`).

pub mod chunk;
mod export;
mod group;
mod manifest;
mod reach;
mod segment;
mod signed;
mod summary;
#[cfg(test)]
mod tests;

pub use chunk::ChunkRef;
pub use export::GroupExport;
pub use group::{BackupRefused, GroupCheck};
pub use manifest::{GroupBackup, Manifest};
pub use reach::{GroupReach, Reach};
pub use segment::Segment;
pub use signed::{SignedFile, SignedKind};
pub use summary::GroupSummary;

use sha2::{Digest, Sha256};

/// SHA-256, by which chunks, manifests and segments are named: `sha256sum` shows the same.
pub fn file_hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
