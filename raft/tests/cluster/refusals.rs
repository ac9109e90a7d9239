//! Whom a cluster does not speak to.

use std::time::Duration;

use raft::{End, PeerTls, TlsError};
use types::NodeState;

use crate::certificates::{CLUSTER, Ca};
use crate::harness::{Cluster, Machine, PATIENCE, WALLETS, new_cluster, order, refusal, until};

/// An empty directory under a name that the cluster knows is nobody, as long as the one it was still
/// counts; once it has found the cluster it comes back under a new id.
#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_directory_comes_back_under_a_new_id() {
    let mut cluster = Cluster::three().await;
    cluster.machines[2].stop(Duration::ZERO).await;
    cluster.machines[2].wipe();
    // It cannot sneak in: nobody asks it, and whoever is asked to take it in refuses.
    cluster.machines[2].start().await.unwrap();
    let address = cluster.machines[2].address.clone();
    let refused = refusal(cluster.node(0).join(order(), &address).await);
    assert!(refused.contains("belongs to node 3, which has another directory"), "{refused}");
    cluster.set(WALLETS, 55).await;
    assert!(cluster.node(2).groups().is_empty());
    cluster.machines[2].stop(Duration::ZERO).await;

    cluster.machines[2].seeds = vec![cluster.machines[0].address.clone()];
    cluster.machines[2].start().await.unwrap();
    until("it has a place again", async || cluster.node(2).info().is_some()).await;
    assert_eq!(cluster.id(2).0, 4, "ids are never used again");
    assert_eq!(cluster.node(0).node(types::NodeId(3)).unwrap().state, NodeState::Removed);
    assert_eq!(cluster.get(2, WALLETS).await, 55);
    cluster.stop().await;
}

/// A second process under the name of a node that still runs does not push it out.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_under_a_name_is_refused() {
    let mut cluster = Cluster::three().await;
    let mut twin = Machine::new(&cluster.ca, "node-3", "c").await;
    twin.seeds = vec![cluster.machines[0].address.clone()];
    twin.start().await.unwrap();
    // It asks twice a second, and is refused each time.
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.set(WALLETS, 55).await;
    assert!(twin.node().groups().is_empty());
    assert_eq!(cluster.node(0).node(types::NodeId(3)).unwrap().state, NodeState::Active);
    twin.stop(Duration::ZERO).await;
    cluster.stop().await;
}

/// A node whose log lost what it acknowledged promises nothing, until it is another node.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_went_back_is_a_quarantine() {
    let mut cluster = Cluster::three().await;
    let lost = cluster.machines[1].copy_when_stopped().await;
    cluster.machines[1].start().await.unwrap();
    cluster.set(WALLETS, 55).await;
    cluster.agree().await;
    cluster.machines[1].stop(Duration::ZERO).await;
    // The database is an older one; the marks are not.
    let database = cluster.machines[1].path().join("db");
    std::fs::remove_dir_all(&database).unwrap();
    std::fs::rename(lost.path().join("db"), &database).unwrap();
    cluster.machines[1].start().await.unwrap();
    let repair = cluster.node(1).status().await.repair.unwrap();
    assert!(repair.contains("in quarantine") && repair.contains("went back"), "{repair}");
    assert!(cluster.node(1).groups().is_empty());

    let end = tokio::time::timeout(PATIENCE, cluster.node(1).fatal()).await.unwrap();
    assert!(matches!(end, End::Again(_)), "{end:?}");
    cluster.machines[1].stop(Duration::ZERO).await;
    cluster.machines[1].start().await.unwrap();
    assert_eq!(cluster.id(1).0, 4);
    assert_eq!(cluster.get(1, WALLETS).await, 55);
    cluster.set(WALLETS, 56).await;
    cluster.agree().await;
    cluster.stop().await;
}

