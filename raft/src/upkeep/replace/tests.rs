use store::rows::PlacementRow;
use types::{Incarnation, Role};

use super::*;

fn node(id: u64, dc: &str) -> NodeInfo {
    NodeInfo {
        id: NodeId(id),
        name: format!("node-{id}"),
        dc: dc.to_owned(),
        role: Role::Data,
        peer: String::new(),
        endpoint: String::new(),
        incarnation: Incarnation::ZERO,
        state: NodeState::Active,
    }
}

fn facts(voters: &[u64], learners: &[u64]) -> Facts {
    let ids = |list: &[u64]| list.iter().copied().map(NodeId).collect();
    let row = PlacementRow { version: 1, voters: ids(voters), learners: ids(learners) };
    let mut facts = Facts::default();
    facts.placements.insert(GroupId(0), row);
    facts
}

#[test]
fn a_spare_is_a_node_of_the_same_data_centre_without_a_vote() {
    let facts = facts(&[1, 2, 3], &[4, 5]);
    let nodes = [node(1, "a"), node(2, "b"), node(3, "c"), node(4, "a"), node(5, "b")];
    let roster = Roster::new(nodes.clone());
    let spare = |dead: &NodeInfo| spare_for(dead, &facts, &roster, |_| true).map(|id| id.0);
    assert_eq!(spare(&nodes[0]), Some(4));
    assert_eq!(spare(&nodes[1]), Some(5));
    assert_eq!(spare(&nodes[2]), None, "nobody else is in c");
    assert_eq!(spare(&nodes[3]), None, "it had no vote to take over");
    assert_eq!(
        spare_for(&nodes[0], &facts, &roster, |id| id.0 != 4),
        None,
        "the spare is away too"
    );
    let fenced = NodeInfo { state: NodeState::Fenced, ..node(1, "a") };
    assert_eq!(spare(&fenced), None, "it is being replaced already");
    let witness = NodeInfo { role: Role::Witness, ..node(1, "a") };
    assert_eq!(spare(&witness), None, "a data node is no spare for a witness");
}
