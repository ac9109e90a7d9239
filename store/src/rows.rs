//! The values of the state: one type per table of [`crate::keys::Key`].
//!
//! Each is stored as `codec.rs` writes it, version byte first. Fields are only ever appended
//! under a new version: see [`crate::formats`].

mod group;
mod ring;
mod system;
mod wallet;

#[cfg(test)]
mod tests;

pub use group::{
    AppliedRow, AuditLeafRow, LocatorRow, MembershipAt, ReceiptRow, SlotSpan, SlotsRow, StandingRow,
};
pub use ring::Ring;
pub use system::{ClusterRow, EpochRow, EpochState, PlacementRow, SlotMapRow};
pub use wallet::{EntryRow, HeadHashRow, LinkRow, RemovalRow, TombstoneRow, WalletRow};
