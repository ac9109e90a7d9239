//! Messages that carry a commit, looked at before they are decoded: of how many parts they are.
//!
//! A part of two bytes takes more than thirty in memory once it is decoded. What a request may have is
//! bounded in bytes while it comes; here it is bounded in parts, so that no few bytes become many.

use axum::body::Body;
use axum::extract::Request;
use http_body_util::{BodyExt, Limited};
use tonic::Status;
use types::limits;

use crate::grpc::MESSAGE_MAX;
use crate::shed::body::refusal_in;
use crate::vault::VaultError;

/// In front of a message: a flag for compression, and its length (gRPC over HTTP/2).
const PREFIX: usize = 5;
/// Parts of the largest commit: the heads between, and for every link and record less than eight.
pub(crate) const PARTS_MAX: usize =
    limits::BETWEEN_MAX + 8 * (limits::PUSH_LINKS_MAX + limits::PUSH_RECORDS_MAX);
/// In a request with a commit: the commit. In a commit: its links.
const COMMIT: u64 = 1;
const LINKS: u64 = 3;

/// A request of which the whole message has come and has no more parts than a commit can have.
///
/// # Errors
/// The refusal, if it has more, is too large, or broke off.
pub(super) async fn of_commit(request: Request) -> Result<Request, Status> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, PREFIX + MESSAGE_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let problem = format!("a message has at most {MESSAGE_MAX} bytes");
            return Err(VaultError::TooLarge(problem).into());
        }
        Err(error) => {
            let broke_off = || VaultError::Malformed(format!("the body broke off: {error}")).into();
            return Err(refusal_in(error.as_ref()).unwrap_or_else(broke_off));
        }
    };
    if count(body.get(PREFIX..).unwrap_or_default(), &[COMMIT, LINKS]) > PARTS_MAX {
        return Err(VaultError::TooLarge(format!("a commit has at most {PARTS_MAX} parts")).into());
    }
    Ok(Request::from_parts(head, Body::from(body)))
}

/// How many fields a protobuf message has, and the messages in it that stand along this path. What is no
/// message ends the count: whoever decodes it will say so.
fn count(mut message: &[u8], path: &[u64]) -> usize {
    let mut fields = 0;
    while let Some((key, rest)) = varint(message) {
        fields += 1;
        message = match key & 7 {
            0 => varint(rest).map(|(_, rest)| rest),
            1 => rest.get(8..),
            2 => varint(rest).and_then(|(length, rest)| {
                let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                if let Some((next, path)) = path.split_first()
                    && key >> 3 == *next
                {
                    fields += count(content, path);
                }
                Some(rest)
            }),
            5 => rest.get(4..),
            _ => None,
        }
        .unwrap_or_default();
    }
    fields
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use prost::Message;
    use proto::v1::{Commit, PushRequest, SignedHead, SignedLink};

    use super::*;

    fn request(between: usize, links: usize, signatures: usize, removed: usize) -> Vec<u8> {
        let link =
            SignedLink { link: vec![1].into(), signatures: vec![vec![2].into(); signatures] };
        let commit = Commit {
            head: Some(SignedHead::default()),
            between: vec![vec![0; 32].into(); between],
            links: vec![link; links],
            envelopes: vec![],
            removed: vec![vec![].into(); removed],
        };
        PushRequest { commit: Some(commit) }.encode_to_vec()
    }

    #[test]
    fn the_parts_of_a_commit_are_counted() {
        let parts = |message: &[u8]| count(message, &[COMMIT, LINKS]);
        assert_eq!(parts(&[]), 0);
        assert_eq!(parts(&request(0, 0, 0, 0)), 2, "the commit and its head");
        assert_eq!(parts(&request(5, 3, 2, 7)), 2 + 5 + 3 * (1 + 1 + 2) + 7);
        assert!(parts(&request(limits::BETWEEN_MAX, 1_024, 2, 1_024)) <= PARTS_MAX);
        assert!(parts(&request(0, 0, 0, 1_000_000)) > PARTS_MAX, "a bomb");
        assert!(parts(&request(0, 10, 100_000, 0)) > PARTS_MAX, "one of signatures");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_counted_in_bounds(bytes: Vec<u8>) {
            prop_assert!(count(&bytes, &[COMMIT, LINKS]) <= 3 * bytes.len());
        }
    }
}
