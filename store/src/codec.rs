//! Values and commands as bytes: a version byte, then bincode.
//!
//! Promises: a value is always encoded to the same bytes; decoding takes no more memory than the
//! bytes deserve, reads to the last byte or refuses, and never panics.
//!
//! bincode 2 in its standard configuration (little-endian, variable-length integers) is the present
//! encoding of version 1. It is unmaintained, so nothing outside this file may name it, and the way
//! out is kept open: `tests/store/formats/independent.rs` reads and writes every frozen value with a decoder of
//! its own of some hundred lines and gets the same bytes. A successor replaces this file, not the data.
//!
//! Fields and enum variants are only ever appended under a new version: see [`crate::formats`].

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(test)]
mod tests;

/// The version of everything encoded here. A reader accepts it and what [`crate::formats`] says of older ones.
pub(crate) const VERSION: u8 = 1;

/// No value or command is longer than this, in bytes: the largest healing commit that
/// [`types::commit`] admits, with room for its head hashes, wrapping and framing.
pub(crate) const MAX_BYTES: usize = 2 * types::limits::WALLET_BYTES as usize + (32 << 20);

const CONFIG: Configuration<LittleEndian, Varint, Limit<MAX_BYTES>> =
    bincode::config::standard().with_limit::<MAX_BYTES>();

/// What is wrong with bytes that should be a key, a value or a command.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not a single byte.
    #[error("no bytes at all")]
    Empty,
    /// A version that this release does not know.
    #[error(
        "version {found} is not known here, the newest known is {known}; a newer release wrote it"
    )]
    Version {
        /// The version found.
        found: u8,
        /// The newest version this release reads.
        known: u8,
    },
    /// The value ended before its bytes did.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    /// The bytes end too early, or say something that the value cannot be.
    #[error("the bytes are cut or damaged: {0}")]
    Malformed(String),
}

/// The bytes of `value`.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    let written = bincode::serde::encode_into_std_write(value, &mut bytes, CONFIG);
    // Writing to memory does not fail, and every type encoded here has a length known beforehand.
    debug_assert!(written.is_ok(), "a value that bincode cannot write");
    bytes
}

/// The value of `bytes`, all of them.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (version, rest) = bytes.split_first().ok_or(DecodeError::Empty)?;
    if *version != VERSION {
        return Err(DecodeError::Version { found: *version, known: VERSION });
    }
    let (value, read) = bincode::serde::decode_from_slice(rest, CONFIG).map_err(malformed)?;
    match rest.len() - read {
        0 => Ok(value),
        left => Err(DecodeError::Trailing(left)),
    }
}

fn malformed(error: bincode::error::DecodeError) -> DecodeError {
    // Only the kind of damage: the library's own text may quote what it read.
    use bincode::error::DecodeError as Cause;
    DecodeError::Malformed(match error {
        Cause::UnexpectedEnd { .. } => "the end comes too early".into(),
        Cause::LimitExceeded => "a length is beyond every limit".into(),
        Cause::UnexpectedVariant { .. } | Cause::InvalidBooleanValue(_) => {
            "a choice that does not exist".into()
        }
        Cause::OtherString(reason) => reason,
        _ => "not the value expected".into(),
    })
}

/// Numbers that are counted on from.
pub(crate) mod count {
    use serde::de::{Deserialize, Deserializer, Error};
    use types::SignedHead;
    use types::ids::Slot;

    /// No counter goes further. One that was read back can be counted on from, and added to another.
    pub(crate) const MAX: u64 = 1 << 62;

    /// A counter.
    pub(crate) fn any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let count = u64::deserialize(deserializer)?;
        if count <= MAX { Ok(count) } else { Err(D::Error::custom("a count beyond every limit")) }
    }

    /// A head whose number is one.
    pub(crate) fn head<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedHead, D::Error> {
        let head = SignedHead::deserialize(deserializer)?;
        let seq = head.head().seq;
        if seq <= MAX { Ok(head) } else { Err(D::Error::custom("a head beyond every limit")) }
    }

    /// A number of groups: each has a slot at least.
    pub(crate) fn groups<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let groups = u32::deserialize(deserializer)?;
        if (1..=u32::from(Slot::COUNT)).contains(&groups) {
            Ok(groups)
        } else {
            Err(D::Error::custom("a number of groups beyond every limit"))
        }
    }
}

/// Byte strings as such: serde would otherwise visit a `Vec<u8>` one element at a time.
pub(crate) mod blob {
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }
    }
}
