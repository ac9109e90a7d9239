//! The primitives by aws-lc-rs.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
};
use aws_lc_rs::{agreement, digest, hkdf, rand as lc_rand, signature};
use rand::CryptoRng;
use types::Secret;

use super::{NONCE_LEN, POINT_LEN, SIGNATURE_LEN, TAG_LEN, is_uncompressed};
use crate::secret::{Secret32, SecretArray};

/// SHA-256 (FIPS 180-4) of the parts in a row.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// HMAC-SHA-256 (RFC 2104) of the parts in a row; also HKDF-Extract (RFC 5869) with `key` as salt.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Secret32 {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    let mut context = aws_lc_rs::hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    SecretArray::filled(|out| out.copy_from_slice(context.sign().as_ref()))
}

/// HKDF-Expand (RFC 5869) with SHA-256; the parts of `info` in a row.
///
/// Panics if more than 255 hashes of output are asked for, which no caller does.
pub(crate) fn expand(prk: &[u8; 32], info: &[&[u8]], out: &mut [u8]) {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, prk)
        .expand(info, Length(out.len()))
        .and_then(|okm| okm.fill(out))
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
    let tag = gcm(key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), text)
        .expect("the text is shorter than 64 GiB");
    let mut out = [0; TAG_LEN];
    out.copy_from_slice(tag.as_ref());
    out
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
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = gcm(key).open_in_place_separate_tag(nonce, Aad::from(aad), tag, &mut text).is_ok();
    let text = Secret::new(text);
    opened.then_some(text)
}

fn gcm(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key is 32 bytes long"))
}

/// Whether these bytes are a point of P-256 in uncompressed form (SP 800-56A, 5.6.2.3.3).
pub(crate) fn on_curve(point: &[u8; POINT_LEN]) -> bool {
    let key = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, point);
    is_uncompressed(point) && agreement::ParsedPublicKey::try_from(key).is_ok()
}

/// ECDSA with P-256 and SHA-256 (FIPS 186-5), signature `r ‖ s`; either form of `s` is accepted.
pub(crate) fn verify(
    public: &[u8; POINT_LEN],
    message: &[u8],
    signature: &[u8; SIGNATURE_LEN],
) -> bool {
    let key = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
    is_uncompressed(public) && key.verify(message, signature).is_ok()
}

/// The scalar of a P-256 key in PKCS #8 (RFC 5208, RFC 5915), DER; the public key, where it stands there
/// too, must be its own.
pub(crate) fn scalar_of_pkcs8(der: &[u8]) -> Option<Secret32> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?;
    let scalar: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
    Secret32::from_slice(scalar.as_ref())
}

/// A private key for ECDSA; the library wipes it when it frees it.
pub(crate) struct SigningKey(EcdsaKeyPair);

impl SigningKey {
    /// `None` unless 0 < scalar < order.
    pub(crate) fn from_scalar(scalar: &[u8; 32]) -> Option<Self> {
        let public = AgreementKey::from_scalar(scalar)?.public();
        EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            scalar,
            &public,
        )
        .ok()
        .map(Self)
    }

    pub(crate) fn public(&self) -> [u8; POINT_LEN] {
        let mut out = [0; POINT_LEN];
        out.copy_from_slice(self.0.public_key().as_ref());
        out
    }

    /// ECDSA with P-256 and SHA-256, either form of `s`. The library draws the nonce from its own
    /// generator; there is no way to hand it one.
    pub(crate) fn sign(
        &self,
        _rng: &mut dyn CryptoRng,
        message: &[u8],
    ) -> Option<[u8; SIGNATURE_LEN]> {
        let signature = self.0.sign(&lc_rand::SystemRandom::new(), message).ok()?;
        signature.as_ref().try_into().ok()
    }
}

/// A private key for ECDH; the library wipes it when it frees it.
pub(crate) struct AgreementKey(agreement::PrivateKey);

impl AgreementKey {
    /// `None` unless 0 < scalar < order.
    pub(crate) fn from_scalar(scalar: &[u8; 32]) -> Option<Self> {
        agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, scalar).ok().map(Self)
    }

    pub(crate) fn public(&self) -> [u8; POINT_LEN] {
        let public = self.0.compute_public_key().expect("a valid private key has a public key");
        let mut out = [0; POINT_LEN];
        out.copy_from_slice(public.as_ref());
        out
    }

    /// ECDH with P-256 (SP 800-56A): the x coordinate. `None` if `peer` is not a point.
    pub(crate) fn agree(&self, peer: &[u8; POINT_LEN]) -> Option<Secret32> {
        if !is_uncompressed(peer) {
            return None;
        }
        let peer = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, peer);
        agreement::agree(&self.0, peer, (), |x| {
            (x.len() == 32).then(|| SecretArray::filled(|out| out.copy_from_slice(x))).ok_or(())
        })
        .ok()
    }
}
