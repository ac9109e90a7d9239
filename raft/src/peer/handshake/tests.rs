#![allow(clippy::unwrap_used)]

use proto::peer::Hello;
use types::{ClusterId, Incarnation, NodeId, NodeInfo, NodeState, Role};

use super::{HelloError, check, hello};
use crate::certificate::{ConnectionIdentity, IdentityKind};
use crate::identity::{Identity, Place};
use crate::roster::Roster;

const CLUSTER: ClusterId = ClusterId::from_bytes([7; 16]);

fn node(id: u64) -> NodeInfo {
    NodeInfo {
        id: NodeId(id),
        name: format!("node-{id}"),
        dc: format!("dc-{id}"),
        role: Role::Data,
        peer: String::new(),
        endpoint: String::new(),
        incarnation: Incarnation::from_bytes([id as u8; 16]),
        state: NodeState::Active,
    }
}

fn identity(id: u64) -> Identity {
    let place = Some(Place { cluster: CLUSTER, node: NodeId(id), wallet_groups: 1 });
    Identity { incarnation: node(id).incarnation, place }
}

fn certificate(id: u64) -> ConnectionIdentity {
    let NodeInfo { name, dc, .. } = node(id);
    ConnectionIdentity { cluster: "test".to_owned(), kind: IdentityKind::Node, name, dc }
}

fn roster() -> Roster {
    Roster::new([node(1), node(2), NodeInfo { state: NodeState::Removed, ..node(3) }])
}

/// Node 2 greets node 1.
fn greeting() -> Hello {
    hello(&identity(2), &node(1)).unwrap()
}

fn refused(shown: Option<ConnectionIdentity>, hello: Hello) -> HelloError {
    check(&identity(1), &roster(), shown.as_ref(), &hello).unwrap_err()
}

#[test]
fn who_is_meant_and_known_is_heard() {
    let found = check(&identity(1), &roster(), Some(&certificate(2)), &greeting());
    assert_eq!(found.unwrap().id, NodeId(2));
}

#[test]
fn everybody_else_is_refused() {
    use HelloError::*;
    let mine = || Some(certificate(2));
    assert_eq!(refused(None, greeting()), NoCertificate);
    let operator = ConnectionIdentity { kind: IdentityKind::Operator, ..certificate(2) };
    assert_eq!(refused(Some(operator), greeting()), NoCertificate);
    assert!(matches!(refused(Some(certificate(1)), greeting()), OtherMachine { .. }));
    let moved = ConnectionIdentity { dc: "elsewhere".to_owned(), ..certificate(2) };
    assert!(matches!(refused(Some(moved), greeting()), OtherMachine { .. }));

    let other = |change: fn(&mut Hello)| {
        let mut hello = greeting();
        change(&mut hello);
        hello
    };
    assert_eq!(refused(mine(), other(|hello| hello.cluster = vec![8; 16].into())), OtherCluster);
    assert_eq!(refused(mine(), other(|hello| hello.cluster = vec![7; 15].into())), Malformed);
    assert_eq!(refused(mine(), other(|hello| hello.to = 2)), NotMeant);
    assert_eq!(refused(mine(), other(|hello| hello.to_incarnation = vec![9; 16].into())), NotMeant);
    let wiped = other(|hello| hello.from_incarnation = vec![9; 16].into());
    assert_eq!(refused(mine(), wiped), OtherIncarnation(NodeId(2)));
    assert_eq!(refused(Some(certificate(9)), other(|hello| hello.from = 9)), Unknown(NodeId(9)));
    assert_eq!(refused(Some(certificate(3)), other(|hello| hello.from = 3)), Unknown(NodeId(3)));
}

#[test]
fn a_fresh_node_neither_greets_nor_hears() {
    let fresh = Identity { place: None, ..identity(1) };
    assert_eq!(hello(&fresh, &node(2)), Err(HelloError::Fresh));
    let heard = check(&fresh, &roster(), Some(&certificate(2)), &greeting());
    assert_eq!(heard, Err(HelloError::Fresh));
}
