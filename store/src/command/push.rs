//! A push: one commit, checked and wrapped by the leader, on its way into the state.

use serde::{Deserialize, Serialize};
use types::head::SignedHead;
use types::ids::{BodyHash, HeadHash, LinkHash, RecordId, WalletId};
use types::membership::Membership;
use types::sealed::Sealed;

use crate::audit::AuditLeaf;

/// A commit as it is replicated. Its request id is the hash of its head.
///
/// The leader has held signatures, root, history and envelopes against the state that `base` names.
/// Apply accepts it only while that is still the state, so what was checked still holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The hash of the whole commit as the device sent it, before wrapping. A retry under the same
    /// head hash with other content is refused.
    pub content: [u8; 32],
    /// What the commit was checked against: none for the first of a wallet.
    pub base: Option<Base>,
    /// The head it makes, which also names the wallet and the place.
    pub head: SignedHead,
    /// The hashes of the heads between the base and this one: empty except when healing.
    pub between: Vec<HeadHash>,
    /// The links it adds, in order.
    pub links: Vec<LinkWrite>,
    /// The members after its links; there exactly if there are links.
    pub membership: Option<Membership>,
    /// The records it writes, by id, strictly ascending.
    pub records: Vec<RecordWrite>,
    /// The records it removes, strictly ascending, none of them written.
    pub removed: Vec<RecordId>,
    /// The wallet's data key, wrapped under the current epoch. With the first commit; a later one is
    /// ignored, because what is stored is sealed under the first.
    pub data_key: Option<Sealed>,
    /// When the leader proposed it, in Unix milliseconds. Another for each attempt.
    pub time_ms: u64,
    /// What is recorded of it.
    pub leaf: AuditLeaf,
}

/// The state that a push was checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The stored head.
    pub head: HeadHash,
    /// The last stored link.
    pub link: LinkHash,
}

/// A link on its way into the state: sealed whole, with what apply needs of it beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkWrite {
    /// Its number, from 0.
    pub n: u32,
    /// Its hash.
    pub hash: LinkHash,
    /// The signed link under the wallet's data key.
    pub sealed: Sealed,
}

/// A record on its way into the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordWrite {
    /// The record.
    pub id: RecordId,
    /// Its new version.
    pub version: u64,
    /// The hash of the envelope as the device sealed it.
    pub body_hash: BodyHash,
    /// The length of that envelope in bytes: what counts against the wallet's limit.
    pub size: u32,
    /// The envelope under the wallet's data key.
    pub sealed: Sealed,
}

impl Push {
    /// The wallet.
    pub fn wallet(&self) -> WalletId {
        self.head.head().wallet
    }

    /// The request id, which is the hash of the head.
    pub fn request(&self) -> HeadHash {
        self.head.hash()
    }
}
