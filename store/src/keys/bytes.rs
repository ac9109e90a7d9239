//! Keys as bytes, on the stack.

use std::fmt;
use std::ops::Deref;

use super::Prefix;

/// How many bytes stand before what the digest covers: group and incarnation.
const UNDIGESTED: usize = 12;

/// The bytes of a key, without an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyBytes {
    length: u8,
    bytes: [u8; KeyBytes::MAX],
}

impl KeyBytes {
    /// No key is longer, in bytes.
    pub const MAX: usize = 64;

    /// What the digest covers of a key of the state: all but group and incarnation.
    pub fn digested(&self) -> &[u8] {
        Self::digested_of(self)
    }

    /// As [`KeyBytes::digested`], of a key as an engine shows it.
    pub fn digested_of(key: &[u8]) -> &[u8] {
        &key[UNDIGESTED.min(key.len())..]
    }

    /// The key under `prefix` of which `digested` is what the digest covers, if that is not too long.
    pub(crate) fn under(prefix: Prefix, digested: &[u8]) -> Option<Self> {
        (UNDIGESTED + digested.len() <= Self::MAX).then(|| prefix.start().fixed(digested).finish())
    }

    /// The least key that is greater.
    pub(crate) fn after(self) -> Vec<u8> {
        [&self[..], &[0]].concat()
    }
}

impl Default for KeyBytes {
    fn default() -> Self {
        KeyBytes { length: 0, bytes: [0; Self::MAX] }
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl Ord for KeyBytes {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self[..].cmp(&other[..])
    }
}

impl PartialOrd for KeyBytes {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBytes({} bytes)", self.len())
    }
}

/// Writes a key from its first byte to its last.
#[derive(Default)]
pub(super) struct KeyWriter {
    bytes: KeyBytes,
}

impl KeyWriter {
    pub(super) fn fixed(mut self, bytes: &[u8]) -> Self {
        let start = usize::from(self.bytes.length);
        let end = start + bytes.len();
        // The longest key, a receipt's, has 63 bytes: `tests` encodes one of each.
        self.bytes.bytes[start..end].copy_from_slice(bytes);
        self.bytes.length = end as u8;
        self
    }

    pub(super) fn u8(self, value: u8) -> Self {
        self.fixed(&[value])
    }

    pub(super) fn u64(self, value: u64) -> Self {
        self.fixed(&value.to_be_bytes())
    }

    pub(super) fn finish(self) -> KeyBytes {
        self.bytes
    }
}
