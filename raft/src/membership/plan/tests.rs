#![allow(clippy::unwrap_used)]

use types::{Incarnation, NodeId, NodeInfo, NodeState, Role};

use super::place;

/// Nodes 1, 2, … by data centre; `-` before it: draining, `w` behind it: a witness.
fn nodes(dcs: &[&str]) -> Vec<NodeInfo> {
    (1..)
        .zip(dcs)
        .map(|(id, dc)| NodeInfo {
            id: NodeId(id),
            name: format!("node-{id}"),
            dc: dc.trim_matches(['-', 'w']).to_owned(),
            role: if dc.ends_with('w') { Role::Witness } else { Role::Data },
            peer: String::new(),
            endpoint: String::new(),
            incarnation: Incarnation::ZERO,
            state: if dc.starts_with('-') { NodeState::Draining } else { NodeState::Active },
        })
        .collect()
}

fn planned(dcs: &[&str], present: &[u64], allow: bool) -> Option<(Vec<u64>, Vec<u64>)> {
    let present: Vec<NodeId> = present.iter().copied().map(NodeId).collect();
    let plan = place(&nodes(dcs), &present, allow).ok()?;
    let ids = |list: Vec<NodeId>| list.into_iter().map(|id| id.0).collect();
    Some((ids(plan.voters), ids(plan.learners)))
}

#[test]
fn layouts() {
    let all = |count: u64| Some(((1..=count).collect::<Vec<_>>(), Vec::new()));
    assert_eq!(planned(&["a", "b", "c"], &[], false), all(3));
    assert_eq!(planned(&["a", "a", "b", "b", "c"], &[], false), all(5));
    assert_eq!(planned(&["a"], &[], true), all(1));
    assert_eq!(planned(&["a"], &[], false), None);
    assert_eq!(planned(&["a", "a", "a"], &[], false), None);
    assert_eq!(planned(&["a", "a", "a"], &[], true), all(3));
    assert_eq!(planned(&["a", "b"], &[1, 2], false), all(2));
    assert_eq!(planned(&["a", "a"], &[1], true), all(2), "two disks rather than one");
    assert_eq!(planned(&[], &[], true), None);
}

/// A fourth node becomes a learner: an even number of voters outlives no more failures.
#[test]
fn one_more_node_waits_as_a_learner() {
    assert_eq!(planned(&["a", "b", "c", "a"], &[1, 2, 3], false), Some((vec![1, 2, 3], vec![4])));
    assert_eq!(planned(&["a", "b", "c", "a"], &[2, 3, 4], false), Some((vec![2, 3, 4], vec![1])));
}

/// The node that is drained is replaced by the one in its data centre.
#[test]
fn a_drained_node_is_replaced() {
    let plan = planned(&["-a", "b", "c", "a"], &[1, 2, 3], false);
    assert_eq!(plan, Some((vec![2, 3, 4], vec![])));
    // Nobody can replace it, and two that outlive the loss of a data centre are better than none.
    assert_eq!(planned(&["-a", "b", "c"], &[1, 2, 3], false), Some((vec![2, 3], vec![])));
    assert_eq!(planned(&["-a", "b", "b"], &[1, 2, 3], false), None);
}

/// A witness votes where it is needed, and only there.
#[test]
fn data_nodes_vote_first() {
    assert_eq!(planned(&["a", "b", "cw"], &[], false), Some((vec![1, 2, 3], vec![])));
    assert_eq!(planned(&["a", "b", "cw", "c"], &[], false), Some((vec![1, 2, 4], vec![3])));
}

/// Whoever plans from the same registry plans the same, and a plan carried out is not planned anew.
#[test]
fn a_plan_is_stable() {
    let dcs = ["a", "a", "b", "b", "c", "c", "c"];
    let (voters, _) = planned(&dcs, &[], false).unwrap();
    assert_eq!(voters.len(), 5);
    assert_eq!(planned(&dcs, &voters, false).unwrap().0, voters);
}
