//! Links: the signed chain, from the genesis on, that says who belongs to a wallet.
//!
//! ```text
//! Link = "HFln" ‖ fmt 01 ‖ suite u16 ‖ wallet 32 ‖ n u32 ‖ prev 32 ‖ kind u8 ‖ signer 16 ‖ len u32 ‖ payload
//! ```
//!
//! This file knows the layout. Whether a link may follow a chain is [`crate::membership`]'s to say, and
//! whether its signatures verify `seal`'s.

use crate::hash::tagged;
use crate::ids::{LinkHash, MemberId, WalletId};
use crate::layout::{FormatError, Problem, Reader, Writer};
use crate::serial::{AsBytes, serde_by_bytes};
use crate::signature::MemberSignature;
use crate::suite::Suite;

mod payload;

pub use payload::{Add, Genesis, LinkKind, LinkPayload, Revoke, Rotate};

/// The tag under which links are hashed and signed.
pub const LINK_TAG: &str = "holdfast/1 link";

/// One change of who belongs to a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The algorithms of its signatures.
    pub suite: Suite,
    /// The wallet; zero in the genesis, whose hash names the wallet.
    pub wallet: WalletId,
    /// How many links come before it.
    pub n: u32,
    /// The hash of the link before it; zero in the genesis.
    pub prev: LinkHash,
    /// Whose authority it claims.
    pub signer: MemberId,
    /// What it changes.
    pub payload: LinkPayload,
}

impl Link {
    const MAGIC: &'static [u8; 4] = b"HFln";
    const WHAT: &'static str = "link";
    /// Length of everything before the payload.
    pub const FIXED_LEN: usize = 96;

    /// Reads one link and nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(Self::WHAT, bytes);
        let suite = reader.opening(Self::MAGIC)?;
        let wallet = WalletId::from_bytes(reader.fixed("wallet")?);
        let wallet_error = reader.clone();
        let n = reader.u32("number")?;
        let number_error = reader.clone();
        let prev = LinkHash::from_bytes(reader.fixed("previous hash")?);
        let prev_error = reader.clone();
        let kind = LinkKind::read(&mut reader)?;
        let first = kind == LinkKind::Genesis;
        number_error.require(first == (n == 0), "number", "0 for a genesis, and for it alone")?;
        wallet_error.require(!first || wallet.is_zero(), "wallet", "0 in a genesis")?;
        prev_error.require(!first || prev.is_zero(), "previous hash", "0 in a genesis")?;
        let signer = MemberId::from_bytes(reader.fixed("signer")?);
        let len = reader.u32("payload length")?;
        reader.require(
            usize::try_from(len) == Ok(reader.remaining()),
            "payload length",
            "that of what follows",
        )?;
        let payload = LinkPayload::read(kind, &mut reader)?;
        reader.finish()?;
        Ok(Self { suite, wallet, n, prev, signer, payload })
    }

    /// The layout.
    ///
    /// # Errors
    /// If a list has more elements than its layout can count.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let payload = self.payload.encode()?;
        let len = u32::try_from(payload.len()).map_err(|_| {
            FormatError::new(
                Self::WHAT,
                0,
                Problem::TooMany { field: "bytes", max: u32::MAX as usize },
            )
        })?;
        Ok(Writer::with_capacity(Self::FIXED_LEN + payload.len())
            .opening(Self::MAGIC, self.suite)
            .bytes(self.wallet)
            .u32(self.n)
            .bytes(self.prev)
            .u8(self.payload.kind() as u8)
            .bytes(self.signer)
            .u32(len)
            .bytes(payload)
            .finish())
    }

    /// Exactly who must sign it: the signer first, then the others by member id.
    pub fn required_signers(&self) -> Vec<MemberId> {
        let mut others = match &self.payload {
            LinkPayload::Genesis(genesis) => {
                genesis.members.iter().map(|member| member.id()).collect()
            }
            LinkPayload::Add(add) => vec![add.member.id()],
            LinkPayload::Rotate(_)
            | LinkPayload::Revoke(_)
            | LinkPayload::MinSuite(_)
            | LinkPayload::Erase => vec![],
        };
        others.retain(|member| *member != self.signer);
        others.sort_unstable();
        others.insert(0, self.signer);
        others
    }
}

