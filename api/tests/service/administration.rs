//! What operators see and do.

use proto::admin::{
    BootstrapRequest, GroupsRequest, JoinRequest, NodeRequest, NodesRequest, StatusRequest,
    TransferRequest, UnlockRequest,
};
use raft::{ConnectionIdentity, IdentityKind};
use tonic::{Code, Request};

use crate::support::authority::CLUSTER;
use crate::support::caller::as_operator;
use crate::support::cluster::{Cluster, Setup};
use crate::support::owner::Owner;
use crate::support::{code, until};

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_promises_with_their_reasons() {
    let three = Cluster::start(3, Setup::default()).await;
    until("three nodes in three data centres hold both promises", || async {
        let status = three.one().admin().status(as_operator(StatusRequest { local: false })).await;
        let status = status.unwrap().into_inner();
        status.zero_loss.unwrap().held && status.self_healing.unwrap().held
    })
    .await;
    let status = three
        .one()
        .admin()
        .status(as_operator(StatusRequest { local: false }))
        .await
        .unwrap()
        .into_inner();
    assert!(status.bootstrapped && !status.locked);
    assert_eq!((status.node.as_str(), status.cluster.len(), status.nodes.len()), ("n0", 16, 3));
    assert!(
        status
            .nodes
            .iter()
            .all(|node| node.reachable && node.state == "active" && node.role == "data")
    );
    assert_eq!(status.groups.len(), 4);

    let one = Cluster::single().await;
    let status = one
        .one()
        .admin()
        .status(as_operator(StatusRequest { local: true }))
        .await
        .unwrap()
        .into_inner();
    let (zero_loss, self_healing) = (status.zero_loss.unwrap(), status.self_healing.unwrap());
    assert!(!zero_loss.held && !zero_loss.reason.is_empty());
    assert!(
        !self_healing.held && self_healing.reason.contains("1 voters"),
        "{}",
        self_healing.reason
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_needs_a_person_is_not_self_healing() {
    let cluster = Cluster::start(3, Setup { locked: vec![1], ..Setup::default() }).await;
    until("another node says so too", || async {
        let status =
            cluster.one().admin().status(as_operator(StatusRequest { local: false })).await;
        let promise = status.unwrap().into_inner().self_healing.unwrap();
        !promise.held && promise.reason.contains("n1")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_show_replicas_with_lag_and_equal_digests() {
    let cluster = Cluster::start(3, Setup::default()).await;
    let mut owner = Owner::new(120);
    cluster.one().create(&owner.begin()).await.unwrap();
    let group = cluster.one().node.group_of(&owner.wallet()).unwrap();
    until("all replicas are level and agree", || async {
        let groups = cluster
            .one()
            .admin()
            .groups(as_operator(GroupsRequest { local: false }))
            .await
            .unwrap();
        let shown =
            groups.into_inner().groups.into_iter().find(|shown| shown.id == group.0).unwrap();
        let first = &shown.replicas[0];
        let level = shown.replicas.iter().all(|replica| {
            !replica.digest.is_empty()
                && replica.digest == first.digest
                && replica.digest_index == first.digest_index
        });
        level
            && shown.replicas.len() == 3
            && shown.zero_loss
            && !shown.leader.is_empty()
            && shown
                .replicas
                .iter()
                .all(|replica| replica.kind == "voter" && replica.lag == Some(0))
    })
    .await;
    let nodes = cluster.nodes[2]
        .admin()
        .nodes(as_operator(NodesRequest {}))
        .await
        .unwrap()
        .into_inner()
        .nodes;
    assert_eq!(
        nodes.iter().map(|node| node.dc.as_str()).collect::<Vec<_>>(),
        ["dc0", "dc1", "dc2"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_moves_to_whom_the_operator_names_or_to_anybody() {
    let cluster = Cluster::start(3, Setup::default()).await;
    let asked = |group, to: &str| as_operator(TransferRequest { group, to: to.to_owned() });
    for (name, at) in [("n2", 2), ("n1", 1)] {
        cluster.one().admin().transfer(asked(2, name)).await.unwrap();
        until("the named node leads", || async {
            cluster.nodes[at].node.is_leader(types::GroupId(2))
        })
        .await;
    }
    cluster.one().admin().transfer(asked(2, "")).await.unwrap();
    until("somebody else leads", || async { !cluster.nodes[1].node.is_leader(types::GroupId(2)) })
        .await;
    assert_eq!(code(cluster.one().admin().transfer(asked(2, "nobody")).await), "no_such_node");
    assert_eq!(code(cluster.one().admin().transfer(asked(99, "n1")).await), "no_such_group");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_removed_for_ever_unless_a_promise_would_break() {
    let cluster = Cluster::start(3, Setup::default()).await;
    let node = |name: &str, request: u8| {
        as_operator(NodeRequest { name: name.to_owned(), request_id: vec![request; 32] })
    };
    cluster.one().admin().remove(node("n2", 1)).await.unwrap();
    cluster.one().admin().remove(node("n2", 1)).await.expect("a repetition has the same answer");
    let nodes =
        cluster.one().admin().nodes(as_operator(NodesRequest {})).await.unwrap().into_inner().nodes;
    assert_eq!(
        nodes.iter().map(|node| node.state.as_str()).collect::<Vec<_>>(),
        ["active", "active", "removed"]
    );
    let refused = cluster.one().admin().drain(node("n1", 2)).await;
    assert_eq!(code(refused), "refused", "one data centre would be left");
    assert_eq!(code(cluster.one().admin().remove(node("nobody", 3)).await), "no_such_node");
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_that_make_no_sense_are_refused() {
    let cluster = Cluster::single().await;
    let again =
        BootstrapRequest { peers: vec!["127.0.0.1:1".to_owned()], ..BootstrapRequest::default() };
    assert_eq!(code(cluster.one().admin().bootstrap(as_operator(again)).await), "refused");
    let nowhere = BootstrapRequest { region: 256, ..BootstrapRequest::default() };
    assert_eq!(code(cluster.one().admin().bootstrap(as_operator(nowhere)).await), "malformed");
    let short = JoinRequest { peer: "127.0.0.1:1".to_owned(), request_id: vec![1; 31] };
    assert_eq!(code(cluster.one().admin().join(as_operator(short)).await), "malformed");
    let gone = JoinRequest { peer: "127.0.0.1:1".to_owned(), request_id: vec![] };
    assert_eq!(code(cluster.one().admin().join(as_operator(gone)).await), "unknown");
    for peer in
        ["", "nowhere", "10.0.0.1", "10.0.0.1:0", "10.0.0.1:99999", "a@b:1", "https://a:1", "a:1/x"]
    {
        let join = JoinRequest { peer: peer.to_owned(), request_id: vec![] };
        assert_eq!(
            code(cluster.one().admin().join(as_operator(join)).await),
            "malformed",
            "{peer}"
        );
        let begin =
            BootstrapRequest { peers: vec![peer.to_owned()], ..BootstrapRequest::default() };
        let refused = code(cluster.one().admin().bootstrap(as_operator(begin)).await);
        assert_eq!(refused, "malformed", "{peer}");
    }
    let unlock = UnlockRequest { passphrase: b"anything".to_vec() };
    assert_eq!(
        code(cluster.one().admin().unlock(as_operator(unlock)).await),
        "refused",
        "nothing to unlock"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_an_operator_of_this_cluster_gets_in() {
    let cluster = Cluster::single().await;
    let shows = |kind, domain: &str| {
        let mut request = Request::new(StatusRequest { local: true });
        let identity = ConnectionIdentity {
            cluster: domain.to_owned(),
            kind,
            name: "n0".to_owned(),
            dc: "dc0".to_owned(),
        };
        request.extensions_mut().insert(identity);
        request
    };
    for request in [
        Request::new(StatusRequest { local: true }),
        shows(IdentityKind::Node, CLUSTER),
        shows(IdentityKind::Operator, "another"),
    ] {
        let status = cluster.one().admin().status(request).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
    }
    cluster.one().admin().status(shows(IdentityKind::Operator, CLUSTER)).await.unwrap();
}
