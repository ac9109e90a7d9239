//! Telling a damaged SD-JWT VC from a file of another kind.
//!
//! Its marks are the beginning of a JWT, `~` behind it, the type in its header, and an alphabet that
//! hardly anything else keeps to. One change, or a cut, leaves enough of them.

use super::TYPES;
use crate::credential::encoding::base64url;
use crate::credential::error::Part;
use crate::credential::json;

/// `{"alg":`, `{"typ":`, `{"x5c":` and `{"kid":` in base64url: how a JOSE header begins.
const HEADER_STARTS: [&[u8]; 4] = [b"eyJhbGciO", b"eyJ0eXAiO", b"eyJ4NWMiO", b"eyJraWQiO"];

/// Of 100 characters, how many must be of the alphabet.
const PERCENT_OF_ALPHABET: usize = 98;

/// Shorter than any signed token, so that a word with a dot and a tilde is not taken for one.
const SHORTEST: usize = 128;

pub(super) fn is_near(file: &[u8]) -> bool {
    let token = file.trim_ascii();
    let jwt = token.split(|byte| *byte == b'~').next().unwrap_or_default();
    let header = jwt.split(|byte| *byte == b'.').next().unwrap_or_default();
    let starts = HEADER_STARTS.iter().any(|start| token.starts_with(start));
    let dots = jwt.iter().filter(|byte| **byte == b'.').count();
    let tildes = jwt.len() < token.len();
    if has_type(header) {
        return true;
    }
    match (starts, dots, tildes) {
        // Cut inside the header.
        (true, 0, false) => true,
        (true, _, true) => true,
        // The beginning is damaged, or the header names its members in another order.
        (false, 1.., true) => mostly_alphabet(token),
        // A plain JWT, or something else.
        _ => false,
    }
}

fn has_type(header: &[u8]) -> bool {
    let Ok(header) = base64url(&Part::JwtHeader, 0, header) else { return false };
    let Ok(header) = json::object(&Part::JwtHeader, 0, &header) else { return false };
    header.get("typ").and_then(|name| name.as_str()).is_some_and(|name| TYPES.contains(&name))
}

fn mostly_alphabet(token: &[u8]) -> bool {
    if token.len() < SHORTEST {
        return false;
    }
    let fits = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    token.iter().filter(fits).count() * 100 >= token.len() * PERCENT_OF_ALPHABET
}
