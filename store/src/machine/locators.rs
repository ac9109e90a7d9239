//! Which wallets a locator leads to.
//!
//! A locator is indexed when the link that adds its member is applied, and stays: who holds a code
//! that was replaced is told so by the wallet, not that there is none. Strangers could claim a
//! locator of others if they knew it; only so many wallets are kept per locator, and the oldest stay.

use types::ids::WalletId;
use types::membership::Membership;

use super::apply::policy;
use super::view::View;
use crate::fault::Fault;
use crate::keys::Key;
use crate::rows::LocatorRow;

/// Indexes the locators of the members that stand in links from `first_link` on.
pub(super) fn index(
    view: &mut View<'_>,
    wallet: WalletId,
    membership: &Membership,
    first_link: u32,
) -> Result<(), Fault> {
    let limit = policy(view)?.locator_wallets as usize;
    let added = membership.members().iter().filter(|member| member.added >= first_link);
    for locator in added.filter_map(|member| member.member.locator()) {
        let key = Key::Locator(*locator);
        let mut row = view.get::<LocatorRow>(&key)?.unwrap_or_default();
        if row.wallets.len() < limit && !row.wallets.contains(&wallet) {
            row.wallets.push(wallet);
            view.put(&key, &row);
        }
    }
    Ok(())
}
