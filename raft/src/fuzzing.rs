//! What the parsers of this crate are held to, for libFuzzer. Only in builds with `--cfg fuzzing`.
//!
//! No input makes one of them panic, and what was read is written again as the bytes that were read.
//! Checksums are set right first: what is behind them has to stand without them.

use bytes::Bytes;

use crate::log::{entry, marks};
use crate::peer::convert;
use crate::recovery::Mandate;
use crate::roster::Roster;
use crate::{identity, membership};

/// A parser, as the bytes that what it read is written in.
type Parser = fn(Bytes) -> Option<Bytes>;

macro_rules! parsers {
    ($($decode:path => $encode:path),* $(,)?) => {
        &[$(|bytes| $decode(bytes).ok().map(|value| $encode(&value))),*]
    };
}

const SAID: &[Parser] = parsers![
    convert::decode_vote_request => convert::encode_vote_request,
    convert::decode_vote_response => convert::encode_vote_response,
    convert::decode_append => convert::encode_append,
    convert::decode_append_response => convert::encode_append_response,
    convert::decode_session_response => convert::encode_session_response,
    convert::decode_transfer => convert::encode_transfer,
    convert::decode_read_index => convert::encode_read_index,
    convert::decode_hand_over => convert::encode_hand_over,
    convert::decode_snapshot_start => convert::encode_snapshot_start,
    convert::decode_snapshot_response => convert::encode_snapshot_response,
    convert::decode_view => convert::encode_view,
];

const STORED: &[Parser] = &[
    |bytes| entry::decode_entry(7, bytes).ok().map(|entry| entry::encode_entry(&entry).into()),
    |bytes| entry::decode_vote(bytes).ok().map(|vote| entry::encode_vote(&vote).into()),
    |bytes| entry::decode_position(bytes).ok().map(|id| entry::encode_position(&id).into()),
    |bytes| entry::decode_membership(bytes).ok().map(|found| entry::encode_membership(&found)),
    |bytes| Roster::decode(bytes).ok().map(|roster| roster.encode()),
    |bytes| {
        let mut sealed = bytes.to_vec();
        sealed.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        let mut again = Mandate::decode(sealed.into()).ok()?.encode();
        again.truncate(again.len() - 4);
        Some(again.into())
    },
    |bytes| {
        membership::bootstrap::decode(bytes).ok().map(|draft| membership::bootstrap::encode(&draft))
    },
];

/// What peers say to each other: a byte to choose the message, then the message.
pub fn said(data: &[u8]) {
    one_form(SAID, data);
    // A number in the state's own answer may come in two forms; what is written of it has one.
    let written =
        |bytes| convert::decode_outcome(bytes).ok().map(|it| convert::encode_outcome(&it));
    if let Some(once) = data.get(1..).and_then(|rest| written(Bytes::copy_from_slice(rest))) {
        assert_eq!(written(once.clone()), Some(once), "an outcome comes back");
    }
}

/// What stands in the log and in the files beside it.
pub fn stored(data: &[u8]) {
    one_form(STORED, data);
    let checked = |length: usize| {
        let mut bytes = data.to_vec();
        bytes.resize(length, 0);
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes
    };
    for bytes in [data.to_vec(), checked(marks::SLOT - 4)] {
        if let Some((group, mark)) = marks::decode(&bytes) {
            let again = marks::decode(&marks::encode(group, &mark));
            assert_eq!(again, Some((group, mark)), "a mark comes back");
        }
    }
    for bytes in [data.to_vec(), checked(identity::LENGTH - 4)] {
        if let Some(found) = identity::decode(&bytes) {
            assert_eq!(identity::decode(&identity::encode(&found)), Some(found), "it comes back");
        }
    }
}

fn one_form(parsers: &[Parser], data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let bytes = Bytes::copy_from_slice(bytes);
    let again = parsers[usize::from(*choice) % parsers.len()](bytes.clone());
    assert!(again.is_none_or(|again| again == bytes), "it has one form");
}
