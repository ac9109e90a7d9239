//! The journal: what must never go back, in the order in which it happened.
//!
//! Revocations, erasures and key generations are links of wallets. Every push that brings links
//! leaves an entry, so that somebody outside can follow them without reading every wallet, and keep
//! them beside the backups, which are older. A [`Fact`] is what such a follower is given: the links
//! themselves, whole, as they are stored, with the members after them.
//!
//! Facts of one wallet are ordered by how many links they know of. Bringing in an older one changes
//! nothing, so they may be repeated and come in any order: see [`crate::rows::FloorRow`].

use serde::{Deserialize, Serialize};
use types::ids::WalletId;
use types::membership::Membership;
use types::sealed::Sealed;

use crate::codec::{self, DecodeError};
use crate::rows::LinkRow;

/// How far a wallet's links have gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The number of the first of the links here; those before it were told earlier.
    pub first: u32,
    /// The links from there to the last, each under the wallet's data key.
    pub links: Vec<LinkRow>,
    /// The members after the last link.
    pub membership: Membership,
    /// The wallet's data key, wrapped.
    pub data_key: Sealed,
}

/// A part of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalPage {
    /// One fact for each wallet whose links grew, as it is now.
    pub facts: Vec<Fact>,
    /// The place to read on from.
    pub next: u64,
    /// Whether there is more there already.
    pub more: bool,
}

impl Fact {
    /// The wallet.
    pub fn wallet(&self) -> WalletId {
        self.membership.wallet()
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The fact of these bytes, all of them.
    ///
    /// # Errors
    /// When a newer release wrote them, or they are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }

    /// Whether its links are as many as it says, and end where it says.
    pub(crate) fn is_whole(&self) -> bool {
        let last = self.links.last().map(|link| link.hash);
        let end = u64::from(self.first) + self.links.len() as u64;
        end == u64::from(self.membership.links()) && last == Some(self.membership.last_link())
    }
}
