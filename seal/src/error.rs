//! Why sealing, opening, signing or verifying did not happen.

use types::FormatError;

/// Why an operation on keys, ciphertexts or signatures was refused.
///
/// Whatever depends on a secret is one case, [`SealError::DoesNotOpen`]: a wrong key, a wrong
/// place and an altered byte must look the same to whoever sent the bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key, the context or the bytes are not those it was sealed with.
    #[error("does not open: wrong key or passphrase, wrong place, or altered bytes")]
    DoesNotOpen,
    /// The bytes are not laid out as the format says; decided without any secret.
    #[error("read sealed or signed bytes")]
    Format(#[from] FormatError),
    /// The signature was not made by this key over this message, or has the refused high `s`.
    #[error("the signature does not verify")]
    BadSignature,
    /// A public key is not a point of P-256, or a private key is out of range.
    #[error("{0} is not a valid P-256 key")]
    BadKey(&'static str),
    /// The content is longer than the largest padded size.
    #[error("{found} bytes are too many to seal: at most {max}")]
    TooLong {
        /// Bytes given.
        found: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A key that lives elsewhere (hardware, another process) could not be used.
    #[error("use the key: {0}")]
    KeyUnavailable(String),
}
