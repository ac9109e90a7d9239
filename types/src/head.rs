//! Heads: what a device says the whole wallet is, after its change.
//!
//! ```text
//! Head = "HFhd" ‖ fmt 01 ‖ suite u16 ‖ wallet 32 ‖ seq u64 ‖ prev 32 ‖ history 32 ‖ root 32 ‖ links u32 ‖ link 32
//!        ‖ signer 16 ‖ time u64
//! ```

use crate::hash::tagged;
use crate::ids::{HeadHash, LinkHash, MemberId, Root, TreeHash, WalletId};
use crate::layout::{FormatError, Problem, Reader, Writer};
use crate::serial::{AsBytes, serde_by_bytes};
use crate::signature::MemberSignature;
use crate::suite::Suite;

/// The tag under which heads are hashed and signed.
pub const HEAD_TAG: &str = "holdfast/1 head";

/// The state of a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The algorithms of its signature.
    pub suite: Suite,
    /// The wallet.
    pub wallet: WalletId,
    /// Its place: 1, then one more each time.
    pub seq: u64,
    /// The head before it; zero for the first.
    pub prev: HeadHash,
    /// The RFC 6962 tree hash over the head hashes 1 to `seq - 1`.
    pub history: TreeHash,
    /// The hash over all entries.
    pub root: Root,
    /// How many links the wallet has.
    pub links: u32,
    /// The hash of the last of them.
    pub link: LinkHash,
    /// Who signs it: active after those links.
    pub signer: MemberId,
    /// The signer's clock, Unix seconds: shown to people, never used to order.
    pub time_s: u64,
}

impl Head {
    /// Length in bytes.
    pub const LEN: usize = 203;
    const MAGIC: &'static [u8; 4] = b"HFhd";
    const WHAT: &'static str = "head";

    /// Reads one head and nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(Self::WHAT, bytes);
        let suite = reader.opening(Self::MAGIC)?;
        let wallet = WalletId::from_bytes(reader.fixed("wallet")?);
        let seq = reader.u64("sequence number")?;
        reader.require(seq != 0, "sequence number", "1 or more")?;
        let prev = HeadHash::from_bytes(reader.fixed("previous hash")?);
        reader.require(
            prev.is_zero() == (seq == 1),
            "previous hash",
            "0 in the first head, and in it alone",
        )?;
        let head = Self {
            suite,
            wallet,
            seq,
            prev,
            history: TreeHash::from_bytes(reader.fixed("history")?),
            root: Root::from_bytes(reader.fixed("root")?),
            links: reader.u32("number of links")?,
            link: LinkHash::from_bytes(reader.fixed("last link")?),
            signer: MemberId::from_bytes(reader.fixed("signer")?),
            time_s: reader.u64("time")?,
        };
        reader.finish()?;
        Ok(head)
    }

    /// The layout.
    pub fn encode(&self) -> Vec<u8> {
        Writer::with_capacity(Self::LEN)
            .opening(Self::MAGIC, self.suite)
            .bytes(self.wallet)
            .u64(self.seq)
            .bytes(self.prev)
            .bytes(self.history)
            .bytes(self.root)
            .u32(self.links)
            .bytes(self.link)
            .bytes(self.signer)
            .u64(self.time_s)
            .finish()
    }

    /// Its hash, which is also the request id of its push. The layout is a bijection, so the hash of what
    /// is encoded is the hash of what was received.
    pub fn hash(&self) -> HeadHash {
        HeadHash::from_bytes(tagged(HEAD_TAG, &[&self.encode()]))
    }
}

/// A head with its one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedHead {
    head: Head,
    hash: HeadHash,
    signature: MemberSignature,
}

impl SignedHead {
    /// Length in bytes, stored as one run: head, then signature.
    pub const LEN: usize = Head::LEN + MemberSignature::LEN;

    /// A head of one's own with its signature.
    ///
    /// # Errors
    /// As [`SignedHead::parse`].
    pub fn new(head: &Head, signature: MemberSignature) -> Result<Self, FormatError> {
        Self::of(Head::parse(&head.encode())?, signature)
    }

    /// Reads a head and the signature that travels beside it.
    ///
    /// # Errors
    /// If either is malformed, or the signature is not its signer's.
    pub fn parse(head: &[u8], signature: &[u8]) -> Result<Self, FormatError> {
        Self::of(Head::parse(head)?, MemberSignature::parse(signature)?)
    }

    fn of(head: Head, signature: MemberSignature) -> Result<Self, FormatError> {
        if signature.member != head.signer {
            let problem = Problem::Value { field: "signature", allowed: "the signer's" };
            return Err(FormatError::new(Head::WHAT, 0, problem));
        }
        Ok(Self { hash: head.hash(), head, signature })
    }

    /// The head.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Its bytes: what is hashed and signed.
    pub fn bytes(&self) -> Vec<u8> {
        self.head.encode()
    }

    /// Its hash, which its signature does not enter.
    pub const fn hash(&self) -> HeadHash {
        self.hash
    }

    /// Its signature.
    pub const fn signature(&self) -> &MemberSignature {
        &self.signature
    }

    /// Head and signature as one run of bytes.
    pub fn to_stored(&self) -> Vec<u8> {
        let mut bytes = self.head.encode();
        bytes.extend(self.signature.encode());
        bytes
    }

    /// Reads what [`SignedHead::to_stored`] wrote.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(Head::WHAT, bytes);
        let head = reader.bytes("head", Head::LEN)?;
        Self::parse(head, reader.rest())
    }
}

impl AsBytes for SignedHead {
    const WHAT: &'static str = "signed head";
    fn to_bytes(&self) -> impl AsRef<[u8]> {
        self.to_stored()
    }
    fn of_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::from_stored(bytes)
    }
}
serde_by_bytes!(SignedHead);

#[cfg(test)]
mod tests;
