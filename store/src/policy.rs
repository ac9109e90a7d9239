//! The limits that apply keeps, as values in each group's own state.
//!
//! They are state, not constants, because replicas of two releases must agree on them: a new default
//! reaches a group only by a command. [`Policy::default`] is what a new cluster begins with.

use serde::{Deserialize, Serialize};
use types::limits;

/// Limits per wallet, and per group where it says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Sealed bytes of all records of a wallet together, as the device sealed them.
    pub wallet_bytes: u64,
    /// Records of a wallet.
    pub wallet_records: u32,
    /// Links of a wallet.
    pub wallet_links: u32,
    /// Heads of a wallet since one that a device signed.
    pub trail_heads: u32,
    /// Tombstones kept of a wallet; an older cursor gets the full list of entries.
    pub tombstones: u32,
    /// Wallets that a locator leads to; the oldest stay.
    pub locator_wallets: u32,
    /// Receipts of acts kept by the group.
    pub receipts: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            wallet_bytes: limits::WALLET_BYTES,
            wallet_records: limits::WALLET_RECORDS,
            wallet_links: limits::WALLET_LINKS,
            trail_heads: 1_024,
            tombstones: limits::TOMBSTONES,
            locator_wallets: limits::WALLETS_PER_LOCATOR as u32,
            receipts: limits::RECEIPTS,
        }
    }
}

impl Policy {
    /// The least of each value with which a cluster can still be run: what keeps retries, pulls and
    /// recovery working.
    pub const FLOOR: Policy = Policy {
        wallet_bytes: 1 << 20,
        wallet_records: 16,
        wallet_links: 256,
        trail_heads: 16,
        tombstones: 16,
        locator_wallets: 1,
        receipts: 100,
    };

    /// The first value below its floor: its name, and the floor.
    pub fn below_floor(&self) -> Option<(&'static str, u64)> {
        let floor = &Policy::FLOOR;
        [
            ("wallet_bytes", self.wallet_bytes, floor.wallet_bytes),
            ("wallet_records", self.wallet_records.into(), floor.wallet_records.into()),
            ("wallet_links", self.wallet_links.into(), floor.wallet_links.into()),
            ("trail_heads", self.trail_heads.into(), floor.trail_heads.into()),
            ("tombstones", self.tombstones.into(), floor.tombstones.into()),
            ("locator_wallets", self.locator_wallets.into(), floor.locator_wallets.into()),
            ("receipts", self.receipts.into(), floor.receipts.into()),
        ]
        .into_iter()
        .find_map(|(name, value, floor)| (value < floor).then_some((name, floor)))
    }
}
