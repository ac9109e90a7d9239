//! Reading what belongs to the group itself.

use types::ids::{Locator, WalletId};

use super::Reader;
use crate::fault::Fault;
use crate::keys::Key;
use crate::policy::Policy;
use crate::rows::{LocatorRow, RestoreRow, SlotsRow, StandingRow};

/// Every method fails as [`Reader::applied`] does.
impl Reader {
    /// The group's clock and counters.
    pub fn standing(&self) -> Result<StandingRow, Fault> {
        Ok(self.get(&Key::Standing)?.unwrap_or_default())
    }

    /// How many acts the group has seen: what a new act says in [`crate::Act::after`].
    pub fn acts(&self) -> Result<u64, Fault> {
        self.standing().map(|standing| standing.receipts.next)
    }

    /// The limits in force.
    pub fn policy(&self) -> Result<Policy, Fault> {
        Ok(self.get(&Key::Policy)?.unwrap_or_default())
    }

    /// The slots that the group owns.
    pub fn slots(&self) -> Result<SlotsRow, Fault> {
        Ok(self.get(&Key::Slots)?.unwrap_or_default())
    }

    /// Whether the group is closed because a backup is being restored into it.
    pub fn restoring(&self) -> Result<bool, Fault> {
        Ok(self.restore()?.is_some_and(|restore| !restore.finished))
    }

    /// The backup that the group was restored from, and how far; none if it was not.
    pub fn restore(&self) -> Result<Option<RestoreRow>, Fault> {
        self.get(&Key::Restore)
    }

    /// The wallets in which a member with this locator ever stood, oldest first.
    pub fn locator(&self, locator: Locator) -> Result<Vec<WalletId>, Fault> {
        Ok(self.get::<LocatorRow>(&Key::Locator(locator))?.unwrap_or_default().wallets)
    }
}
