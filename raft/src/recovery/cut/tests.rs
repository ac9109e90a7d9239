#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use store::engine::memory::MemoryEngine;
use types::GroupId;

use super::*;
use crate::types::{Membership, Replica};

const GROUP: GroupId = GroupId(2);
const OWN: NodeId = NodeId(1);

fn at(term: u64, index: u64) -> LogId {
    LogId::new(leader_id(term, 3), index)
}

/// A log of blank entries at these places, and a vote in this term.
fn log_of(entries: &[LogId], voted: u64) -> Arc<dyn Engine> {
    let engine = MemoryEngine::new();
    let mut batch = Batch::new();
    for log_id in entries {
        let blank = Entry { log_id: *log_id, payload: EntryPayload::Blank };
        batch.put(Column::Log, &keys::entry(GROUP, log_id.index), &entry::encode_entry(&blank));
    }
    let vote = Vote { leader_id: leader_id(voted, 3), committed: true };
    batch.put(Column::Log, &keys::vote(GROUP), &entry::encode_vote(&vote));
    engine.write(batch, Durability::Synced).unwrap();
    Arc::new(engine)
}

fn cut(term: u64, after: Option<LogId>) -> Cut {
    let nodes = BTreeMap::from([1, 2].map(|id| (id, Replica { dc: "a".to_owned() })));
    let membership = Membership::new(vec![[1, 2].into()], nodes).unwrap();
    Cut { group: GROUP, node: OWN, term, after, membership }
}

fn end(engine: &Arc<dyn Engine>) -> (Option<LogId>, u64) {
    let log = log::recover(engine, GROUP, Mark::default()).unwrap();
    (log.tail().last(), log.term())
}

#[test]
fn the_entry_follows_the_log_in_a_term_that_nobody_had() {
    let engine = log_of(&[at(4, 0), at(5, 1)], 7);
    let cut = cut(8, Some(at(5, 1)));
    apply(&engine, OWN, std::slice::from_ref(&cut)).unwrap();
    let added = LogId::new(leader_id(8, 1), 2);
    assert_eq!(end(&engine), (Some(added), 8));
    let value = engine.get(Column::Log, &keys::entry(GROUP, 2)).unwrap().unwrap();
    let found = entry::decode_entry(2, value.into()).unwrap();
    assert_eq!(found.payload, EntryPayload::Membership(cut.membership.clone()));
    // A start that comes after another one adds nothing.
    apply(&engine, OWN, &[cut]).unwrap();
    assert_eq!(end(&engine), (Some(added), 8));
}

/// It is only the chosen node's log that goes on.
#[test]
fn the_other_survivors_add_nothing() {
    let engine = log_of(&[at(4, 0)], 4);
    apply(&engine, NodeId(2), &[cut(5, Some(at(4, 0)))]).unwrap();
    assert_eq!(end(&engine), (Some(at(4, 0)), 4));
}

/// What the node had appended meanwhile is not taken away: nobody was told that it failed.
#[test]
fn a_log_that_grew_keeps_what_it_has() {
    let engine = log_of(&[at(4, 0), at(4, 1)], 9);
    apply(&engine, OWN, &[cut(8, Some(at(4, 0)))]).unwrap();
    assert_eq!(end(&engine), (Some(LogId::new(leader_id(8, 1), 2)), 9), "a later vote stands");
}

#[test]
fn a_log_that_went_back_is_not_cut() {
    let engine = log_of(&[at(4, 0)], 4);
    let refused = apply(&engine, OWN, &[cut(8, Some(at(4, 1)))]).unwrap_err();
    assert!(matches!(refused, StartError::Group { group: GROUP, .. }), "{refused}");
    assert_eq!(end(&engine), (Some(at(4, 0)), 4));
}

#[test]
fn a_log_that_nothing_can_follow_is_not_cut() {
    let last = at(4, crate::bounds::END - 1);
    let engine = log_of(&[last], 4);
    let refused = apply(&engine, OWN, &[cut(8, Some(last))]).unwrap_err();
    assert!(refused.to_string().contains("group 2"), "{refused}");
    assert_eq!(end(&engine), (Some(last), 4), "what can be read stays so");
}
