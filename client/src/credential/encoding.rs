//! Base64 that says which character is wrong.

use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use base64::{DecodeError, Engine};

use super::error::{CredentialError, Part, Problem};

/// Decodes base64url without padding (RFC 7515, 2); `at` is where `text` stands in the file.
pub(super) fn base64url(part: &Part, at: usize, text: &[u8]) -> Result<Vec<u8>, CredentialError> {
    if text.is_empty() {
        return Err(CredentialError::new(part.clone(), at, Problem::Empty));
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|error| refused(part, at, text.len(), "base64url", &error))
}

/// Decodes base64 with padding, as in the `x5c` header; `at` is where its container stands.
pub(super) fn base64_standard(
    part: &Part,
    at: usize,
    text: &[u8],
) -> Result<Vec<u8>, CredentialError> {
    STANDARD.decode(text).map_err(|error| refused(part, at, text.len(), "base64", &error))
}

/// Encodes as base64url without padding.
pub(super) fn to_base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn refused(
    part: &Part,
    at: usize,
    len: usize,
    alphabet: &'static str,
    error: &DecodeError,
) -> CredentialError {
    let (offset, problem) = match *error {
        DecodeError::InvalidByte(offset, found) => (offset, Problem::NotBase64 { alphabet, found }),
        // Its unused bits are not zero: a character was changed or the end is missing.
        DecodeError::InvalidLastSymbol(offset, _) => (offset, Problem::Base64Length(alphabet)),
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
            (len, Problem::Base64Length(alphabet))
        }
    };
    CredentialError::new(part.clone(), at + offset, problem)
}
