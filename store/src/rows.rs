//! The values of the state: one type per table of [`crate::keys::Key`].
//!
//! Each is stored as `codec.rs` writes it, version byte first. Fields are only ever appended
//! under a new version: see [`crate::formats`].

use types::head::SignedHead;
use types::ids::{RequestId, TreeHash};
use types::membership::Membership;
use types::node::NodeInfo;
use types::sealed::Sealed;

use crate::act::Caller;
use crate::codec::{self, DecodeError};
use crate::keys::Key;
use crate::policy::Policy;

mod group;
mod ring;
mod system;
mod wallet;

#[cfg(test)]
mod tests;

pub use group::{
    AppliedRow, AuditLeafRow, JournalRow, LocatorRow, MembershipAt, ReceiptRow, RestoreRow,
    SlotSpan, SlotsRow, StandingRow,
};
pub use ring::Ring;
pub use system::{BackupRow, ClusterRow, EpochRow, EpochState, LevelRow, PlacementRow, SlotMapRow};
pub use wallet::{EntryRow, FloorRow, HeadHashRow, LinkRow, RemovalRow, TombstoneRow, WalletRow};

/// Reads the value of a row that came from elsewhere, to see whether it is one.
pub(crate) fn check(key: &Key, value: &[u8]) -> Result<(), DecodeError> {
    match key {
        Key::Wallet(_) => codec::decode::<WalletRow>(value).map(drop),
        Key::Membership(_) => codec::decode::<Membership>(value).map(drop),
        Key::Link(..) => codec::decode::<LinkRow>(value).map(drop),
        Key::DataKey(_) | Key::Body(..) => codec::decode::<Sealed>(value).map(drop),
        Key::Entry(..) => codec::decode::<EntryRow>(value).map(drop),
        Key::HeadHash(..) => codec::decode::<HeadHashRow>(value).map(drop),
        Key::Trail(..) => codec::decode::<SignedHead>(value).map(drop),
        Key::Tombstone(..) => codec::decode::<TombstoneRow>(value).map(drop),
        Key::TombstoneOrder(..) => codec::decode::<RemovalRow>(value).map(drop),
        Key::Floor(_) => codec::decode::<FloorRow>(value).map(drop),
        Key::Applied => codec::decode::<AppliedRow>(value).map(drop),
        Key::Standing => codec::decode::<StandingRow>(value).map(drop),
        Key::Policy => codec::decode::<Policy>(value).map(drop),
        Key::Slots => codec::decode::<SlotsRow>(value).map(drop),
        Key::Locator(_) => codec::decode::<LocatorRow>(value).map(drop),
        Key::AuditLeaf(_) => codec::decode::<AuditLeafRow>(value).map(drop),
        Key::AuditNode(..) => codec::decode::<TreeHash>(value).map(drop),
        Key::Receipt(..) => codec::decode::<ReceiptRow>(value).map(drop),
        Key::ReceiptOrder(_) => codec::decode::<(Caller, RequestId)>(value).map(drop),
        Key::Journal(_) => codec::decode::<JournalRow>(value).map(drop),
        Key::JournalEnd => codec::decode::<u64>(value).map(drop),
        Key::Restore => codec::decode::<RestoreRow>(value).map(drop),
        Key::Cluster => codec::decode::<ClusterRow>(value).map(drop),
        Key::Node(_) => codec::decode::<NodeInfo>(value).map(drop),
        Key::Placement(_) => codec::decode::<PlacementRow>(value).map(drop),
        Key::SlotMap(_) => codec::decode::<SlotMapRow>(value).map(drop),
        Key::Epoch(_) => codec::decode::<EpochRow>(value).map(drop),
        Key::Backup(_) => codec::decode::<BackupRow>(value).map(drop),
        Key::Level | Key::NodeLevel(_) => codec::decode::<LevelRow>(value).map(drop),
    }
}
