//! Key derivation: the one function by which every key of the format comes from another.

use crate::hazmat;
use crate::secret::{Secret32, SecretArray};

/// The beginning of every label and tag, so that format 1 shares no derived value with anything else.
const PREFIX: &[u8] = b"holdfast/1 ";

/// `KDF(k, label, N) = HKDF-Expand(k, "holdfast/1 " ‖ label, N)`; the label may come in parts.
pub(crate) fn derive<const N: usize>(key: &Secret32, label: &[&[u8]]) -> SecretArray<N> {
    let mut info = Vec::with_capacity(label.len() + 1);
    info.push(PREFIX);
    info.extend_from_slice(label);
    SecretArray::filled(|out| hazmat::expand(key.expose(), &info, out))
}

/// `HKDF-Extract(salt, ikm)` (RFC 5869), the input in parts.
pub(crate) fn extract(salt: &[u8], ikm: &[&[u8]]) -> Secret32 {
    hazmat::hmac(salt, ikm)
}
