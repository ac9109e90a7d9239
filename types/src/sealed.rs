//! Ciphertext on its way through the servers.

use std::fmt;
use std::sync::Arc;

use crate::layout::FormatError;
use crate::serial::{AsBytes, serde_by_bytes};

/// Opaque sealed bytes, cheap to copy. Only `seal` makes or opens them; its `Debug` is its length.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sealed(Arc<[u8]>);

impl Sealed {
    /// These bytes, which somebody else sealed.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.len())
    }
}

impl AsRef<[u8]> for Sealed {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Sealed {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl AsBytes for Sealed {
    const WHAT: &'static str = "sealed value";
    fn to_bytes(&self) -> impl AsRef<[u8]> {
        self
    }
    fn of_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        Ok(Self::new(bytes))
    }
}
serde_by_bytes!(Sealed);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_a_length_and_nothing_else() {
        assert_eq!(format!("{:?}", Sealed::new(*b"ciphertext")), "Sealed(10 bytes)");
    }
}
