//! P6, recorded: every act leaves a leaf in the same entry, and the log can be proven.

use store::audit::{AuditKind, AuditRecord};
use store::command::SystemCommand;
use store::{Policy, Reply};
use types::ids::GroupId;
use types::tree::{Frontier, empty_hash, leaf_hash, verify_consistency, verify_inclusion};

use crate::support::act::{act, bootstrap, node};
use crate::support::history::{By, Links, Step, World};
use crate::support::replica::{GROUP, Replica};

/// A group after `acts` acts, the bootstrap among them.
fn group(acts: u64) -> Replica {
    let mut replica = Replica::in_memory(GroupId::SYSTEM);
    if acts > 0 {
        replica.apply(&bootstrap(Policy::default()));
    }
    for number in 1..acts {
        replica.apply(&act(
            number,
            number,
            SystemCommand::RegisterNode(node(&number.to_string(), "dc1", 1)),
        ));
    }
    replica
}

#[test]
fn every_size_has_the_root_of_its_leaves() {
    let replica = group(40);
    let reader = replica.reader();
    let mut frontier = Frontier::EMPTY;
    assert_eq!(reader.audit_root(0).unwrap(), Some(empty_hash()));
    for size in 1..=40 {
        frontier.append(&reader.audit_leaf(size - 1).unwrap().unwrap());
        assert_eq!(reader.audit_root(size).unwrap(), Some(frontier.root()));
    }
    assert_eq!(reader.audit_size().unwrap(), 40);
    assert_eq!(reader.audit_root(41).unwrap(), None);
    assert_eq!(reader.audit_leaf(40).unwrap(), None);
}

#[test]
fn every_leaf_is_proven_in_every_tree_that_has_it() {
    let replica = group(21);
    let reader = replica.reader();
    for size in 0..=22 {
        let root = reader.audit_root(size).unwrap();
        for number in 0..=22 {
            let proof = reader.audit_inclusion(number, size).unwrap();
            assert_eq!(proof.is_some(), number < size && size <= 21);
            let (Some(proof), Some(root)) = (proof, root) else { continue };
            let leaf = leaf_hash(&reader.audit_leaf(number).unwrap().unwrap());
            verify_inclusion(&leaf, number, size, &root, &proof).unwrap();
        }
    }
}

#[test]
fn every_tree_is_proven_the_beginning_of_every_later_one() {
    let replica = group(21);
    let reader = replica.reader();
    for size in 0..=22 {
        for old in 0..=22 {
            let proof = reader.audit_consistency(old, size).unwrap();
            assert_eq!(proof.is_some(), old <= size && size <= 21);
            let Some(proof) = proof else { continue };
            let root = |size| reader.audit_root(size).unwrap().unwrap();
            verify_consistency(old, &root(old), size, &root(size), &proof).unwrap();
        }
    }
}

#[test]
fn a_push_leaves_one_leaf_and_a_retry_or_a_refusal_none() {
    let mut world = World::new();
    let mut replica = Replica::in_memory(GROUP);
    replica.apply(&world.bootstrap());
    let push = |wallet, behind| Step::Push {
        wallet,
        behind,
        by: By::Phone,
        writes: vec![(1, 10)],
        removes: Vec::new(),
        links: Links::None,
    };
    let mut leaves = 1;
    for wallet in 0..3 {
        for behind in [0, 0, 1] {
            let (command, _) = world.take(&push(wallet, behind)).unwrap();
            for _ in 0..2 {
                let before = replica.reader().audit_size().unwrap();
                let reply = replica.apply(&command);
                let fresh = before < replica.reader().audit_size().unwrap();
                leaves += u64::from(fresh);
                assert!(!fresh || matches!(reply, Reply::Pushed { .. }));
            }
        }
    }
    let reader = replica.reader();
    assert_eq!(reader.audit_size().unwrap(), leaves);
    assert!(leaves > 2, "at least one wallet is in this group");
    let records =
        (0..leaves).map(|n| AuditRecord::parse(&reader.audit_leaf(n).unwrap().unwrap()).unwrap());
    let records: Vec<_> = records.collect();
    assert_eq!(records[0].kind, AuditKind::Act);
    assert!(records[1..].iter().all(|record| record.kind == AuditKind::Push));
    assert!(records.iter().zip(0..).all(|(record, n)| (record.group, record.number) == (GROUP, n)));
    assert!(records.is_sorted_by_key(|record| record.time_ms));
}

#[test]
fn the_clock_never_falls() {
    let mut replica = group(3);
    let late = replica.reader().standing().unwrap().time_ms;
    let store::Command::System(mut early, command) = act(9, 3, SystemCommand::AllowSingleDc(true))
    else {
        panic!()
    };
    early.time_ms = 5;
    replica.apply(&store::Command::System(early, command));
    let reader = replica.reader();
    let leaf = AuditRecord::parse(&reader.audit_leaf(3).unwrap().unwrap()).unwrap();
    assert_eq!((reader.standing().unwrap().time_ms, leaf.time_ms), (late, late));
}

#[test]
fn cut_foreign_and_newer_leaves_are_refused() {
    let replica = group(1);
    let leaf = replica.reader().audit_leaf(0).unwrap().unwrap();
    assert_eq!(leaf.len(), AuditRecord::LEN);
    let record = AuditRecord::parse(&leaf).unwrap();
    assert_eq!(record.encode(), leaf);
    for cut in 0..leaf.len() {
        assert!(AuditRecord::parse(&leaf[..cut]).is_err());
    }
    assert!(AuditRecord::parse(&[&leaf[..], &[0]].concat()).is_err());
    for (at, update) in [(0, false), (4, true), (5, true)] {
        let mut other = leaf.clone();
        other[at] = 9;
        assert_eq!(AuditRecord::parse(&other).unwrap_err().is_update(), update);
    }
}
