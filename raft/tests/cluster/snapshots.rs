//! Nodes that are too far behind for the log.

use std::time::Duration;

use raft::Timing;

use crate::harness::{Cluster, WALLETS, until};

fn often() -> Timing {
    let ms = Duration::from_millis;
    Timing::new(ms(100), ms(300), ms(500), 100).unwrap()
}

/// A node that was away for longer than the log is kept catches up by a snapshot, and then has the
/// same state as the others, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_far_behind_installs_a_snapshot() {
    let mut cluster = Cluster::begun(&["a", "b", "c"], &often()).await;
    let away = (cluster.leader(WALLETS).await + 1) % 3;
    cluster.machines[away].stop(Duration::ZERO).await;
    for value in 0..600 {
        cluster.set(WALLETS, 1_000 + value).await;
    }
    let purged = |at: usize| cluster.machines[at].metric("holdfast_raft_purged_index");
    // On both: whichever leads by then has nothing but a snapshot to send.
    until("the log is purged", async || (0..3).all(|at| at == away || purged(at) > 300.0)).await;
    cluster.machines[away].start().await.unwrap();
    assert_eq!(cluster.get(away, WALLETS).await, 1_599);
    assert!(cluster.machines[away].metric("holdfast_raft_snapshots_installed_total") >= 1.0);
    assert!(cluster.machines[away].metric("holdfast_snapshot_frames_received_total") >= 2.0);
    cluster.agree().await;

    // What was installed is durable: the node comes back with it.
    cluster.machines[away].stop(Duration::ZERO).await;
    cluster.machines[away].start().await.unwrap();
    assert_eq!(cluster.get(away, WALLETS).await, 1_599);
    cluster.set(WALLETS, 2_000).await;
    cluster.agree().await;
    cluster.stop().await;
}

/// A node that was away for less catches up from the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_a_little_behind_reads_the_log() {
    let mut cluster = Cluster::begun(&["a", "b", "c"], &often()).await;
    let away = (cluster.leader(WALLETS).await + 1) % 3;
    cluster.machines[away].stop(Duration::ZERO).await;
    for value in 0..50 {
        cluster.set(WALLETS, 1_000 + value).await;
    }
    cluster.machines[away].start().await.unwrap();
    assert_eq!(cluster.get(away, WALLETS).await, 1_049);
    assert_eq!(cluster.machines[away].metric("holdfast_raft_snapshots_installed_total"), 0.0);
    cluster.agree().await;
    cluster.stop().await;
}
