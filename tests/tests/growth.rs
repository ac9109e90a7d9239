//! P1, P9: a cluster grows from one node to three and five, replaces a node that is lost, loses any data
//! centre of 2 + 2 + 1 and restarts node by node, all under load, without a lost, repeated or refused write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

use std::time::Duration;

use client::Record;
use proto::admin::{BootstrapRequest, Group, GroupsRequest, JoinRequest, NodeRequest};
use server::cluster::{Cluster, NodePlan, Options, Scratch};
use tests::{
    Lab, Plan,
    crowd::Crowd,
    lab::{GROUP, PATIENCE, until},
};

/// The nodes of the given numbers run and form the cluster; the others are not started yet.
async fn formed_of(options: Options, scratch: Scratch, first: &[usize]) -> Lab {
    let mut cluster = Cluster::create(&options).unwrap();
    for node in first {
        cluster.start_node(*node).unwrap();
        cluster.wait_answering(*node, PATIENCE).await.unwrap();
    }
    let peers = first.iter().map(|node| cluster.nodes()[*node].peer.clone()).collect();
    let allow_single_dc = first.len() == 1;
    let request = BootstrapRequest { peers, wallet_groups: 1, allow_single_dc, region: 0 };
    cluster.admin(first[0]).await.unwrap().bootstrap(request).await.unwrap();
    cluster.wait_leader(GROUP, PATIENCE).await.unwrap();
    Lab::around(cluster, scratch)
}

fn scratch() -> Scratch {
    Scratch::new("holdfast-test").unwrap()
}

/// Starts a node and has it taken in.
async fn join(lab: &mut Lab, node: usize, request: u8) {
    lab.restart(node).await;
    let peer = lab.cluster.nodes()[node].peer.clone();
    let join = JoinRequest { peer, request_id: vec![request; 32] };
    lab.cluster.admin(0).await.unwrap().join(join).await.unwrap();
}

/// Every group as the first node sees it.
async fn groups(lab: &Lab) -> Vec<Group> {
    let mut admin = lab.cluster.admin(0).await.unwrap();
    let reply = admin.groups(GroupsRequest::default()).await;
    reply.map(|reply| reply.into_inner().groups).unwrap_or_default()
}

/// Waits until exactly these nodes vote in every group.
async fn voters(lab: &Lab, names: &[&str]) {
    until(&format!("the voters of every group are {names:?}"), PATIENCE, async || {
        let groups = groups(lab).await;
        let all = groups.iter().all(|group| {
            let voters = group.replicas.iter().filter(|replica| replica.kind == "voter");
            let mut found: Vec<&str> = voters.map(|voter| voter.name.as_str()).collect();
            found.sort_unstable();
            found == names
        });
        (all && !groups.is_empty()).then_some(())
    })
    .await;
}

/// Waits until the first node sees what it promises held: the change of voters has come to its end.
async fn held(lab: &Lab) {
    until("zero loss and self-healing are held", PATIENCE, async || {
        let status = lab.cluster.status(0).await.ok()?;
        (status.zero_loss?.held && status.self_healing?.held).then_some(())
    })
    .await;
}

/// What one node and no zero loss acknowledged is there when five nodes keep every promise.
#[tokio::test(flavor = "multi_thread")]
async fn one_node_becomes_three_and_five_under_load() {
    let scratch = scratch();
    let options = Plan::of(5).options(scratch.path().join("cluster"));
    // Of data centres 1, 1, 2, 2 and 3: one of each first.
    let mut lab = formed_of(options, scratch, &[0]).await;
    assert!(!lab.cluster.status(0).await.unwrap().zero_loss.unwrap().held, "one node can be lost");
    let crowd = Crowd::start(&lab, 4, 500).await;
    crowd.progress(20).await;

    join(&mut lab, 2, 1).await;
    join(&mut lab, 4, 2).await;
    voters(&lab, &["n1", "n3", "n5"]).await;
    held(&lab).await;
    crowd.progress(20).await;

    join(&mut lab, 1, 3).await;
    join(&mut lab, 3, 4).await;
    voters(&lab, &["n1", "n2", "n3", "n4", "n5"]).await;
    held(&lab).await;
    crowd.progress(20).await;

    for client in &crowd.finish().await {
        client.verify(&lab).await;
    }
    lab.equal().await;
}

