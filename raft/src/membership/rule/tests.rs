use std::collections::{BTreeMap, BTreeSet};

use super::{check, check_sets};
use crate::types::{Membership, Replica};

fn nodes(dcs: &[&str]) -> BTreeMap<u64, Replica> {
    (1..).zip(dcs).map(|(id, dc)| (id, Replica { dc: (*dc).to_owned() })).collect()
}

fn set(ids: &[u64]) -> BTreeSet<u64> {
    ids.iter().copied().collect()
}

/// Layouts by the data centre of each voter, and whether they outlive the loss of any one.
#[test]
fn layouts() {
    let cases: [(&[&str], bool); 12] = [
        (&["a"], false),
        (&["a", "b"], true),
        (&["a", "a"], false),
        (&["a", "b", "c"], true),
        (&["a", "a", "b"], false),
        (&["a", "a", "a"], false),
        (&["a", "a", "b", "c"], true),
        (&["a", "a", "b", "b"], true),
        (&["a", "a", "a", "b"], false),
        (&["a", "a", "b", "b", "c"], true),
        (&["a", "a", "a", "b", "c"], false),
        (&["a", "a", "a", "b", "b", "c"], true),
    ];
    for (dcs, holds) in cases {
        let (nodes, ids) = (nodes(dcs), (1..=dcs.len() as u64).collect::<Vec<_>>());
        let voters = [set(&ids)];
        assert_eq!(check_sets(&voters, &nodes, false).is_ok(), holds, "{dcs:?}");
        assert!(check_sets(&voters, &nodes, true).is_ok(), "{dcs:?} is allowed on request");
    }
}

/// While voters change both sets count: one bad set is enough, first or second.
#[test]
fn every_set_of_a_joint_membership_counts() {
    let nodes = nodes(&["a", "b", "c", "a", "a"]);
    let (good, bad) = (set(&[1, 2, 3]), set(&[1, 4, 2]));
    assert!(check_sets(&[good.clone(), good.clone()], &nodes, false).is_ok());
    assert!(check_sets(&[good.clone(), bad.clone()], &nodes, false).is_err());
    assert!(check_sets(&[bad.clone(), good.clone()], &nodes, false).is_err());
    let joint = Membership::new_with_defaults(vec![good], []);
    assert!(check(&joint, false).is_err(), "without data centres nothing is known to be safe");
}

/// Learners count for nothing: they neither save a bad set nor spoil a good one.
#[test]
fn learners_do_not_count() {
    let nodes = nodes(&["a", "a", "b", "c", "c"]);
    assert!(check_sets(&[set(&[1, 2])], &nodes, false).is_err());
    assert!(check_sets(&[set(&[1, 3, 4])], &nodes, false).is_ok());
}

#[test]
fn nobody_and_nowhere_are_refused() {
    let nodes = nodes(&["a", "b"]);
    assert!(check_sets(&[], &nodes, true).is_err());
    assert!(check_sets(&[BTreeSet::new()], &nodes, true).is_err());
    assert!(check_sets(&[set(&[1, 9])], &nodes, true).is_err());
}