/// Certificates that are not of this cluster, not of a node, or not valid any more.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_certificates_are_refused() {
    let ca = Ca::new();
    let tls = |cluster: &str, ca: &Ca, uri: &str, dc: &str| {
        let (chain, key) = ca.issue(uri, dc);
        PeerTls::new(cluster, ca.roots(), chain, key)
    };
    let own = |uri: &str, dc: &str| tls(CLUSTER, &ca, uri, dc).err().unwrap().to_string();
    assert!(own("spiffe://holdfast-test/operator/eve", "a").contains("must name a node"));
    assert!(own("spiffe://elsewhere/node/node-1", "a").contains("must name a node"));
    assert!(own("https://holdfast-test/node/node-1", "a").contains("spiffe://CLUSTER/node/NAME"));
    assert!(matches!(
        PeerTls::new(CLUSTER, ca.roots(), Vec::new(), ca.issue("x:y", "a").1),
        Err(TlsError::NoCertificate)
    ));

    let mut first = Machine::new(&ca, "node-1", "a").await;
    first.start().await.unwrap();
    // Each would be the second node of a cluster, with certificates that the first must not believe.
    let other_ca = Ca::new();
    let (expired, key) = ca.issue_until("spiffe://holdfast-test/node/node-2", "b", 2021);
    let strangers = [
        other_ca.node("node-2", "b"),
        tls("elsewhere", &ca, "spiffe://elsewhere/node/node-2", "b").unwrap(),
        PeerTls::new(CLUSTER, ca.roots(), expired, key).unwrap(),
    ];
    for tls in strangers {
        let mut second = Machine::with_tls(tls, "node-2", "b").await;
        second.start().await.unwrap();
        let new = new_cluster(std::slice::from_ref(&second));
        let asked = first.node().bootstrap(order(), &new).await.unwrap_err().to_string();
        assert!(asked.contains(&second.address), "{asked}");
        let new = new_cluster(std::slice::from_ref(&first));
        let asked = second.node().bootstrap(order(), &new).await.unwrap_err().to_string();
        assert!(asked.contains(&first.address), "{asked}");
        second.stop(Duration::ZERO).await;
    }
    first.stop(Duration::ZERO).await;
}

/// A machine that answers at the address of another, with its own valid certificate, is not taken
/// for it: the name counts.
#[tokio::test(flavor = "multi_thread")]
async fn another_machine_at_the_same_address_is_refused() {
    let mut cluster = Cluster::three().await;
    cluster.machines[2].stop(Duration::ZERO).await;
    let mut impostor = Machine::new(&cluster.ca, "node-9", "c").await;
    impostor.address = cluster.machines[2].address.clone();
    impostor.start().await.unwrap();
    cluster.set(WALLETS, 55).await;
    until("the others look", async || {
        cluster.machines[0].metric("holdfast_peer_connections") <= 2.0
    })
    .await;
    assert!(impostor.node().groups().is_empty());
    impostor.stop(Duration::ZERO).await;
    cluster.machines[2].start().await.unwrap();
    assert_eq!(cluster.get(2, WALLETS).await, 55);
    cluster.stop().await;
}

/// A node of one cluster is not taken into another, and a member's place is never given twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_has_one_cluster() {
    let mut first = Cluster::three().await;
    let mut other = Machine::new(&first.ca, "node-7", "a").await;
    other.start().await.unwrap();
    let mut new = new_cluster(std::slice::from_ref(&other));
    new.allow_single_dc = true;
    other.node().bootstrap(order(), &new).await.unwrap();
    let refused = refusal(first.node(0).join(order(), &other.address).await);
    assert!(refused.contains("node-7 belongs to another cluster"), "{refused}");
    let mut fresh = Machine::new(&first.ca, "node-8", "b").await;
    fresh.start().await.unwrap();
    new.peers = vec![fresh.address.clone(), other.address.clone()];
    let refused = refusal(fresh.node().bootstrap(order(), &new).await);
    assert!(refused.contains("node-7 belongs to a cluster already"), "{refused}");
    other.stop(Duration::ZERO).await;
    fresh.stop(Duration::ZERO).await;
    first.stop().await;
}
