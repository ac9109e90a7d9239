//! The primitives by RustCrypto, for targets that aws-lc-rs cannot reach.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use p256::ecdsa::signature::{RandomizedSigner, Verifier};
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::DecodePrivateKey;
use p256::{PublicKey, SecretKey};
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use types::Secret;

use super::{NONCE_LEN, POINT_LEN, SIGNATURE_LEN, TAG_LEN, is_uncompressed};
use crate::secret::{Secret32, SecretArray};

/// SHA-256 (FIPS 180-4) of the parts in a row.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// HMAC-SHA-256 (RFC 2104) of the parts in a row; also HKDF-Extract (RFC 5869) with `key` as salt.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Secret32 {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes any key length");
    for part in parts {
        mac.update(part);
    }
    SecretArray::filled(|out| out.copy_from_slice(&mac.finalize().into_bytes()))
}

/// HKDF-Expand (RFC 5869) with SHA-256; the parts of `info` in a row.
///
/// Panics if more than 255 hashes of output are asked for, which no caller does.
pub(crate) fn expand(prk: &[u8; 32], info: &[&[u8]], out: &mut [u8]) {
    Hkdf::<Sha256>::from_prk(prk)
        .expect("the key is as long as the hash")
        .expand_multi_info(info, out)
        .expect("the output is at most 255 hashes long");
}

/// AES-256-GCM (NIST SP 800-38D): encrypts `text` in place; gives the tag.
///
/// The nonce must never have been used with this key. Panics above 64 GiB, which nothing reaches.
pub(crate) fn seal_gcm(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    text: &mut [u8],
) -> [u8; TAG_LEN] {
    Aes256Gcm::new(key.into())
        .encrypt_inout_detached(nonce.into(), aad, text.into())
        .expect("the text is shorter than 64 GiB")
        .into()
}

/// AES-256-GCM (NIST SP 800-38D): checks the tag at the end of `sealed` and decrypts.
pub(crate) fn open_gcm(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Secret> {
    let (text, tag) = sealed.split_last_chunk::<TAG_LEN>()?;
    let mut text = text.to_vec();
    let opened = Aes256Gcm::new(key.into())
        .decrypt_inout_detached(nonce.into(), aad, text.as_mut_slice().into(), tag.into())
        .is_ok();
    let text = Secret::new(text);
    opened.then_some(text)
}

/// Whether these bytes are a point of P-256 in uncompressed form (SP 800-56A, 5.6.2.3.3).
pub(crate) fn on_curve(point: &[u8; POINT_LEN]) -> bool {
    parse_point(point).is_some()
}

fn parse_point(point: &[u8; POINT_LEN]) -> Option<PublicKey> {
    if !is_uncompressed(point) {
        return None;
    }
    PublicKey::from_sec1_bytes(point).ok()
}

/// ECDSA with P-256 and SHA-256 (FIPS 186-5), signature `r ‖ s`; either form of `s` is accepted.
pub(crate) fn verify(
    public: &[u8; POINT_LEN],
    message: &[u8],
    signature: &[u8; SIGNATURE_LEN],
) -> bool {
    let (Some(key), Ok(signature)) = (parse_point(public), Signature::from_slice(signature)) else {
        return false;
    };
    VerifyingKey::from(key).verify(message, &signature).is_ok()
}

/// The scalar of a P-256 key in PKCS #8 (RFC 5208, RFC 5915), DER; the public key, where it stands there
/// too, must be its own.
pub(crate) fn scalar_of_pkcs8(der: &[u8]) -> Option<Secret32> {
    let key = SecretKey::from_pkcs8_der(der).ok()?;
    Some(Secret32::filled(|out| out.copy_from_slice(&key.to_bytes())))
}

/// A private key for ECDSA, wiped on drop.
pub(crate) struct SigningKey(p256::ecdsa::SigningKey);

impl SigningKey {
    /// `None` unless 0 < scalar < order.
    pub(crate) fn from_scalar(scalar: &[u8; 32]) -> Option<Self> {
        p256::ecdsa::SigningKey::from_slice(scalar).ok().map(Self)
    }

    pub(crate) fn public(&self) -> [u8; POINT_LEN] {
        point_bytes(&PublicKey::from(self.0.verifying_key()))
    }

    /// ECDSA with P-256 and SHA-256, either form of `s`; nonce by RFC 6979 with added entropy from
    /// `rng`, so that neither a repeating generator nor a fault on a repeated message reveals the key.
    pub(crate) fn sign(
        &self,
        rng: &mut dyn CryptoRng,
        message: &[u8],
    ) -> Option<[u8; SIGNATURE_LEN]> {
        let signature: Signature = self.0.try_sign_with_rng(rng, message).ok()?;
        Some(signature.to_bytes().into())
    }
}

/// A private key for ECDH, wiped on drop.
pub(crate) struct AgreementKey(SecretKey);

impl AgreementKey {
    /// `None` unless 0 < scalar < order.
    pub(crate) fn from_scalar(scalar: &[u8; 32]) -> Option<Self> {
        SecretKey::from_slice(scalar).ok().map(Self)
    }

    pub(crate) fn public(&self) -> [u8; POINT_LEN] {
        point_bytes(&self.0.public_key())
    }

    /// ECDH with P-256 (SP 800-56A): the x coordinate. `None` if `peer` is not a point.
    pub(crate) fn agree(&self, peer: &[u8; POINT_LEN]) -> Option<Secret32> {
        let shared = self.0.diffie_hellman(&parse_point(peer)?);
        Some(SecretArray::filled(|out| out.copy_from_slice(shared.raw_secret_bytes())))
    }
}

fn point_bytes(public: &PublicKey) -> [u8; POINT_LEN] {
    let mut out = [0; POINT_LEN];
    out.copy_from_slice(public.to_sec1_point(false).as_bytes());
    out
}
