//! Entries of the journal.

use types::ids::WalletId;

use super::view::View;
use crate::fault::Fault;
use crate::keys::Key;
use crate::rows::JournalRow;

/// Notes that a wallet's links grew: from number `first` on, to `links` of them.
pub(super) fn note(
    view: &mut View<'_>,
    wallet: WalletId,
    first: u32,
    links: u32,
) -> Result<(), Fault> {
    let place: u64 = view.get(&Key::JournalEnd)?.unwrap_or_default();
    view.put_new(&Key::Journal(place), &JournalRow { wallet, first, links });
    view.put(&Key::JournalEnd, &place.saturating_add(1));
    Ok(())
}
