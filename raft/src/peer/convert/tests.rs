#![allow(clippy::unwrap_used)]

use std::fmt::Debug;

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError,
    StreamAppendResult, TransferLeaderRequest, VoteRequest, VoteResponse,
};
use proptest::prelude::*;
use types::NodeId;

use super::*;
use crate::types::{CommandBytes, Entry, Membership};

fn id(term: u64, node: u64, index: u64) -> LogId {
    LogId::new(leader_id(term, node), index)
}

fn vote(term: u64, committed: bool) -> Vote {
    Vote { leader_id: leader_id(term, 3), committed }
}

/// Encodes, decodes, and cuts: what is whole comes back the same, what is cut is refused.
fn there_and_back<T: PartialEq + Debug>(
    value: T,
    encode: impl Fn(&T) -> Bytes,
    decode: impl Fn(Bytes) -> Decoded<T>,
) {
    let bytes = encode(&value);
    assert_eq!(decode(bytes.clone()).unwrap(), value);
    for length in 0..bytes.len() {
        assert!(decode(bytes.slice(..length)).is_err(), "{value:?} cut to {length} bytes");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(decode(longer.into()).is_err(), "{value:?} with a byte too many");
    let mut newer = bytes.to_vec();
    newer[0] = 2;
    assert!(decode(newer.into()).unwrap_err().problem.contains("newer version"));
}

#[test]
fn what_upkeep_says_comes_back() {
    for low in [false, true] {
        let said = Said { low, slow: !low, sync_us: 77 };
        there_and_back(said, encode_health, decode_health);
    }
    let mut kept = Checkpoints::default();
    there_and_back(kept.clone(), encode_checkpoints, decode_checkpoints);
    for index in [1, 2] {
        let at = Position { term: 1, leader: 2, index };
        kept.keep(at, StateDigest::from_bytes([index as u8; 32]));
        there_and_back(kept.clone(), encode_checkpoints, decode_checkpoints);
    }
}

#[test]
fn every_message_comes_back() {
    for last_log_id in [None, Some(id(2, 3, 9))] {
        for leadership_transfer in [false, true] {
            let request = VoteRequest { vote: vote(3, false), last_log_id, leadership_transfer };
            there_and_back(request, encode_vote_request, decode_vote_request);
        }
        let response = VoteResponse { vote: vote(4, true), vote_granted: true, last_log_id };
        there_and_back(response, encode_vote_response, decode_vote_response);
        let request = TransferLeaderRequest::new(vote(2, true), 7, last_log_id);
        there_and_back(request, encode_transfer, decode_transfer);
        let partial = AppendEntriesResponse::PartialSuccess(last_log_id);
        there_and_back(partial, encode_append_response, decode_append_response);
        let ok: StreamAppendResult<TypeConfig> = Ok(last_log_id);
        there_and_back(ok, encode_session_response, decode_session_response);
    }
    for response in [
        AppendEntriesResponse::Success,
        AppendEntriesResponse::Conflict,
        AppendEntriesResponse::HigherVote(vote(9, true)),
    ] {
        there_and_back(response, encode_append_response, decode_append_response);
    }
    let conflict: StreamAppendResult<TypeConfig> = Err(StreamAppendError::Conflict(id(1, 2, 3)));
    there_and_back(conflict, encode_session_response, decode_session_response);
    let higher: StreamAppendResult<TypeConfig> = Err(StreamAppendError::HigherVote(vote(5, false)));
    there_and_back(higher, encode_session_response, decode_session_response);
    there_and_back(id(1, 2, 3), encode_read_index, decode_read_index);
    there_and_back(9, encode_hand_over, decode_hand_over);
    there_and_back(
        SnapshotResponse::new(vote(5, true)),
        encode_snapshot_response,
        decode_snapshot_response,
    );
    let view = GroupView {
        term: 3,
        last: Some(9),
        committed: None,
        applied: Some(0),
        lag: [(NodeId(2), 7)].into(),
    };
    there_and_back(view, encode_view, decode_view);
}

#[test]
fn outcomes_come_back() {
    let outcomes = [
        Ok(Reply::Nothing),
        Err(Failure::NotLeader(None)),
        Err(Failure::NotLeader(Some(NodeId(4)))),
        Err(Failure::Unknown),
        Err(Failure::Overloaded),
        Err(Failure::TooLarge(77)),
        Err(Failure::Stopped),
    ];
    for outcome in outcomes {
        there_and_back(outcome, encode_outcome, decode_outcome);
    }
}

#[test]
fn a_snapshot_names_its_membership() {
    let sets = vec![[1, 2, 3].into(), [2, 3, 4].into()];
    let membership = Membership::new_with_defaults(sets, [9]);
    let meta = SnapshotMeta {
        last_log_id: Some(id(4, 1, 20)),
        last_membership: StoredMembership::new(Some(id(3, 1, 11)), membership),
    };
    there_and_back((vote(4, true), meta), encode_snapshot_start, decode_snapshot_start);
}

fn append(entries: Vec<Entry>) -> AppendEntriesRequest<TypeConfig> {
    AppendEntriesRequest {
        vote: vote(4, true),
        prev_log_id: Some(id(3, 1, 10)),
        leader_commit: Some(id(3, 1, 8)),
        entries,
    }
}

/// Requests have no equality of their own; their text names every field but the commands' bytes.
fn same(a: &AppendEntriesRequest<TypeConfig>, b: &AppendEntriesRequest<TypeConfig>) {
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
    assert!(a.entries == b.entries);
}

proptest! {
    /// Entries of any kind and length come back as they were, and a message that is cut anywhere, or
    /// has any one byte changed, never makes the reader panic.
    #[test]
    fn appends_come_back(kinds in prop::collection::vec(prop_oneof![
        Just(None),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Some),
    ], 0..6), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let entries = (11..).zip(kinds).map(|(index, kind)| Entry {
            log_id: id(4, 1, index),
            payload: match kind {
                None => EntryPayload::Membership(Membership::new_with_defaults(vec![[1, 2].into()], [])),
                Some(bytes) if bytes.is_empty() => EntryPayload::Blank,
                Some(bytes) => EntryPayload::Normal(CommandBytes::from(Bytes::from(bytes))),
            },
        });
        let request = append(entries.collect());
        let bytes = encode_append(&request);
        same(&decode_append(bytes.clone()).unwrap(), &request);
        for length in 0..bytes.len() {
            prop_assert!(decode_append(bytes.slice(..length)).is_err());
        }
        let mut changed = bytes.to_vec();
        let at = at.index(changed.len());
        changed[at] ^= flip;
        let _ = decode_append(changed.into());
    }
}