/// Nobody needs a node that is gone for good: another takes its place, and it is taken out.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_node_is_replaced_under_load() {
    let scratch = scratch();
    let mut options = Plan::of(3).options(scratch.path().join("cluster"));
    options.nodes.push(NodePlan::new("n4", "dc3", "127.0.0.1").unwrap());
    let mut lab = formed_of(options, scratch, &[0, 1, 2]).await;
    let crowd = Crowd::start(&lab, 4, 500).await;
    crowd.progress(20).await;

    lab.cluster.kill(2).unwrap();
    crowd.progress(20).await;
    join(&mut lab, 3, 1).await;
    let remove = NodeRequest { name: "n3".into(), request_id: vec![2; 32] };
    lab.cluster.admin(0).await.unwrap().remove(remove).await.unwrap();
    voters(&lab, &["n1", "n2", "n4"]).await;
    held(&lab).await;
    crowd.progress(20).await;

    // The new one carries its share: with it and without another one, writes go on.
    lab.cluster.kill(1).unwrap();
    crowd.progress(20).await;
    for client in &crowd.finish().await {
        client.verify(&lab).await;
    }
}

/// A client whose first endpoint is a node that nobody has taken in yet goes on to the next.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_passes_by_a_fresh_node() {
    let scratch = scratch();
    let options = Plan::of(3).options(scratch.path().join("cluster"));
    let mut lab = formed_of(options, scratch, &[0]).await;
    lab.restart(1).await;
    let endpoints = lab.cluster.endpoints();
    let settings = lab.settings_at(&[endpoints[1].clone(), endpoints[0].clone()]);
    let (mut wallet, _) = tests::lab::create(settings, "phone").await;
    wallet.put(Record::new("opaque", "first", "one")).unwrap();
    wallet.push().await.unwrap();
}

/// Two data nodes, two data nodes, and a witness that votes and never serves.
#[tokio::test(flavor = "multi_thread")]
async fn any_data_centre_beside_a_witness_is_lost_and_writes_go_on() {
    const CENTRES: [&[usize]; 3] = [&[0, 1], &[2, 3], &[4]];
    let scratch = scratch();
    let mut options = Plan::of(5).options(scratch.path().join("cluster"));
    options.nodes[4].overrides.insert("role".into(), "witness".into());
    let cluster = Cluster::start(&options).await.unwrap();
    let mut lab = Lab::around(cluster, scratch);
    voters(&lab, &["n1", "n2", "n3", "n4", "n5"]).await;
    let crowd = Crowd::start(&lab, 4, 500).await;
    crowd.progress(20).await;

    for centre in CENTRES {
        for node in centre {
            lab.cluster.kill(*node).unwrap();
        }
        crowd.progress(40).await;
        let seen = (0..5).find(|node| !centre.contains(node)).unwrap();
        let mut admin = lab.cluster.admin(seen).await.unwrap();
        let groups = admin.groups(GroupsRequest::default()).await.unwrap().into_inner().groups;
        let leader = groups.into_iter().find(|group| group.id == GROUP).unwrap().leader;
        assert!(!leader.is_empty() && leader != "n5", "{leader:?} serves nobody");
        for node in centre {
            lab.restart(*node).await;
        }
        lab.cluster.wait_settled(PATIENCE).await.unwrap();
    }
    for client in &crowd.finish().await {
        client.verify(&lab).await;
    }
    lab.equal().await;
}

/// An upgrade or a reboot of every node, one after the other, is noticed by nobody: SIGTERM hands
/// leadership over before anything ends.
#[tokio::test(flavor = "multi_thread")]
async fn restarting_every_node_slows_no_push_beyond_half_a_second() {
    const ROUNDS: usize = 3;
    const BOUND: Duration = Duration::from_millis(500);
    let mut lab = Plan::of(3).start().await;
    let mut slowest = Vec::new();
    for _ in 0..ROUNDS {
        let crowd = Crowd::start(&lab, 4, 500).await;
        crowd.progress(20).await;
        for node in 0..3 {
            let status = lab.cluster.stop_node(node, PATIENCE).await.unwrap();
            assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", lab.log(node));
            crowd.progress(20).await;
            lab.restart(node).await;
            lab.cluster.wait_settled(PATIENCE).await.unwrap();
            crowd.progress(20).await;
        }
        let pushed = crowd.finish().await;
        slowest.push(pushed.iter().map(|client| client.longest).max().unwrap());
        for client in &pushed {
            client.verify(&lab).await;
        }
    }
    slowest.sort_unstable();
    eprintln!("the slowest push of each rolling restart: {slowest:?}");
    assert!(slowest[ROUNDS / 2] <= BOUND, "a push took {slowest:?}");
}
