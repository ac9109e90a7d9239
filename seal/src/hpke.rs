//! HPKE (RFC 9180) in the one form the format uses: base mode, DHKEM(P-256, HKDF-SHA256),
//! HKDF-SHA256, AES-256-GCM, one message per encapsulation.
//!
//! Written out here, and not taken from a library, because opening must go through the `agree` of
//! [`MemberKeys`](crate::MemberKeys): a key in hardware gives its x coordinate and nothing else. The
//! tests hold it to the vectors of RFC 9180 and to the `hpke` crate.

use rand::CryptoRng;
use types::Secret;

use crate::error::SealError;
use crate::hazmat::{self, AgreementKey, NONCE_LEN, POINT_LEN};
use crate::kdf::extract;
use crate::secret::{Secret32, SecretArray};

/// KEM 0x0010, DHKEM(P-256, HKDF-SHA256); also the suite id inside the KEM, `"KEM" ‖ id`.
const KEM: &[u8] = b"KEM\x00\x10";
/// `"HPKE" ‖ KEM 0x0010 ‖ KDF 0x0001 HKDF-SHA256 ‖ AEAD 0x0002 AES-256-GCM`.
const SUITE: &[u8] = b"HPKE\x00\x10\x00\x01\x00\x02";
const VERSION: &[u8] = b"HPKE-v1";
const MODE_BASE: &[u8] = &[0x00];

/// `DeriveKeyPair` (RFC 9180, 7.1.3): the private scalar that belongs to this input, and its key.
pub(crate) fn derive_key_pair(ikm: &Secret32) -> (Secret32, AgreementKey) {
    let prk = labeled_extract(KEM, b"", b"dkp_prk", ikm.expose());
    for counter in 0..=u8::MAX {
        // The mask for P-256 is 0xff, so candidates are taken as they come.
        let candidate = labeled_expand(KEM, &prk, b"candidate", &[&[counter]]);
        if let Some(key) = AgreementKey::from_scalar(candidate.expose()) {
            return (candidate, key);
        }
    }
    unreachable!("256 hashes in a row beyond the order of P-256")
}

/// `SealBase`: encapsulates to `recipient` and encrypts; gives `enc` and the ciphertext.
/// `None` if `recipient` is not a point.
pub(crate) fn seal_base(
    rng: &mut dyn CryptoRng,
    recipient: &[u8; POINT_LEN],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Option<([u8; POINT_LEN], Vec<u8>)> {
    let (_, ephemeral) = derive_key_pair(&Secret32::random(rng));
    let (enc, shared) = encapsulate(&ephemeral, recipient)?;
    let (key, nonce) = key_schedule(SUITE, &shared, info);
    let mut text = plaintext.to_vec();
    let tag = hazmat::seal_gcm(key.expose(), nonce.expose(), aad, &mut text);
    text.extend_from_slice(&tag);
    Some((enc, text))
}

/// `OpenBase`, with the key agreement done by the caller's `agree(enc)`.
pub(crate) fn open_base(
    agree: impl FnOnce(&[u8; POINT_LEN]) -> Result<Secret32, SealError>,
    recipient: &[u8; POINT_LEN],
    enc: &[u8; POINT_LEN],
    info: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Secret, SealError> {
    let shared = shared_secret(&agree(enc)?, enc, recipient);
    let (key, nonce) = key_schedule(SUITE, &shared, info);
    hazmat::open_gcm(key.expose(), nonce.expose(), aad, ciphertext).ok_or(SealError::DoesNotOpen)
}

/// `Encap` with this ephemeral key.
fn encapsulate(
    ephemeral: &AgreementKey,
    recipient: &[u8; POINT_LEN],
) -> Option<([u8; POINT_LEN], Secret32)> {
    let enc = ephemeral.public();
    let shared = shared_secret(&ephemeral.agree(recipient)?, &enc, recipient);
    Some((enc, shared))
}

/// `ExtractAndExpand(dh, enc ‖ pkR)`.
fn shared_secret(dh: &Secret32, enc: &[u8; POINT_LEN], recipient: &[u8; POINT_LEN]) -> Secret32 {
    let prk = labeled_extract(KEM, b"", b"eae_prk", dh.expose());
    labeled_expand(KEM, &prk, b"shared_secret", &[enc, recipient])
}

/// `KeySchedule` in base mode without a pre-shared key: key and base nonce. The first and only
/// message has sequence number 0, so the base nonce is its nonce.
fn key_schedule<const KEY: usize>(
    suite: &[u8],
    shared: &Secret32,
    info: &[u8],
) -> (SecretArray<KEY>, SecretArray<NONCE_LEN>) {
    let psk_id_hash = labeled_extract(suite, b"", b"psk_id_hash", b"");
    let info_hash = labeled_extract(suite, b"", b"info_hash", info);
    let context: &[&[u8]] = &[MODE_BASE, psk_id_hash.expose(), info_hash.expose()];
    let secret = labeled_extract(suite, shared.expose(), b"secret", b"");
    (
        labeled_expand(suite, &secret, b"key", context),
        labeled_expand(suite, &secret, b"base_nonce", context),
    )
}

fn labeled_extract(suite: &[u8], salt: &[u8], label: &[u8], ikm: &[u8]) -> Secret32 {
    extract(salt, &[VERSION, suite, label, ikm])
}

fn labeled_expand<const N: usize>(
    suite: &[u8],
    prk: &Secret32,
    label: &[u8],
    info: &[&[u8]],
) -> SecretArray<N> {
    let length = u16::try_from(N).expect("outputs are short").to_be_bytes();
    let mut parts: Vec<&[u8]> = vec![&length, VERSION, suite, label];
    parts.extend_from_slice(info);
    SecretArray::filled(|out| hazmat::expand(prk.expose(), &parts, out))
}

#[cfg(test)]
mod tests;
