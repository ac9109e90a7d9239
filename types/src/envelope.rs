//! Envelopes, from outside: everything about sealed bytes that can be said without a key.
//!
//! ```text
//! Envelope = header ‖ salt 32 ‖ commit 32 ‖ ct ‖ tag 16
//! header   = "HFev" ‖ fmt 01 ‖ suite u16 ‖ purpose u8 ‖ wallet 32 ‖ id 16 ‖ version u64 ‖ gen u32
//! ```

use std::fmt;

use crate::hash::tagged;
use crate::ids::{BodyHash, RecordId, WalletId};
use crate::layout::{FormatError, Reader, Writer};
use crate::padding::is_padded_size;
use crate::suite::Suite;

/// What an envelope is for. Purposes never share a key. The numbers are the format's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// A record, under the wallet key.
    Record = 1,
    /// The wallet key of the generation before, under the present one.
    History = 2,
    /// The server's second sealing, under the wallet's data key.
    Outer = 3,
    /// A value of a device's local copy.
    Local = 4,
    /// A part of an export, under a passphrase.
    Export = 5,
    /// The keys of a device, under a passphrase.
    DeviceKeys = 6,
    /// A wallet's data key, under an epoch key.
    DataKey = 7,
    /// A server's epoch key, under a passphrase.
    EpochKey = 8,
}

impl Purpose {
    /// Every purpose, in the order of its number.
    pub const ALL: [Self; 8] = [
        Self::Record,
        Self::History,
        Self::Outer,
        Self::Local,
        Self::Export,
        Self::DeviceKeys,
        Self::DataKey,
        Self::EpochKey,
    ];

    /// Whether its content is padded.
    pub const fn is_padded(self) -> bool {
        matches!(self, Self::Record | Self::Local | Self::Export)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(match reader.u8("purpose")? {
            1 => Self::Record,
            2 => Self::History,
            3 => Self::Outer,
            4 => Self::Local,
            5 => Self::Export,
            6 => Self::DeviceKeys,
            7 => Self::DataKey,
            8 => Self::EpochKey,
            other => return Err(reader.unknown("purpose", other.into(), Self::EpochKey as u32)),
        })
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "record",
            Self::History => "history",
            Self::Outer => "outer",
            Self::Local => "local copy",
            Self::Export => "export",
            Self::DeviceKeys => "device keys",
            Self::DataKey => "data key",
            Self::EpochKey => "epoch key",
        })
    }
}

/// What an envelope says about itself. All of it is authenticated when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvelopeHeader {
    /// The algorithms.
    pub suite: Suite,
    /// What it is for.
    pub purpose: Purpose,
    /// The wallet; zero where there is none.
    pub wallet: WalletId,
    /// What it holds, as its purpose names things; a record's id for a record.
    pub id: RecordId,
    /// The version of that; zero where there is none.
    pub version: u64,
    /// The generation, or the epoch, of the key; zero where there is none.
    pub generation: u32,
}

impl EnvelopeHeader {
    /// Length in bytes.
    pub const LEN: usize = 68;
    const MAGIC: &'static [u8; 4] = b"HFev";

    /// The layout, which is also the associated data.
    pub fn encode(&self) -> Vec<u8> {
        Writer::with_capacity(Self::LEN)
            .opening(Self::MAGIC, self.suite)
            .u8(self.purpose as u8)
            .bytes(self.wallet)
            .bytes(self.id)
            .u64(self.version)
            .u32(self.generation)
            .finish()
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let suite = reader.opening(Self::MAGIC)?;
        let purpose = Purpose::read(reader)?;
        let wallet = WalletId::from_bytes(reader.fixed("wallet")?);
        match purpose {
            Purpose::Outer | Purpose::DataKey => {
                reader.require(!wallet.is_zero(), "wallet", "set")?
            }
            Purpose::DeviceKeys => reader.require(wallet.is_zero(), "wallet", "0")?,
            _ => {}
        }
        let id = RecordId::from_bytes(reader.fixed("id")?);
        reader.require(purpose != Purpose::History || id.is_zero(), "id", "0")?;
        let version = reader.u64("version")?;
        match purpose {
            Purpose::Record | Purpose::Export => {
                reader.require(version != 0, "version", "1 or more")?
            }
            Purpose::History => reader.require(version == 0, "version", "0")?,
            _ => {}
        }
        let generation = reader.u32("generation")?;
        match purpose {
            Purpose::Record => reader.require(generation != 0, "generation", "1 or more")?,
            Purpose::History => reader.require(generation > 1, "generation", "2 or more")?,
            Purpose::Outer => reader.require(generation == 0, "generation", "0")?,
            _ => {}
        }
        Ok(Self { suite, purpose, wallet, id, version, generation })
    }
}

/// The parts of an envelope, borrowed from its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// What it says about itself.
    pub header: EnvelopeHeader,
    /// The bytes of the header: the associated data.
    pub header_bytes: &'a [u8],
    /// The salt its own key comes from.
    pub salt: &'a [u8; 32],
    /// The commitment to that key.
    pub commit: &'a [u8; 32],
    /// The ciphertext, and its tag in the last 16 bytes.
    pub ciphertext: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// How many bytes an envelope adds to its content.
    pub const OVERHEAD: usize = EnvelopeHeader::LEN + 32 + 32 + Self::TAG_LEN;
    /// Length of the cipher's tag.
    pub const TAG_LEN: usize = 16;
    /// Length of an envelope of purpose 2, whose content is one wallet key.
    pub const HISTORY_LEN: usize = Self::OVERHEAD + 32;
    const WHAT: &'static str = "envelope";

    /// Reads one envelope and nothing after it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(Self::WHAT, bytes);
        let header = EnvelopeHeader::read(&mut reader)?;
        let salt = reader.array("salt")?;
        let commit = reader.array("commitment")?;
        let content_len = reader.remaining().checked_sub(Self::TAG_LEN);
        let ciphertext = reader
            .bytes("ciphertext", content_len.map_or(Self::TAG_LEN, |len| len + Self::TAG_LEN))?;
        let len = ciphertext.len() - Self::TAG_LEN;
        if header.purpose.is_padded() {
            reader.require(
                is_padded_size(len),
                "ciphertext",
                "of a padded length: 1, 2, 4, … or 256 KiB",
            )?;
        }
        reader.require(
            header.purpose != Purpose::History || len == 32,
            "ciphertext",
            "that of one key",
        )?;
        let header_bytes = bytes.get(..EnvelopeHeader::LEN).unwrap_or_default();
        Ok(Self { header, header_bytes, salt, commit, ciphertext, bytes })
    }

    /// `H("holdfast/1 body", Envelope)`.
    pub fn body_hash(&self) -> BodyHash {
        BodyHash::from_bytes(tagged("holdfast/1 body", &[self.bytes]))
    }

    /// The bytes as received.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Length of the content as it was sealed, padding included.
    pub const fn content_len(&self) -> usize {
        self.bytes.len() - Self::OVERHEAD
    }
}

#[cfg(test)]
mod tests;
