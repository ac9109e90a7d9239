//! Real clusters of node processes on both kinds of network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use jepsen::net::{
    Cut, End, Layout, Net, NetError,
    shapes::{Members, Shape},
};
use server::cluster::{Cluster, Options, Scratch, plan::Overrides, process::Tie};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// The first wallet group.
const GROUP: u32 = 2;

fn layout() -> Layout {
    "dc1:n1 dc2:n2 dc3:n3, 2-3 ms between them".parse().unwrap()
}

/// The `holdfast` of this build.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let binary = test.ancestors().nth(2).unwrap().join("holdfast");
    assert!(
        binary.is_file(),
        "{} is missing; build it first: cargo build --release --package cli",
        binary.display()
    );
    binary
}

#[test]
fn on_the_switch_a_cluster_forms_and_an_isolated_leader_is_replaced() {
    match Net::switch(&layout(), 1) {
        Ok(net) => isolated_leader_is_replaced(&net, Cut::Silent),
        Err(NetError::Lacking(what)) => println!("SKIPPED: {what}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn through_the_proxy_a_cluster_forms_and_an_isolated_leader_is_replaced() {
    let net = Net::proxy(&layout(), 1).unwrap();
    isolated_leader_is_replaced(&net, Cut::Silent);
}

#[test]
fn through_the_proxy_a_leader_whose_links_refuse_is_replaced() {
    let net = Net::proxy(&layout(), 1).unwrap();
    isolated_leader_is_replaced(&net, Cut::Refuse);
}

fn isolated_leader_is_replaced(net: &Net, how: Cut) {
    let work = || tokio::runtime::Runtime::new().unwrap().block_on(replaced(net, how));
    net.inside(End::Clients, work).unwrap();
}

async fn replaced(net: &Net, how: Cut) {
    let scratch = Scratch::new("holdfast-test").unwrap();
    let options = Options {
        nodes: net.plans().unwrap(),
        program: binary(),
        dir: scratch.path().join("cluster"),
        wallet_groups: 1,
        allow_single_dc: false,
        overrides: Overrides::new(),
        tie: Tie::EndsWithStarter,
    };
    let mut cluster = Cluster::create(&options).unwrap();
    net.join(&cluster);
    for n in 0..3 {
        net.inside(End::Node(n), || cluster.start_node(n)).unwrap().unwrap();
    }
    for n in 0..3 {
        cluster.wait_answering(n, PATIENCE).await.unwrap();
    }
    cluster.bootstrap(1, false).await.unwrap();
    cluster.wait_settled(PATIENCE).await.unwrap();

    let leader = cluster.wait_leader(GROUP, PATIENCE).await.unwrap();
    let leader = cluster.find(&leader).unwrap();
    let members = Members { dcs: net.layout().dcs(), leader: Some(leader) };
    let cuts = Shape::IsolatedLeader.cuts(&members, 1);
    net.cut(&cuts, how);
    let other = (leader + 1) % 3;
    let begun = Instant::now();
    loop {
        let status = cluster.status(other).await.unwrap();
        let known = &status.groups.iter().find(|group| group.id == GROUP).unwrap().leader;
        if cluster.find(known).is_some_and(|known| known != leader) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{known:?} leads on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let counters = net.counters();
    for (from, to) in &cuts {
        let felt = counters[&(End::Node(*from), End::Node(*to))];
        assert!(felt.cut > 0, "{from} to {to}: {felt:?}");
        assert!(felt.passed > 0, "{from} to {to}: {felt:?}");
    }

    net.heal().unwrap();
    cluster.wait_settled(PATIENCE).await.unwrap();
    cluster.wait_equal(PATIENCE).await.unwrap();
}
