//! The trail: whole heads back to one that a device signed.
//!
//! A head that a recovery code, passphrase or revoker signed is believed only beside the head below
//! it, whose root it must repeat. So as long as no device has signed again, every head stays.

use crate::keys::{Home, Key};
use crate::machine::view::View;
use crate::rows::WalletRow;

/// Moves the trail on by the head in `row`, which was signed by a device or not.
pub(super) fn follow(
    view: &mut View<'_>,
    home: Home,
    row: &mut WalletRow,
    stored: Option<&WalletRow>,
    by_device: bool,
) {
    if by_device {
        for seq in row.trail.drain(..) {
            view.delete(&Key::Trail(home, seq));
        }
    } else if let Some(stored) = stored {
        let seq = stored.head.head().seq;
        view.put_new(&Key::Trail(home, seq), &stored.head);
        row.trail.push(seq);
    }
}
