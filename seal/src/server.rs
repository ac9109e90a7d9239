//! The server's own layer of keys: what it seals a second time, and how it opens that again.
//!
//! ```text
//!      file or passphrase ─► epoch key ─ wraps ─► data key of a wallet ─ seals ─► outer envelopes
//!                                └─► session MAC key                └─► audit tokens
//! ```
//!
//! Everything sealed here is sealed already by a device, or is the server's own. What this layer adds:
//! a stolen disk shows nothing without the epoch key, and a wallet whose data key nobody can unwrap
//! any more is erased.

mod data_key;
mod epoch_key;
mod keyring;

pub use data_key::{DataKey, OuterPlace};
pub use epoch_key::{EpochKey, EpochKeys};
pub use keyring::{KeyringError, ServerKeyring};
