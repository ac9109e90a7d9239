//! P1, P10: a newer node joins an older cluster and follows its formats; what the new release does anew
//! begins when every node runs it, by itself; and an older program does not come back behind that.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::PathBuf;

use proto::admin::{BootstrapRequest, JoinRequest, NodeRequest, StatusRequest};
use server::cluster::{Cluster, NodePlan, Scratch};
use store::formats::LEVEL;
use tests::{
    Lab, Plan,
    crowd::Crowd,
    lab::{GROUP, PATIENCE, until},
};

fn next_release() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_next_release"))
}

/// The level that a node says the cluster has begun.
async fn level(lab: &Lab, node: usize) -> u32 {
    let mut admin = lab.cluster.admin(node).await.unwrap();
    admin.status(StatusRequest { local: true }).await.unwrap().into_inner().format_level
}

async fn drain(lab: &Lab, at: usize, name: &str, request: u8) -> Result<(), tonic::Status> {
    let drain = NodeRequest { name: name.into(), request_id: vec![request; 32] };
    lab.cluster.admin(at).await.unwrap().drain(drain).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_begins_when_every_node_knows_it() {
    let scratch = Scratch::new("holdfast-test").unwrap();
    let mut options = Plan::of(3).options(scratch.path().join("cluster"));
    options.nodes.push(NodePlan::new("n4", "dc3", "127.0.0.1").unwrap());
    let mut cluster = Cluster::create(&options).unwrap();
    cluster.install(3, next_release()).unwrap();
    for node in 0..4 {
        cluster.start_node(node).unwrap();
        cluster.wait_answering(node, PATIENCE).await.unwrap();
    }
    let peers = cluster.nodes()[..3].iter().map(|node| node.peer.clone()).collect();
    let request = BootstrapRequest { peers, wallet_groups: 1, allow_single_dc: false, region: 0 };
    cluster.admin(0).await.unwrap().bootstrap(request).await.unwrap();
    cluster.wait_leader(GROUP, PATIENCE).await.unwrap();
    let mut lab = Lab::around(cluster, scratch);
    let crowd = Crowd::start(&lab, 2, 300).await;
    crowd.progress(10).await;

    // The newer node joins the older cluster, which stays at its level.
    let peer = lab.cluster.nodes()[3].peer.clone();
    let join = JoinRequest { peer, request_id: vec![1; 32] };
    lab.cluster.admin(0).await.unwrap().join(join).await.unwrap();
    until("the newer node follows", PATIENCE, async || {
        (level(&lab, 3).await == u32::from(LEVEL)).then_some(())
    })
    .await;
    crowd.progress(10).await;
    // What only the newer release does so has not begun, and it says who is in the way.
    let refused = until("it knows who is older", PATIENCE, async || {
        drain(&lab, 3, "n3", 2).await.err().filter(|refused| refused.message().contains("n1"))
    })
    .await;
    assert!(refused.message().contains(&format!("needs format level {}", LEVEL + 1)), "{refused}");

    // Node by node, under load. With the last one the level begins, unasked.
    for node in 0..3 {
        assert_eq!(level(&lab, node).await, u32::from(LEVEL), "before node {node} is upgraded");
        let status = lab.cluster.stop_node(node, PATIENCE).await.unwrap();
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", lab.log(node));
        lab.cluster.install(node, next_release()).unwrap();
        lab.restart(node).await;
        lab.cluster.wait_settled(PATIENCE).await.unwrap();
        crowd.progress(10).await;
    }
    for node in 0..4 {
        until("the next level has begun", PATIENCE, async || {
            (level(&lab, node).await == u32::from(LEVEL) + 1).then_some(())
        })
        .await;
    }
    drain(&lab, 3, "n3", 3).await.unwrap();
    crowd.progress(10).await;
    for client in &crowd.finish().await {
        client.verify(&lab).await;
    }

    // An older program would not be able to read what may come now, and does not start.
    lab.cluster.stop_node(0, PATIENCE).await.unwrap();
    lab.cluster.install(0, tests::lab::binary()).unwrap();
    lab.cluster.start_node(0).unwrap();
    let ended = until("it ends", PATIENCE, async || {
        lab.cluster.node(0).unwrap().process().unwrap().exited().unwrap()
    })
    .await;
    assert_eq!(ended.code(), Some(1), "{}", lab.log(0));
    let said = format!("knows format level {LEVEL}, and its cluster has begun level {}", LEVEL + 1);
    assert!(lab.log(0).contains(&said), "{}", lab.log(0));
}