#[test]
fn entries_with_a_hole_are_refused() {
    let blank = |index| Entry { log_id: id(4, 1, index), payload: EntryPayload::Blank };
    assert!(decode_append(encode_append(&append(vec![blank(11), blank(12)]))).is_ok());
    for entries in [vec![blank(12)], vec![blank(11), blank(13)], vec![blank(11), blank(11)]] {
        assert!(decode_append(encode_append(&append(entries))).is_err());
    }
}

/// What a peer names stays with whoever believes it: each place of a number is held against its bound.
#[test]
fn numbers_that_end_everything_are_refused() {
    use crate::bounds::END;
    fn all_refuse<T: Debug>(
        what: &str,
        message: impl Fn(u64) -> Bytes,
        decode: impl Fn(Bytes) -> Decoded<T>,
    ) {
        decode(message(END - 1)).unwrap();
        for number in [END, u64::MAX] {
            let refused = decode(message(number)).unwrap_err();
            assert_eq!(refused.problem, crate::bounds::BEYOND, "{what}");
        }
    }
    let request = |vote, last_log_id| {
        encode_vote_request(&VoteRequest { vote, last_log_id, leadership_transfer: true })
    };
    let no_log = |n| request(vote(n, false), None);
    all_refuse("a candidate's term", no_log, decode_vote_request);
    let term = |n| request(vote(1, false), Some(id(n, 1, 1)));
    all_refuse("the term of a candidate's log", term, decode_vote_request);
    let index = |n| request(vote(1, false), Some(id(1, 1, n)));
    all_refuse("the index of a candidate's log", index, decode_vote_request);

    let answer = |vote, last_log_id| {
        encode_vote_response(&VoteResponse { vote, vote_granted: false, last_log_id })
    };
    all_refuse("a voter's term", |n| answer(vote(n, true), None), decode_vote_response);
    let index = |n| answer(vote(1, true), Some(id(1, 1, n)));
    all_refuse("a voter's log", index, decode_vote_response);

    let higher = |n| encode_append_response(&AppendEntriesResponse::HigherVote(vote(n, false)));
    all_refuse("a follower's term", higher, decode_append_response);
    let partial =
        |n| encode_append_response(&AppendEntriesResponse::PartialSuccess(Some(id(1, 1, n))));
    all_refuse("a follower's part", partial, decode_append_response);
    let higher = |n| encode_session_response(&Err(StreamAppendError::HigherVote(vote(n, false))));
    all_refuse("a session's term", higher, decode_session_response);
    let upto = |n| encode_session_response(&Ok(Some(id(1, 1, n))));
    all_refuse("an acknowledgement", upto, decode_session_response);
    let at = |n| encode_session_response(&Err(StreamAppendError::Conflict(id(1, 1, n))));
    all_refuse("a conflict", at, decode_session_response);

    let transfer = |n| encode_transfer(&TransferLeaderRequest::new(vote(n, true), 7, None));
    all_refuse("a transfer", transfer, decode_transfer);
    all_refuse("a read index", |n| encode_read_index(&id(1, 1, n)), decode_read_index);
    let start = |vote, last_log_id| {
        let last_membership = StoredMembership::default();
        encode_snapshot_start(&(vote, SnapshotMeta { last_log_id, last_membership }))
    };
    all_refuse("a snapshot's term", |n| start(vote(n, true), None), decode_snapshot_start);
    let index = |n| start(vote(1, true), Some(id(1, 1, n)));
    all_refuse("a snapshot's end", index, decode_snapshot_start);
    let installed = |n| encode_snapshot_response(&SnapshotResponse::new(vote(n, true)));
    all_refuse("a snapshot's answer", installed, decode_snapshot_response);

    let append = |vote, prev_log_id, leader_commit| {
        let entries = Vec::new();
        encode_append(&AppendEntriesRequest { vote, prev_log_id, entries, leader_commit })
    };
    all_refuse("a leader's term", |n| append(vote(n, true), None, None), decode_append);
    let prev = |n| append(vote(1, true), Some(id(1, 1, n)), None);
    all_refuse("what precedes entries", prev, decode_append);
    let commit = |n| append(vote(1, true), None, Some(id(1, 1, n)));
    all_refuse("a commit", commit, decode_append);
    let entry = |n: u64| {
        let entries = vec![Entry { log_id: id(1, 1, n), payload: EntryPayload::Blank }];
        let prev_log_id = Some(id(1, 1, n - 1));
        let vote = vote(1, true);
        encode_append(&AppendEntriesRequest { vote, prev_log_id, entries, leader_commit: None })
    };
    all_refuse("an entry", entry, decode_append);
}

#[test]
fn entries_of_a_later_leader_than_their_sender_are_refused() {
    let entry = |term| Entry { log_id: id(term, 1, 11), payload: EntryPayload::Blank };
    assert!(decode_append(encode_append(&append(vec![entry(4)]))).is_ok());
    let refused = decode_append(encode_append(&append(vec![entry(5)]))).unwrap_err();
    assert!(refused.problem.contains("a later leader"), "{refused}");
}
