//! Signing and verifying what an operator leaves in an archive: manifests of backups, segments of the
//! journal stream.
//!
//! `Sig("holdfast/1 archive", bytes)`; kind, content and certificates are all in the bytes.
//!
//! Not here: whose key it is. Whoever verifies has asked the cluster's authority for the certificate.

use rand::CryptoRng;
use types::PublicKey;
use types::hash::signed_message;

use crate::error::SealError;
use crate::es256::{self, Signature, SoftwareKey};

const TAG: &str = "holdfast/1 archive";

/// Signs the bytes before the signature of a file in an archive.
///
/// # Errors
/// [`SealError::KeyUnavailable`].
pub fn sign(
    rng: &mut dyn CryptoRng,
    key: &SoftwareKey,
    covered: &[u8],
) -> Result<Signature, SealError> {
    key.sign(rng, &signed_message(TAG, covered))
}

/// Verifies such a signature.
///
/// # Errors
/// [`SealError::BadSignature`].
pub fn verify(public: &PublicKey, covered: &[u8], signature: &Signature) -> Result<(), SealError> {
    es256::verify_own(public, &signed_message(TAG, covered), signature)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn only_the_bytes_that_were_signed_verify_under_the_key_that_signed_them() {
        let mut rng = StdRng::seed_from_u64(1);
        let (key, other) = (SoftwareKey::generate(&mut rng), SoftwareKey::generate(&mut rng));
        let signature = sign(&mut rng, &key, b"a manifest").unwrap();
        assert_eq!(verify(key.public(), b"a manifest", &signature), Ok(()));
        assert_eq!(verify(key.public(), b"another", &signature), Err(SealError::BadSignature));
        assert_eq!(verify(other.public(), b"a manifest", &signature), Err(SealError::BadSignature));
        let bare = key.sign(&mut rng, b"a manifest").unwrap();
        assert_eq!(verify(key.public(), b"a manifest", &bare), Err(SealError::BadSignature));
        let high = es256::other_form(signature);
        assert_eq!(verify(key.public(), b"a manifest", &high), Err(SealError::BadSignature));
    }
}
