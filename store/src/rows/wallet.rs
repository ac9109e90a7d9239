//! Rows of a wallet. Bodies and data keys are stored as [`types::sealed::Sealed`], members as
//! [`types::membership::Membership`], the heads of the trail as [`SignedHead`].

use serde::{Deserialize, Serialize};
use types::head::SignedHead;
use types::ids::{BodyHash, HeadHash, LinkHash, RecordId};
use types::membership::Membership;
use types::sealed::Sealed;
use types::tree::Frontier;

use super::Ring;
use crate::codec;
use crate::digest::PairHash;

/// A wallet's head and counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletRow {
    /// The present head.
    #[serde(deserialize_with = "codec::count::head")]
    pub head: SignedHead,
    /// The tree over the hashes of all heads, the present one included: what the next head's
    /// `history` must be the root of.
    pub history: Frontier,
    /// The places of the heads that stand in the trail, ascending. Empty while a device signs.
    pub trail: Vec<u64>,
    /// How many records there are.
    pub records: u32,
    /// How many bytes their envelopes have together, as the device sealed them.
    #[serde(deserialize_with = "codec::count::any")]
    pub bytes: u64,
    /// Which tombstones are kept.
    pub tombstones: Ring,
    /// The highest sequence number whose removals are no longer all remembered; 0 while all are.
    pub forgotten: u64,
    /// When the wallet was made, in Unix milliseconds.
    pub created_ms: u64,
    /// When it was last changed, in Unix milliseconds.
    pub updated_ms: u64,
}

/// One link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRow {
    /// Its hash.
    pub hash: LinkHash,
    /// The signed link under the wallet's data key.
    pub sealed: Sealed,
}

/// What the head says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRow {
    /// Its version.
    pub version: u64,
    /// The hash of the envelope as the device sealed it.
    pub body_hash: BodyHash,
    /// The length of that envelope, in bytes.
    pub size: u32,
    /// The sequence number of the head that wrote it.
    pub seq: u64,
    /// What the body's row adds to the digest, so that it can be replaced or removed unread.
    pub body: PairHash,
}

/// The hash of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadHashRow {
    /// The hash.
    pub hash: HeadHash,
    /// The hash of the commit that was pushed with it; none for a head that a healing commit named
    /// and that was never pushed here.
    pub content: Option<[u8; 32]>,
}

/// A record that is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TombstoneRow {
    /// Its place among the wallet's removals.
    pub place: u64,
}

/// A removal, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalRow {
    /// The record.
    pub record: RecordId,
    /// The sequence number of the head that removed it.
    pub seq: u64,
}

/// How far a wallet's links had gone when the cluster that its backup is of was lost. What they took
/// away stays taken: whoever they revoked is refused, and no push may end before them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorRow {
    /// The members after the last of these links.
    pub membership: Membership,
    /// The links that the restored head does not cover, in order.
    pub links: Vec<LinkRow>,
    /// The data key that they are sealed under, wrapped.
    pub data_key: Sealed,
}
