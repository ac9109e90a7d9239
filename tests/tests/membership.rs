//! P1, P9: nodes come and go under load, by an operator's word, without a lost or repeated write.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use proto::admin::{
    BootstrapRequest, Group, GroupsRequest, JoinRequest, NodeRequest, TransferRequest,
};
use server::cluster::{Cluster, NodePlan, Scratch};
use tests::{
    Lab, Plan,
    crowd::Crowd,
    lab::{GROUP, PATIENCE, until},
};

/// Three nodes form the cluster; a fourth runs, fresh, in the third data centre.
async fn three_and_a_fresh_one() -> Lab {
    let scratch = Scratch::new("holdfast-test").unwrap();
    let mut options = Plan::of(3).options(scratch.path().join("cluster"));
    options.nodes.push(NodePlan::new("n4", "dc3", "127.0.0.1").unwrap());
    let mut cluster = Cluster::create(&options).unwrap();
    for node in 0..4 {
        cluster.start_node(node).unwrap();
        cluster.wait_answering(node, PATIENCE).await.unwrap();
    }
    let peers = cluster.nodes()[..3].iter().map(|node| node.peer.clone()).collect();
    let request = BootstrapRequest { peers, wallet_groups: 1, allow_single_dc: false, region: 0 };
    cluster.admin(0).await.unwrap().bootstrap(request).await.unwrap();
    cluster.wait_leader(GROUP, PATIENCE).await.unwrap();
    Lab::around(cluster, scratch)
}

fn request_id(byte: u8) -> Vec<u8> {
    vec![byte; 32]
}

/// Every group as node 1 sees it.
async fn groups(lab: &Lab) -> Vec<Group> {
    let mut admin = lab.cluster.admin(0).await.unwrap();
    admin
        .groups(GroupsRequest::default())
        .await
        .map(|reply| reply.into_inner().groups)
        .unwrap_or_default()
}

/// Waits until exactly these nodes are replicas of a kind in every group.
async fn replicas(lab: &Lab, kind: &str, names: &[&str]) {
    until(&format!("the {kind}s of every group are {names:?}"), PATIENCE, async || {
        let groups = groups(lab).await;
        let all = !groups.is_empty()
            && groups.iter().all(|group| {
                let of_kind = group.replicas.iter().filter(|replica| replica.kind == kind);
                let mut found: Vec<&str> = of_kind.map(|replica| replica.name.as_str()).collect();
                found.sort_unstable();
                found == names
            });
        all.then_some(())
    })
    .await;
}

/// A node joins and follows, another is drained and removed, leadership moves: all while clients push.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_join_drain_and_leave_under_load() {
    let mut lab = three_and_a_fresh_one().await;
    let crowd = Crowd::start(&lab, 4, 500).await;
    crowd.progress(20).await;

    let peer = lab.cluster.nodes()[3].peer.clone();
    let join = JoinRequest { peer, request_id: request_id(1) };
    let joined =
        lab.cluster.admin(0).await.unwrap().join(join).await.unwrap().into_inner().node.unwrap();
    assert_eq!((joined.id, joined.name.as_str(), joined.dc.as_str()), (4, "n4", "dc3"));
    // Four voters would be no safer than three: the fourth node follows as a learner until it is needed.
    replicas(&lab, "learner", &["n4"]).await;
    replicas(&lab, "voter", &["n1", "n2", "n3"]).await;
    crowd.progress(20).await;

    let drain = NodeRequest { name: "n3".into(), request_id: request_id(2) };
    lab.cluster.admin(0).await.unwrap().drain(drain).await.unwrap();
    replicas(&lab, "voter", &["n1", "n2", "n4"]).await;
    crowd.progress(20).await;

    let remove = NodeRequest { name: "n3".into(), request_id: request_id(3) };
    lab.cluster.admin(0).await.unwrap().remove(remove).await.unwrap();
    lab.cluster.kill(2).unwrap();
    crowd.progress(20).await;

    let to =
        if lab.cluster.wait_leader(GROUP, PATIENCE).await.unwrap() == "n4" { "n1" } else { "n4" };
    let transfer = TransferRequest { group: GROUP, to: to.into() };
    lab.cluster.admin(0).await.unwrap().transfer(transfer).await.unwrap();
    until("the named node leads", PATIENCE, async || {
        groups(&lab).await.iter().any(|group| group.id == GROUP && group.leader == to).then_some(())
    })
    .await;
    crowd.progress(20).await;

    for client in &crowd.finish().await {
        client.verify(&lab).await;
    }
}

/// Nodes can be drained as long as some set of voters keeps every majority in two data centres. The one
/// that would end that is refused, and nothing moves.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_one_data_centre_could_lose_is_refused() {
    let lab = Plan::of(5).start().await;
    let drain = |name: &str, byte| NodeRequest { name: name.into(), request_id: request_id(byte) };
    let mut admin = lab.cluster.admin(0).await.unwrap();
    // 2 + 2 + 1 without the single one: no three of 2 + 2 keep the rule, all four do.
    admin.drain(drain("n5", 1)).await.unwrap();
    replicas(&lab, "voter", &["n1", "n2", "n3", "n4"]).await;
    // Of 2 + 1, one in each data centre.
    admin.drain(drain("n4", 2)).await.unwrap();
    replicas(&lab, "voter", &["n1", "n3"]).await;
    // The last node of the second data centre.
    let refused = admin.drain(drain("n3", 3)).await.unwrap_err();
    assert!(refused.message().contains("data centre"), "{refused}");
    replicas(&lab, "voter", &["n1", "n3"]).await;
}
