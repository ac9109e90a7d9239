//! The bytes of every format of this crate, held against files that are never edited. A change that
//! breaks one of them needs a new version, read beside the old one.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError,
    TransferLeaderRequest, VoteRequest, VoteResponse,
};
use store::Reply;
use types::{ClusterId, GroupId, Incarnation, NodeId, NodeInfo, NodeState, Role};

use crate::identity::{Identity, Place};
use crate::log::marks::Mark;
use crate::log::{entry, keys, marks};
use crate::peer::convert;
use crate::propose::Failure;
use crate::roster::Roster;
use crate::status::GroupView;
use crate::types::{
    CommandBytes, Entry, LogId, Membership, Replica, SnapshotMeta, StoredMembership, Vote,
    leader_id,
};
use crate::{identity, membership};

fn id(index: u64) -> LogId {
    LogId::new(leader_id(5, 2), index)
}

fn vote() -> Vote {
    Vote { leader_id: leader_id(6, 3), committed: true }
}

fn joint() -> Membership {
    let nodes = [1, 2, 3, 4].map(|node| (node, Replica { dc: format!("dc-{node}") }));
    Membership::new(
        vec![[1, 2, 3].into(), [2, 3, 4].into()],
        std::collections::BTreeMap::from(nodes),
    )
    .unwrap()
}

fn entries() -> [Entry; 3] {
    let command = CommandBytes::from(Bytes::from_static(b"a command"));
    [
        Entry { log_id: id(7), payload: EntryPayload::Blank },
        Entry { log_id: id(8), payload: EntryPayload::Normal(command) },
        Entry { log_id: id(9), payload: EntryPayload::Membership(joint()) },
    ]
}

fn roster() -> Roster {
    let node = |id: u8, role, state| NodeInfo {
        id: NodeId(id.into()),
        name: format!("node-{id}"),
        dc: format!("dc-{id}"),
        role,
        peer: format!("10.0.0.{id}:7401"),
        endpoint: format!("https://10.0.0.{id}:7400"),
        incarnation: Incarnation::from_bytes([id; 16]),
        state,
    };
    Roster::new([
        node(1, Role::Data, NodeState::Active),
        node(2, Role::Witness, NodeState::Draining),
        node(3, Role::Data, NodeState::Removed),
    ])
}

/// What stands on disk, by name.
fn stored() -> Vec<(&'static str, Vec<u8>)> {
    let [blank, command, membership] = entries();
    let identity = |place| Identity { incarnation: Incarnation::from_bytes([9; 16]), place };
    let place =
        Place { cluster: ClusterId::from_bytes([8; 16]), node: NodeId(3), wallet_groups: 16 };
    vec![
        ("key_of_a_vote", keys::vote(GroupId(2))),
        ("key_of_the_purged_position", keys::purged(GroupId(2))),
        ("key_of_an_entry", keys::entry(GroupId(2), 7)),
        ("blank_entry", entry::encode_entry(&blank)),
        ("command_entry", entry::encode_entry(&command)),
        ("membership_entry", entry::encode_entry(&membership)),
        ("vote", entry::encode_vote(&vote())),
        ("purged_position", entry::encode_position(&id(7))),
        ("mark_of_nothing", marks::encode(GroupId(2), &Mark::default()).to_vec()),
        (
            "mark",
            marks::encode(GroupId(2), &Mark { vote: Some(vote()), last: Some(id(7)) }).to_vec(),
        ),
        ("identity_of_a_fresh_node", identity::encode(&identity(None))),
        ("identity", identity::encode(&identity(Some(place)))),
        ("roster", roster().encode().to_vec()),
        ("new_cluster", membership::bootstrap::frozen(place.cluster, roster()).to_vec()),
    ]
}

/// What peers say, by name.
fn said() -> Vec<(&'static str, Vec<u8>)> {
    let request = VoteRequest { vote: vote(), last_log_id: Some(id(7)), leadership_transfer: true };
    let response = VoteResponse { vote: vote(), vote_granted: true, last_log_id: None };
    let append = AppendEntriesRequest {
        vote: vote(),
        prev_log_id: Some(id(6)),
        entries: entries().into(),
        leader_commit: Some(id(5)),
    };
    let meta = SnapshotMeta {
        last_log_id: Some(id(9)),
        last_membership: StoredMembership::new(Some(id(9)), joint()),
    };
    let lag = [(NodeId(2), 4)].into();
    let view = GroupView { term: 5, last: Some(9), committed: Some(8), applied: None, lag };
    let encoded = [
        ("vote_request", convert::encode_vote_request(&request)),
        ("vote_response", convert::encode_vote_response(&response)),
        ("append_request", convert::encode_append(&append)),
        ("append_success", convert::encode_append_response(&AppendEntriesResponse::Success)),
        (
            "append_partial",
            convert::encode_append_response(&AppendEntriesResponse::PartialSuccess(Some(id(7)))),
        ),
        ("append_conflict", convert::encode_append_response(&AppendEntriesResponse::Conflict)),
        (
            "append_higher_vote",
            convert::encode_append_response(&AppendEntriesResponse::HigherVote(vote())),
        ),
        ("session_success", convert::encode_session_response(&Ok(Some(id(7))))),
        (
            "session_conflict",
            convert::encode_session_response(&Err(StreamAppendError::Conflict(id(7)))),
        ),
        (
            "session_higher_vote",
            convert::encode_session_response(&Err(StreamAppendError::HigherVote(vote()))),
        ),
        ("transfer", convert::encode_transfer(&TransferLeaderRequest::new(vote(), 4, Some(id(7))))),
        ("read_index", convert::encode_read_index(&id(7))),
        ("hand_over", convert::encode_hand_over(&4)),
        ("snapshot_start", convert::encode_snapshot_start(&(vote(), meta))),
        ("snapshot_response", convert::encode_snapshot_response(&SnapshotResponse::new(vote()))),
        ("outcome_reply", convert::encode_outcome(&Ok(Reply::Nothing))),
        ("outcome_not_leader", convert::encode_outcome(&Err(Failure::NotLeader(Some(NodeId(4)))))),
        ("outcome_unknown", convert::encode_outcome(&Err(Failure::Unknown))),
        ("outcome_overloaded", convert::encode_outcome(&Err(Failure::Overloaded))),
        ("outcome_too_large", convert::encode_outcome(&Err(Failure::TooLarge(9)))),
        ("outcome_stopped", convert::encode_outcome(&Err(Failure::Stopped))),
        ("status", convert::encode_view(&view)),
    ];
    encoded.into_iter().map(|(name, bytes)| (name, bytes.to_vec())).collect()
}

