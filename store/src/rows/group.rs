//! Rows of a group itself.

use serde::{Deserialize, Serialize};
use types::ids::{Slot, WalletId};

use super::Ring;
use crate::codec::{self, blob};
use crate::command::SystemReply;
use crate::digest::StateDigest;
use crate::entry::Position;

/// How far the group has come. Written with every batch; the one row that the digest leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedRow {
    /// The last entry applied.
    pub position: Option<Position>,
    /// The last membership applied, and where it stood.
    pub membership: Option<MembershipAt>,
    /// The digest of all other rows.
    pub digest: StateDigest,
}

/// A membership of the group, as the consensus crate wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipAt {
    /// Where it stood.
    pub position: Position,
    /// Its bytes, not read here.
    #[serde(with = "blob")]
    pub bytes: Vec<u8>,
}

/// The group's clock and counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingRow {
    /// The greatest time that a command brought, in Unix milliseconds. Never goes back.
    pub time_ms: u64,
    /// How many audit leaves there are.
    #[serde(deserialize_with = "codec::count::any")]
    pub leaves: u64,
    /// How many wallets.
    #[serde(deserialize_with = "codec::count::any")]
    pub wallets: u64,
    /// Which receipts are kept; `next` is the number of acts that were ever done.
    pub receipts: Ring,
}

/// What an act answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptRow {
    /// The hash of what was asked.
    pub content: [u8; 32],
    /// The answer.
    pub reply: SystemReply,
}

/// An audit leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLeafRow {
    /// Its bytes, as [`crate::audit`] draws them.
    #[serde(with = "blob")]
    pub bytes: Vec<u8>,
}

/// The wallets in which a locator stands, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocatorRow {
    /// The wallets.
    pub wallets: Vec<WalletId>,
}

/// Links that were added to a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRow {
    /// The wallet.
    pub wallet: WalletId,
    /// The number of the first of them.
    pub first: u32,
    /// How many links the wallet had with them.
    pub links: u32,
}

/// How far the group is restored from a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreRow {
    /// The backup: the hash of its manifest.
    pub backup: [u8; 32],
    /// How many of its rows are there.
    pub rows: u64,
    /// Their digest.
    pub digest: StateDigest,
    /// The key of the last of them, without group and incarnation.
    #[serde(with = "blob")]
    pub last: Vec<u8>,
    /// How many wallets still have a floor.
    pub floors: u64,
    /// Whether all of it is there: until then the group is closed.
    pub finished: bool,
}

/// Consecutive slots of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotSpan {
    /// The region.
    pub region: u8,
    /// The first slot.
    pub first: Slot,
    /// The last slot, part of the span.
    pub last: Slot,
}

/// The slots that a group owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotsRow {
    /// Spans, by region and first slot, none overlapping.
    pub spans: Vec<SlotSpan>,
}

impl SlotSpan {
    /// Whether the wallet falls into it.
    pub fn holds(&self, wallet: &WalletId, slot: Slot) -> bool {
        self.region == wallet.region() && (self.first..=self.last).contains(&slot)
    }
}

impl SlotsRow {
    /// Whether the wallet falls into one of them.
    pub fn hold(&self, wallet: &WalletId, slot: Slot) -> bool {
        self.spans.iter().any(|span| span.holds(wallet, slot))
    }
}
