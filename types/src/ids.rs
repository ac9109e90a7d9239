//! Names of fixed length: opaque, ordered, and never mixed up with one another.
//!
//! The only way in from outside is `parse` (bytes) or `FromStr` (hex). `Display` is lower-case hex in
//! full; `Debug` is shortened, because an id is the commonest thing in a log line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hash::{tagged, tagged_16};
use crate::layout::{FormatError, Problem};
use crate::serial::{AsBytes, Hex, from_hex, serde_by_bytes};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;
            /// All bytes zero: what stands in a layout where there is none.
            pub const ZERO: Self = Self([0; $len]);

            /// The id of these bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The id of these bytes, if there are exactly as many as it has.
            pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
                bytes.try_into().map(Self).map_err(|_| FormatError::length($what, $len, bytes.len()))
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Whether every byte is zero.
            pub fn is_zero(&self) -> bool {
                *self == Self::ZERO
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Hex(&self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}…)"), Hex(self.0.first_chunk::<4>().unwrap_or(&[0; 4])))
            }
        }

        impl FromStr for $name {
            type Err = FormatError;

            fn from_str(text: &str) -> Result<Self, FormatError> {
                let bytes = from_hex(text).ok_or(FormatError::new($what, 0, Problem::NotHex))?;
                Self::parse(&bytes)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl AsBytes for $name {
            const WHAT: &'static str = $what;
            fn to_bytes(&self) -> impl AsRef<[u8]> {
                self.0
            }
            fn of_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
                Self::parse(bytes)
            }
        }

        serde_by_bytes!($name);
    };
}

id!(
    /// A wallet: its residency region, then the first 31 bytes of the hash of its genesis link.
    WalletId, 32, "wallet id"
);
id!(
    /// A member of a wallet: the first 16 bytes of the hash of its description.
    MemberId, 16, "member id"
);
id!(
    /// A record: 16 random bytes, chosen by the device and never used again once deleted.
    RecordId, 16, "record id"
);
id!(
    /// The hash of a head.
    HeadHash, 32, "head hash"
);
id!(
    /// The hash of a link.
    LinkHash, 32, "link hash"
);
id!(
    /// The hash of a sealed record, whole.
    BodyHash, 32, "body hash"
);
id!(
    /// The hash over all entries of a wallet.
    Root, 32, "root"
);
id!(
    /// A node of an RFC 6962 Merkle tree.
    TreeHash, 32, "tree hash"
);
id!(
    /// How a member whose key is typed in, not kept, finds its wallet. Known to members only.
    Locator, 16, "locator"
);
id!(
    /// Names one act of one caller, so that a retry has no second effect. A push is named by its head's hash.
    RequestId, 32, "request id"
);
id!(
    /// A cluster, for ever.
    ClusterId, 16, "cluster id"
);
id!(
    /// One life of a node's directory, drawn at its first start: a wiped directory comes back as another.
    Incarnation, 16, "incarnation"
);

impl WalletId {
    /// The wallet that begins with the genesis link of this hash, resident in `region`.
    pub fn of_genesis(region: u8, genesis: &LinkHash) -> Self {
        let mut id = [region; 32];
        let (_, rest) = id.split_at_mut(1);
        for (to, from) in rest.iter_mut().zip(genesis.as_bytes()) {
            *to = *from;
        }
        Self(id)
    }

    /// The residency region, fixed with the genesis.
    pub const fn region(&self) -> u8 {
        self.0[0]
    }
}

impl RecordId {
    /// The id under which an edit made on `base` version of this record survives the record's deletion.
    ///
    /// Every device that finds the same edit derives the same id. If it is taken already, hash again
    /// with `base = 0` until one is free.
    pub fn again(&self, base: u64) -> Self {
        Self(tagged_16("holdfast/1 again", &[&self.0, &base.to_be_bytes()]))
    }

    /// The first id after [`RecordId::again`] for which `taken` is false.
    pub fn again_free(&self, base: u64, mut taken: impl FnMut(&Self) -> bool) -> Self {
        let mut id = self.again(base);
        while taken(&id) {
            id = id.again(0);
        }
        id
    }
}

impl From<HeadHash> for RequestId {
    fn from(head: HeadHash) -> Self {
        Self(head.0)
    }
}

/// A node of a cluster. Never reused: a node that comes back under a new directory gets a new one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NodeId(pub u64);

/// A Raft group.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct GroupId(pub u32);

impl GroupId {
    /// The group that knows nodes, placement, slots and policies. Never proposed to on a user's path.
    pub const SYSTEM: Self = Self(0);
    /// The group of what everybody may read: trust anchors, status lists.
    pub const PUBLIC: Self = Self(1);
    /// The first group that holds wallets.
    pub const FIRST_WALLET: Self = Self(2);

    /// Whether wallets may live in it.
    pub const fn holds_wallets(self) -> bool {
        self.0 >= Self::FIRST_WALLET.0
    }
}

/// One of the 4,096 parts into which wallets fall, fixed for ever; slots, not wallets, move between groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Slot(u16);

impl Slot {
    /// How many there are.
    pub const COUNT: u16 = 4096;

    /// The slot of a wallet: the first 12 bits of `H("holdfast/1 slot", wallet)`.
    pub fn of(wallet: &WalletId) -> Self {
        let [first, second, ..] = tagged("holdfast/1 slot", &[wallet.as_bytes()]);
        Self(u16::from_be_bytes([first, second]) >> 4)
    }

    /// The slot of this number, if there is one.
    pub const fn new(number: u16) -> Option<Self> {
        if number < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// Its number, below [`Slot::COUNT`].
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Every slot, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u16::deserialize(deserializer)?;
        Self::new(number).ok_or_else(|| serde::de::Error::custom("a slot above the last"))
    }
}

macro_rules! number {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
number!(NodeId);
number!(GroupId);
number!(Slot);

#[cfg(test)]
mod tests;
