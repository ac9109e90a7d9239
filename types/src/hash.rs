//! The one hash of the format: SHA-256 under a tag, so that no two kinds of object ever share an input.

use sha2::{Digest, Sha256};

/// `H(t, x) = SHA-256(t ‖ 00 ‖ x)`, where `x` is the concatenation of `parts`.
///
/// Every tag begins with `holdfast/1 ` and holds no zero byte, so the zero that ends it is unambiguous.
pub fn tagged(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    debug_assert!(tag.starts_with("holdfast/1 ") && !tag.contains('\0'), "a tag of another format");
    let mut hash = Sha256::new();
    hash.update(tag.as_bytes());
    hash.update([0]);
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// The first 16 bytes of a tagged hash: how the ids of members, outer envelopes and surviving edits are made.
pub fn tagged_16(tag: &str, parts: &[&[u8]]) -> [u8; 16] {
    first_16(tagged(tag, parts))
}

fn first_16(hash: [u8; 32]) -> [u8; 16] {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(hash) {
        *to = from;
    }
    out
}

/// The bytes that are signed: `t ‖ 00 ‖ x`. ES256 hashes them with SHA-256 itself.
pub fn signed_message(tag: &str, object: &[u8]) -> Vec<u8> {
    debug_assert!(tag.starts_with("holdfast/1 ") && !tag.contains('\0'), "a tag of another format");
    let mut message = Vec::with_capacity(tag.len() + 1 + object.len());
    message.extend_from_slice(tag.as_bytes());
    message.push(0);
    message.extend_from_slice(object);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tagged_hash_is_the_hash_of_the_signed_message() {
        let expected: [u8; 32] = Sha256::digest(b"holdfast/1 link\0abc").into();
        assert_eq!(tagged("holdfast/1 link", &[b"ab", b"c"]), expected);
        assert_eq!(signed_message("holdfast/1 link", b"abc"), b"holdfast/1 link\0abc");
        assert_eq!(tagged_16("holdfast/1 link", &[b"abc"]), expected[..16]);
    }
}
