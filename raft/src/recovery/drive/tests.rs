#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use types::{Incarnation, NodeInfo, Role};

use super::*;
use crate::recovery::survey::Standing;
use crate::types::{LogId, Membership, leader_id};

fn membership(sets: &[&[u64]]) -> Membership {
    let sets: Vec<BTreeSet<u64>> = sets.iter().map(|set| set.iter().copied().collect()).collect();
    let dc = |id: u64| if id <= 2 { "a" } else { "b" };
    let nodes =
        (1..=5).map(|id| (id, Replica { dc: dc(id).to_owned() })).collect::<BTreeMap<_, _>>();
    Membership::new(sets, nodes).unwrap()
}

fn standing(term: u64, last: (u64, u64), sets: &[&[u64]]) -> Standing {
    let last = Some(LogId::new(leader_id(last.0, 3), last.1));
    Standing { term, last, membership: membership(sets) }
}

fn node(id: u64, dc: &str) -> NodeInfo {
    NodeInfo {
        id: NodeId(id),
        name: format!("n{id}"),
        dc: dc.to_owned(),
        role: Role::Data,
        peer: String::new(),
        endpoint: String::new(),
        incarnation: Incarnation::ZERO,
        state: NodeState::Active,
    }
}

fn mandate() -> Mandate {
    Mandate {
        plan: [7; 32],
        operators: ["ann".to_owned(), "ben".to_owned()],
        driver: NodeId(1),
        restores_rule: true,
        survivors: vec![NodeId(1), NodeId(2)],
        lost: vec![NodeId(3), NodeId(4)],
        cuts: None,
    }
}

fn decided(group: [Standing; 2]) -> Result<Vec<Cut>, String> {
    let survey = |standing| Survey {
        plan: Some([7; 32]),
        cut: false,
        groups: [(GroupId(2), standing)].into(),
        hears: BTreeSet::new(),
    };
    let [one, two] = group;
    decide(&mandate(), &[(NodeId(1), survey(one)), (NodeId(2), survey(two))].into())
}

#[test]
fn the_furthest_log_goes_on_in_a_new_term() {
    let all: &[&[u64]] = &[&[1, 2, 3, 4]];
    // A longer log of an earlier term is not further.
    let cuts = decided([standing(9, (4, 30), all), standing(6, (5, 20), all)]).unwrap();
    let [cut] = cuts.as_slice() else { panic!("{cuts:?}") };
    assert_eq!((cut.node, cut.term), (NodeId(2), 10));
    assert_eq!(cut.after, Some(LogId::new(leader_id(5, 3), 20)));
    let voters: Vec<u64> = cut.membership.voter_ids().collect();
    assert_eq!(voters, [1, 2]);
    assert!(cut.membership.nodes().all(|(id, _)| *id <= 2), "the lost ones are forgotten");
}

#[test]
fn a_group_that_has_a_majority_left_is_not_touched() {
    let most: &[&[u64]] = &[&[1, 2, 3]];
    assert_eq!(decided([standing(4, (4, 3), most), standing(4, (4, 3), most)]), Ok(vec![]));
}

#[test]
fn a_group_that_may_have_lost_something_stops_it_all() {
    let most: &[&[u64]] = &[&[1, 2, 3, 4], &[1, 3, 4]];
    assert!(decided([standing(4, (4, 3), most), standing(4, (4, 3), most)]).is_err());
}

#[test]
fn a_mandate_names_every_node_once() {
    let ids = |list: &[u64]| list.iter().copied().map(NodeId).collect::<Vec<_>>();
    let roster = Roster::new([1, 2, 3, 4].map(|id| node(id, "a")));
    let divides = |survivors: &[u64], lost: &[u64]| {
        let (survivors, lost) = (ids(survivors), ids(lost));
        Mandate { survivors, lost, ..mandate() }.divides(&roster)
    };
    assert!(divides(&[1, 2], &[3, 4]));
    assert!(!divides(&[1, 2], &[3]), "node 4 is forgotten");
    assert!(!divides(&[1, 2, 3], &[3, 4]), "node 3 is both");
    assert!(!divides(&[2], &[1, 3, 4]), "the driver is lost");
}

/// Right after the lost nodes are fenced everything still names them, and spans two data centres by them.
#[test]
fn it_is_not_over_before_the_lost_nodes_have_left() {
    let roster =
        Roster::new([node(1, "a"), node(2, "a"), node(3, "b"), node(4, "b"), node(5, "b")]);
    let placed = |voters: &[u64]| {
        let voters = voters.iter().copied().map(NodeId).collect();
        BTreeMap::from([(GroupId(2), PlacementRow { voters, learners: Vec::new(), version: 1 })])
    };
    let of = |voters: &[u64]| {
        let dc = |id: u64| if id <= 2 { "a" } else { "b" };
        let nodes = voters.iter().map(|id| (*id, Replica { dc: dc(*id).to_owned() }));
        let set: BTreeSet<u64> = voters.iter().copied().collect();
        [Membership::new(vec![set], nodes.collect::<BTreeMap<_, _>>()).unwrap()]
    };
    let over = |placement: &[u64], present: &[u64]| {
        mandate().is_over(&placed(placement), &roster, &of(present))
    };
    assert!(!over(&[1, 2, 3, 4], &[1, 2, 3, 4]), "nothing has moved yet");
    assert!(!over(&[1, 2], &[1, 2]), "one data centre is left");
    assert!(!over(&[1, 5], &[1, 2, 3, 4]), "planned, and not there yet");
    assert!(!over(&[1, 5], &[1, 2]), "planned, and not there yet");
    assert!(over(&[1, 5], &[1, 5]));
}

/// The decision is written down for ever: a term that one survivor names alone must not be in it.
#[test]
fn a_term_that_no_election_led_to_decides_nothing() {
    use crate::bounds::{END, LEAP};
    let all: &[&[u64]] = &[&[1, 2, 3, 4]];
    let of = |term| decided([standing(9, (4, 30), all), standing(term, (5, 20), all)]);
    assert_eq!(of(9 + LEAP).unwrap()[0].term, 10 + LEAP);
    for term in [10 + LEAP, END - 1, u64::MAX] {
        let refused = of(term).unwrap_err();
        assert!(refused.contains("node 2") && refused.contains("ahead"), "{refused}");
    }
    let at_the_end = [END - 1, END - 1].map(|term| standing(term, (4, 30), all));
    assert!(decided(at_the_end).unwrap_err().contains("no term is above"));
}

#[test]
fn a_survey_names_terms_that_there_can_be() {
    let group = |term| proto::peer::Standing {
        group: 2,
        term,
        last: Bytes::new(),
        membership: crate::log::entry::encode_membership(&membership(&[&[1, 2]])),
    };
    let reply =
        |term| proto::peer::RecoverReply { groups: vec![group(term)], ..Default::default() };
    Survey::from_proto(reply(crate::bounds::END - 1)).unwrap();
    for term in [crate::bounds::END, u64::MAX] {
        assert!(Survey::from_proto(reply(term)).is_err());
    }
    let cut = |term| Cut {
        group: GroupId(2),
        node: NodeId(1),
        term,
        after: None,
        membership: membership(&[&[1, 2]]),
    };
    let written = |term| Mandate { cuts: Some(vec![cut(term)]), ..mandate() }.encode();
    Mandate::decode(written(9).into()).unwrap();
    assert!(Mandate::decode(written(u64::MAX).into()).is_err(), "nor does a mandate");
}
