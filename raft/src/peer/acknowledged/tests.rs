use crate::registry::Registry;

use super::*;
use crate::metrics::NodeMetrics;
use crate::types::leader_id;

const GROUP: GroupId = GroupId(2);

fn id(term: u64, index: u64) -> LogId {
    LogId::new(leader_id(term, 1), index)
}

fn peer() -> Acknowledged {
    Acknowledged::new(NodeId(3), NodeMetrics::register(&mut Registry::default()).peers)
}

/// A follower that never had an entry says so lawfully, as often as it likes.
#[test]
fn what_was_never_acknowledged_may_be_missing() {
    let (peer, leader) = (peer(), leader_id(5, 1));
    peer.lacks(GROUP, leader, id(5, 9)).unwrap();
    peer.note(GROUP, leader, id(5, 7));
    peer.note(GROUP, leader, id(5, 4));
    peer.lacks(GROUP, leader, id(5, 8)).unwrap();
    peer.lacks(GroupId(3), leader, id(5, 7)).unwrap();
    peer.check().unwrap();
}

/// Between two leaderships of one node another leader may have truncated.
#[test]
fn what_another_leader_heard_may_be_missing() {
    let peer = peer();
    peer.note(GROUP, leader_id(5, 1), id(5, 7));
    peer.lacks(GROUP, leader_id(7, 1), id(5, 7)).unwrap();
    peer.note(GROUP, leader_id(7, 1), id(5, 3));
    peer.lacks(GROUP, leader_id(7, 1), id(5, 4)).unwrap();
    peer.check().unwrap();
}

#[test]
fn who_lacks_what_it_acknowledged_counts_no_more() {
    let (peer, leader) = (peer(), leader_id(5, 1));
    peer.note(GROUP, leader, id(5, 7));
    let went_back = peer.lacks(GROUP, leader, id(5, 7)).unwrap_err();
    assert!(went_back.to_string().starts_with("node 3 went back"), "{went_back}");
    assert_eq!(peer.check(), Err(went_back));
    assert_eq!(peer.lacks(GROUP, leader, id(4, 2)), Err(went_back), "an earlier entry too");
}
