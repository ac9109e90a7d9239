//! Keys of the log column: {group, kind, index}, big-endian, so that one group's entries are a range.
//!
//! * `[1] Vote`: the group's vote
//! * `[2] Purged`: the last entry that was purged
//! * `[3] Entry`: index
//!
//! Kinds are never reused.

use types::GroupId;

const VOTE: u8 = 1;
const PURGED: u8 = 2;
const ENTRY: u8 = 3;

/// Where the group's vote stands.
pub(crate) fn vote(group: GroupId) -> Vec<u8> {
    prefix(group, VOTE)
}

/// Where the group's purged position stands.
pub(crate) fn purged(group: GroupId) -> Vec<u8> {
    prefix(group, PURGED)
}

/// Where the entry with this index stands.
pub(crate) fn entry(group: GroupId, index: u64) -> Vec<u8> {
    let mut key = prefix(group, ENTRY);
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// The first key behind the group's entries.
pub(crate) fn entries_end(group: GroupId) -> Vec<u8> {
    prefix(group, ENTRY + 1)
}

/// The index in an entry's key.
pub(crate) fn index(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(5..13)?.try_into().ok()?))
        .filter(|_| key.len() == 13 && key[4] == ENTRY)
}

fn prefix(group: GroupId, kind: u8) -> Vec<u8> {
    let mut key = Vec::with_capacity(13);
    key.extend_from_slice(&group.0.to_be_bytes());
    key.push(kind);
    key
}