/// Kinds of control requests, by number.
#[test]
fn control_kinds_keep_their_numbers() {
    use convert::ControlKind::*;
    let kinds = [
        Vote,
        PreVote,
        Heartbeat,
        ReadIndex,
        TransferLeader,
        Propose,
        HandOver,
        Status,
        Health,
        Checkpoints,
    ];
    for (number, kind) in (1..).zip(kinds) {
        assert_eq!(convert::ControlKind::parse(number), Some(kind));
    }
    assert_eq!(convert::ControlKind::parse(0), None);
    assert_eq!(convert::ControlKind::parse(11), None);
}

fn held(frozen: &str, found: &[(&str, Vec<u8>)]) {
    let line = |(name, bytes): &(&str, Vec<u8>)| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{name} {hex}\n")
    };
    let found: String = found.iter().map(line).collect();
    assert_eq!(frozen, found, "the bytes of a format have changed:\n{found}");
}

#[test]
fn what_is_stored_keeps_its_bytes() {
    held(include_str!("../tests/formats/v001_stored.hex"), &stored());
}

#[test]
fn what_peers_say_keeps_its_bytes() {
    held(include_str!("../tests/formats/v001_peer.hex"), &said());
}

/// What the next start is told, and what nodes say to look after each other.
fn repairs() -> Vec<(&'static str, Vec<u8>)> {
    use crate::repair::{Note, Task, note};
    use crate::upkeep::{digests::Checkpoints, health::Said};
    let place =
        Place { cluster: ClusterId::from_bytes([8; 16]), node: NodeId(4), wallet_groups: 16 };
    let life = Incarnation::from_bytes([9; 16]);
    let note = |task| {
        let note = Note { task, reason: "a reason".to_owned() };
        let bytes = note::encode(&note);
        assert_eq!(note::decode(bytes.clone().into()), Ok(note));
        bytes
    };
    let mut fenced = roster().nodes().next().unwrap().clone();
    fenced.state = NodeState::Fenced;
    let identity = Identity { incarnation: life, place: Some(place) };
    let mut kept = Checkpoints::default();
    let at = store::Position { term: 5, leader: 2, index: 10_000 };
    kept.keep(at, store::StateDigest::from_bytes([7; 32]));
    let said = Said { low: true, slow: false, sync_us: 250 };
    vec![
        ("note_drop_state", note(Task::DropState)),
        ("note_leave", note(Task::Leave { next: life })),
        ("note_begin", note(Task::Begin { identity, roster: roster() })),
        ("roster_with_a_fenced_node", Roster::new([fenced]).encode().to_vec()),
        ("health", convert::encode_health(&said).to_vec()),
        ("checkpoints", convert::encode_checkpoints(&kept).to_vec()),
    ]
}

/// What survivors have written down about going on alone.
#[test]
fn mandates_keep_their_bytes() {
    use crate::recovery::{Mandate, mandate::Cut};
    let undecided = Mandate {
        plan: [7; 32],
        operators: ["ann".to_owned(), "ben".to_owned()],
        driver: NodeId(1),
        restores_rule: true,
        survivors: vec![NodeId(1), NodeId(2)],
        lost: vec![NodeId(3), NodeId(4)],
        cuts: None,
    };
    let cut = |group, after| Cut {
        group: GroupId(group),
        node: NodeId(2),
        term: 9,
        after,
        membership: joint(),
    };
    let cuts = Some(vec![cut(0, None), cut(2, Some(id(7)))]);
    let decided = Mandate { cuts, ..undecided.clone() };
    let encoded =
        [("mandate", undecided), ("mandate_with_cuts", decided)].map(|(name, mandate)| {
            let bytes = mandate.encode();
            assert_eq!(Mandate::decode(bytes.clone().into()), Ok(mandate));
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1;
                assert!(Mandate::decode(damaged.into()).is_err(), "byte {at}");
                assert!(Mandate::decode(bytes[..at].to_vec().into()).is_err(), "cut at {at}");
            }
            (name, bytes)
        });
    held(include_str!("../tests/formats/v001_recovery.hex"), &encoded);
}

#[test]
fn what_repairs_are_made_of_keeps_its_bytes() {
    held(include_str!("../tests/formats/v001_repair.hex"), &repairs());
}
