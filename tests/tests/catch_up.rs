//! P1, P9: a node that was away for longer than the log is kept comes back by a snapshot, also when
//! it dies while it receives one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use server::cluster::{Cluster, Scratch, ports::ReservedPort};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};
use tests::{
    Lab, Plan,
    crowd::Crowd,
    lab::{GROUP, PATIENCE, until},
    scrape::number,
    throttle::Throttle,
};

/// A node misses 10,000 pushes to one group that cuts its log every 1,000. It is killed between the
/// first and the last frame of the snapshot that it then receives, comes back once more, and catches
/// up by a snapshot.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_away_for_ten_thousand_pushes_catches_up_by_a_snapshot_despite_a_kill() {
    const AWAY: usize = 2;
    let link = Throttle::start().await.unwrap();
    let port = ReservedPort::any(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
    let scratch = Scratch::new("holdfast-test").unwrap();
    let mut options =
        Plan::of(3).setting("raft.snapshot_entries", 1000).options(scratch.path().join("cluster"));
    let overrides = &mut options.nodes[AWAY].overrides;
    overrides.insert("advertise.peer".into(), link.address().to_string().into());
    overrides.insert("listen.metrics".into(), port.address().to_string().into());

    let mut cluster = Cluster::create(&options).unwrap();
    link.towards(cluster.nodes()[AWAY].peer.parse().unwrap());
    for node in 0..3 {
        cluster.start_node(node).unwrap();
        cluster.wait_answering(node, PATIENCE).await.unwrap();
    }
    cluster.bootstrap(options.wallet_groups, false).await.unwrap();
    cluster.wait_settled(PATIENCE).await.unwrap();
    let mut lab = Lab::around(cluster, scratch);

    let crowd = Crowd::start(&lab, 16, 900).await;
    crowd.progress(16).await;
    lab.cluster.kill(AWAY).unwrap();
    let missed = crowd.acknowledged();
    until("10,000 pushes", Duration::from_secs(300), async || {
        (crowd.acknowledged() >= missed + 10_000).then_some(())
    })
    .await;
    let pushed = crowd.finish().await;

    let received =
        || number(port.address(), "holdfast_snapshot_frames_received_total").unwrap_or(0.0);
    let installed =
        || number(port.address(), "holdfast_raft_snapshots_installed_total").unwrap_or(0.0);

    link.limit_snapshots(1_000_000);
    lab.cluster.start_node(AWAY).unwrap();
    until("the first frames of a snapshot arrive", PATIENCE, async || {
        (received() >= 2.0).then_some(())
    })
    .await;
    assert_eq!(installed(), 0.0, "the kill comes before the last frame");
    lab.cluster.kill(AWAY).unwrap();

    link.limit_snapshots(u64::MAX);
    lab.restart(AWAY).await;
    until("a snapshot is installed", PATIENCE, async || (installed() >= 1.0).then_some(())).await;
    lab.equal().await;

    lab.cluster.kill(lab.leader(GROUP).await).unwrap();
    for client in &pushed[..2] {
        client.verify(&lab).await;
    }
}
