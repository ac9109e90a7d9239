//! A member's signature as it travels beside what it signs: `MemberId 16 ‖ r 32 ‖ s 32`.

use std::fmt;

use crate::ids::MemberId;
use crate::layout::{FormatError, Problem, Reader, Writer};
use crate::serial::{AsBytes, serde_by_bytes};

/// Who signed, and the ES256 signature. Whether it verifies is for `seal` to say.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemberSignature {
    /// Who signed.
    pub member: MemberId,
    /// `r ‖ s`, with s in the lower half.
    pub signature: [u8; 64],
}

impl MemberSignature {
    /// Length in bytes.
    pub const LEN: usize = 80;
    const WHAT: &'static str = "signature";

    /// Reads one signature and nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(Self::WHAT, bytes);
        let signature = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(signature)
    }

    /// Reads signatures one after another, at least one.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, FormatError> {
        let mut reader = Reader::new(Self::WHAT, bytes);
        let mut signatures = Vec::with_capacity(bytes.len() / Self::LEN);
        loop {
            signatures.push(Self::read(&mut reader)?);
            if reader.remaining() == 0 {
                return Ok(signatures);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(Self {
            member: MemberId::from_bytes(reader.fixed("signer")?),
            signature: reader.fixed("signature")?,
        })
    }

    /// The layout.
    pub fn encode(&self) -> Vec<u8> {
        Self::encode_all(std::slice::from_ref(self))
    }

    /// Signatures one after another.
    pub fn encode_all(signatures: &[Self]) -> Vec<u8> {
        let writer = Writer::with_capacity(signatures.len() * Self::LEN);
        signatures
            .iter()
            .fold(writer, |writer, each| writer.bytes(each.member).bytes(each.signature))
            .finish()
    }

    /// Refuses signers that are not `signer` first, then others strictly ascending.
    pub(crate) fn check_order(signatures: &[Self], signer: &MemberId) -> Result<(), FormatError> {
        let error = |problem| FormatError::new(Self::WHAT, 0, problem);
        let Some((first, others)) = signatures.split_first() else {
            return Err(error(Problem::Short { field: "signature" }));
        };
        if first.member != *signer {
            return Err(error(Problem::Value {
                field: "first signature",
                allowed: "the signer's",
            }));
        }
        if others.iter().any(|other| other.member == *signer) {
            return Err(error(Problem::Unsorted { field: "signatures" }));
        }
        crate::layout::strictly_ascending(
            Self::WHAT,
            "signatures",
            others.iter().map(|other| other.member),
        )
    }
}

impl fmt::Debug for MemberSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberSignature({}…)", self.member)
    }
}

impl AsBytes for MemberSignature {
    const WHAT: &'static str = Self::WHAT;
    fn to_bytes(&self) -> impl AsRef<[u8]> {
        self.encode()
    }
    fn of_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::parse(bytes)
    }
}
serde_by_bytes!(MemberSignature);
