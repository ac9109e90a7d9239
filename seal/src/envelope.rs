//! Envelopes: the one way in which anything is sealed under a symmetric key (docs/formats.md, Envelope).
//!
//! ```text
//! Envelope = header 68 ‖ salt 32 ‖ commit 32 ‖ ciphertext ‖ tag 16
//! key 32 ‖ nonce 12 ‖ commit 32 = HKDF-SHA256(salt, ikm = K, info = "holdfast/1 env" ‖ 00 ‖ header, 76)
//! ```
//!
//! Promises: every envelope has its own key and nonce, so that nothing counts uses; it opens under
//! one key only (the commitment) and in one place only (the header is bound into key and tag);
//! whatever goes wrong after parsing looks the same from outside.
//!
//! The salt is hedged with key and content: a cloned random source repeats only identical messages.

use rand::CryptoRng;
use subtle::ConstantTimeEq;
use types::{Envelope, EnvelopeHeader, Secret};

use crate::error::SealError;
use crate::hazmat::{self, NONCE_LEN};
use crate::kdf::{derive, extract};
use crate::secret::{Secret32, SecretArray};

const INFO: &[u8] = b"holdfast/1 env\0";

/// Seals `content`, already padded where the purpose asks for it, under `key`.
pub(crate) fn seal(
    rng: &mut dyn CryptoRng,
    key: &Secret32,
    header: &EnvelopeHeader,
    content: &[u8],
) -> Vec<u8> {
    let header = header.encode();
    let salt = hedged_salt(rng, key, &header, content);
    let keys = Keys::derive(key, salt.expose(), &header);
    // In one buffer, so that the plaintext is copied once, to where it is encrypted.
    let mut bytes = Vec::with_capacity(Envelope::OVERHEAD + content.len());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(salt.expose());
    bytes.extend_from_slice(keys.commit());
    let text = bytes.len();
    bytes.extend_from_slice(content);
    let tag = hazmat::seal_gcm(keys.key(), keys.nonce(), &header, &mut bytes[text..]);
    bytes.extend_from_slice(&tag);
    bytes
}

/// Opens an envelope that must stand in the place `expected` describes.
///
/// # Errors
/// [`SealError::Format`] if the bytes are no envelope; [`SealError::DoesNotOpen`] for everything else.
pub(crate) fn open(
    key: &Secret32,
    expected: &EnvelopeHeader,
    bytes: &[u8],
) -> Result<Secret, SealError> {
    let envelope = Envelope::parse(bytes)?;
    if envelope.header != *expected {
        return Err(SealError::DoesNotOpen);
    }
    let keys = Keys::derive(key, envelope.salt, envelope.header_bytes);
    if !bool::from(keys.commit().ct_eq(envelope.commit)) {
        return Err(SealError::DoesNotOpen);
    }
    hazmat::open_gcm(keys.key(), keys.nonce(), envelope.header_bytes, envelope.ciphertext)
        .ok_or(SealError::DoesNotOpen)
}

/// `HMAC(KDF(K, "hedge", 32), rand32 ‖ SHA-256(header) ‖ SHA-256(content))`.
fn hedged_salt(rng: &mut dyn CryptoRng, key: &Secret32, header: &[u8], content: &[u8]) -> Secret32 {
    let hedge = derive::<32>(key, &[b"hedge"]);
    let random = Secret32::random(rng);
    let (header, content) = (hazmat::sha256(&[header]), hazmat::sha256(&[content]));
    hazmat::hmac(hedge.expose(), &[random.expose(), &header, &content])
}

/// Key, nonce and commitment of one envelope.
struct Keys(SecretArray<76>);

impl Keys {
    fn derive(key: &Secret32, salt: &[u8; 32], header: &[u8]) -> Self {
        let prk = extract(salt, &[key.expose()]);
        Self(SecretArray::filled(|out| hazmat::expand(prk.expose(), &[INFO, header], out)))
    }

    fn key(&self) -> &[u8; 32] {
        self.part(0)
    }

    fn nonce(&self) -> &[u8; NONCE_LEN] {
        self.part(32)
    }

    fn commit(&self) -> &[u8; 32] {
        self.part(44)
    }

    fn part<const N: usize>(&self, from: usize) -> &[u8; N] {
        self.0.expose()[from..].first_chunk().expect("the parts add up to 76 bytes")
    }
}

#[cfg(test)]
mod tests;
