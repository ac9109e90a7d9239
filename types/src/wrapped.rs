//! The wallet key as it is sealed to one member (docs/formats.md, Seal).
//!
//! ```text
//! Seal = MemberId 16 ‖ suite u16 ‖ len u16 = 113 ‖ enc 65 ‖ ct 48
//! ```
//!
//! It is authentic only through the signature of the link that carries it.

use std::fmt;

use crate::ids::MemberId;
use crate::layout::{FormatError, Reader, Writer};
use crate::suite::Suite;

/// An HPKE ciphertext of a wallet key, to one member.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedSeal {
    /// To whom.
    pub member: MemberId,
    /// With which algorithms.
    pub suite: Suite,
    /// The encapsulated key: a point, uncompressed, checked when it is opened.
    pub enc: [u8; 65],
    /// The sealed wallet key and its tag.
    pub ct: [u8; 48],
}

impl WrappedSeal {
    /// Length in bytes.
    pub const LEN: usize = 133;
    const BODY_LEN: u16 = 113;

    /// Reads one seal and nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new("seal", bytes);
        let seal = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(seal)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let member = MemberId::from_bytes(reader.fixed("seal's member")?);
        let suite = reader.suite("seal's suite")?;
        let len = reader.u16("seal's length")?;
        reader.require(len == Self::BODY_LEN, "seal's length", "113")?;
        let enc: [u8; 65] = reader.fixed("encapsulated key")?;
        reader.require(enc[0] == 4, "encapsulated key", "uncompressed, beginning with 04")?;
        Ok(Self { member, suite, enc, ct: reader.fixed("sealed wallet key")? })
    }

    pub(crate) fn write(&self, writer: Writer) -> Writer {
        writer
            .bytes(self.member)
            .u16(self.suite.get())
            .u16(Self::BODY_LEN)
            .bytes(self.enc)
            .bytes(self.ct)
    }

    /// The layout.
    pub fn encode(&self) -> Vec<u8> {
        self.write(Writer::with_capacity(Self::LEN)).finish()
    }
}

impl fmt::Debug for WrappedSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedSeal(to {})", self.member)
    }
}
