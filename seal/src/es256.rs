//! ES256: ECDSA with P-256 and SHA-256, signatures as `r ‖ s`.
//!
//! For a valid `(r, s)`, `(r, n − s)` is valid too. Our own signatures stand beside objects that are
//! compared byte for byte, so the signer takes the lower `s` and [`verify_own`] refuses the higher.
//! Signatures made by others (SD-JWT, mdoc, JWT) come in either form: [`verify_foreign`].

use rand::CryptoRng;
use types::PublicKey;

use crate::error::SealError;
use crate::hazmat::{self, SIGNATURE_LEN};
use crate::secret::Secret32;

/// The order `n` of the P-256 group (SP 800-186, 3.2.1.3).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// `(n − 1) / 2`, the largest `s` that counts as low.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

/// A signature, `r ‖ s`.
pub type Signature = [u8; SIGNATURE_LEN];

/// Verifies a signature of our own making: `s` must be low.
///
/// # Errors
/// [`SealError::BadSignature`], whatever the reason.
pub fn verify_own(
    public: &PublicKey,
    message: &[u8],
    signature: &Signature,
) -> Result<(), SealError> {
    if !is_low(signature) {
        return Err(SealError::BadSignature);
    }
    verify_foreign(public, message, signature)
}

/// Verifies a signature made by somebody else's software: either form of `s` is accepted.
///
/// # Errors
/// [`SealError::BadSignature`], whatever the reason.
pub fn verify_foreign(
    public: &PublicKey,
    message: &[u8],
    signature: &Signature,
) -> Result<(), SealError> {
    if hazmat::verify(public.as_bytes(), message, signature) {
        Ok(())
    } else {
        Err(SealError::BadSignature)
    }
}

/// A P-256 signing key held in memory, wiped on drop.
pub struct SoftwareKey {
    scalar: Secret32,
    key: hazmat::SigningKey,
    public: PublicKey,
}

impl SoftwareKey {
    /// A fresh key from `rng`.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        loop {
            // One in 2^32 draws is not below the order of the group.
            if let Some(key) = Self::from_scalar(Secret32::random(rng)) {
                return key;
            }
        }
    }

    /// The key with this private scalar, big-endian.
    ///
    /// # Errors
    /// [`SealError::BadKey`] unless 0 < scalar < order.
    pub fn from_bytes(scalar: Secret32) -> Result<Self, SealError> {
        Self::from_scalar(scalar).ok_or(SealError::BadKey("the private key"))
    }

    /// The key in PKCS #8 (RFC 5208), DER, as key files of certificates hold it.
    ///
    /// # Errors
    /// [`SealError::BadKey`] unless it is a P-256 key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SealError> {
        let scalar = hazmat::scalar_of_pkcs8(der);
        scalar.and_then(Self::from_scalar).ok_or(SealError::BadKey("the private key"))
    }

    fn from_scalar(scalar: Secret32) -> Option<Self> {
        let key = hazmat::SigningKey::from_scalar(scalar.expose())?;
        let public = PublicKey::parse(&key.public()).ok()?;
        Some(Self { scalar, key, public })
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs; `s` is low. `rng` hedges the nonce where the back end takes randomness from outside
    /// (aws-lc-rs uses its own generator).
    ///
    /// # Errors
    /// [`SealError::KeyUnavailable`] if the back end reports an internal failure.
    pub fn sign(&self, rng: &mut dyn CryptoRng, message: &[u8]) -> Result<Signature, SealError> {
        let signature = self
            .key
            .sign(rng, message)
            .ok_or_else(|| SealError::KeyUnavailable("ES256 failed inside the library".into()))?;
        Ok(lowered(signature))
    }

    /// The private scalar, for whoever seals it to disk.
    pub(crate) fn scalar(&self) -> &Secret32 {
        &self.scalar
    }
}

/// Whether `s` is at most `(n − 1) / 2`. Big-endian numbers of one length compare as bytes do.
fn is_low(signature: &Signature) -> bool {
    signature[32..] <= HALF_ORDER[..]
}

/// The same signature with the lower of `s` and `n − s`.
fn lowered(signature: Signature) -> Signature {
    if is_low(&signature) { signature } else { other_form(signature) }
}

/// The same signature with `n − s` for `s`.
pub(crate) fn other_form(mut signature: Signature) -> Signature {
    let mut borrow = 0;
    for (digit, order) in signature[32..].iter_mut().zip(ORDER).rev() {
        let difference = i16::from(order) - i16::from(*digit) - borrow;
        borrow = i16::from(difference < 0);
        // The low byte of the difference is the digit; the borrow carries the rest.
        *digit = difference.rem_euclid(256) as u8;
    }
    signature
}

#[cfg(test)]
mod tests;