/// The hash of a link's bytes.
fn hash_of(bytes: &[u8]) -> LinkHash {
    LinkHash::from_bytes(tagged(LINK_TAG, &[bytes]))
}

/// A link as received, with the signatures beside it. Kept and hashed as received, never encoded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedLink {
    link: Link,
    bytes: Vec<u8>,
    hash: LinkHash,
    signatures: Vec<MemberSignature>,
}

impl SignedLink {
    /// A link of one's own with its signatures.
    ///
    /// # Errors
    /// As [`SignedLink::parse`].
    pub fn new(link: &Link, signatures: Vec<MemberSignature>) -> Result<Self, FormatError> {
        Self::of(link.encode()?, signatures)
    }

    /// Reads a link and the signatures that travel beside it, one after another.
    ///
    /// # Errors
    /// If either is malformed, or the signers are not exactly [`Link::required_signers`] in that order.
    pub fn parse(link: &[u8], signatures: &[u8]) -> Result<Self, FormatError> {
        Self::of(link.to_vec(), MemberSignature::parse_all(signatures)?)
    }

    fn of(bytes: Vec<u8>, signatures: Vec<MemberSignature>) -> Result<Self, FormatError> {
        let link = Link::parse(&bytes)?;
        MemberSignature::check_order(&signatures, &link.signer)?;
        if !signatures.iter().map(|signature| signature.member).eq(link.required_signers()) {
            let problem = Problem::Value {
                field: "signers",
                allowed: "exactly those whose signature the link needs",
            };
            return Err(FormatError::new("signature", 0, problem));
        }
        let hash = hash_of(&bytes);
        Ok(Self { link, bytes, hash, signatures })
    }

    /// The link.
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// Its bytes: what is hashed and signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its hash, which its signatures do not enter.
    pub const fn hash(&self) -> LinkHash {
        self.hash
    }

    /// The signatures: the signer's, then the others' by member id.
    pub fn signatures(&self) -> &[MemberSignature] {
        &self.signatures
    }

    /// The signatures as they travel, one after another.
    pub fn signature_bytes(&self) -> Vec<u8> {
        MemberSignature::encode_all(&self.signatures)
    }

    /// The wallet it belongs to, also if it is the genesis that names it.
    pub fn wallet(&self) -> WalletId {
        match &self.link.payload {
            LinkPayload::Genesis(genesis) => WalletId::of_genesis(genesis.region, &self.hash),
            _ => self.link.wallet,
        }
    }

    /// Link and signatures as one run of bytes, for storing whole: `len u32 ‖ link ‖ signatures`.
    pub fn to_stored(&self) -> Vec<u8> {
        // A link fits: its own layout counts its payload in 32 bits, and its parser bounds every list in it.
        let len = self.bytes.len() as u32;
        Writer::with_capacity(4 + self.bytes.len() + self.signatures.len() * MemberSignature::LEN)
            .u32(len)
            .bytes(&self.bytes)
            .bytes(self.signature_bytes())
            .finish()
    }

    /// Reads what [`SignedLink::to_stored`] wrote.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new("stored link", bytes);
        let len = reader.u32("length")?;
        let link = reader.bytes("link", usize::try_from(len).unwrap_or(usize::MAX))?;
        Self::parse(link, reader.rest())
    }
}

impl AsBytes for SignedLink {
    const WHAT: &'static str = "signed link";
    fn to_bytes(&self) -> impl AsRef<[u8]> {
        self.to_stored()
    }
    fn of_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::from_stored(bytes)
    }
}
serde_by_bytes!(SignedLink);

#[cfg(test)]
mod tests;
