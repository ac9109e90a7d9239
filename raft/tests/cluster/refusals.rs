//! Whom a cluster does not speak to.

use std::time::Duration;

use raft::{IdentityError, LogError, PeerTls, StartError, TlsError};

use crate::certificates::{CLUSTER, Ca};
use crate::harness::{Cluster, Machine, WALLETS, new_cluster, order, refusal, until};

/// An empty directory under a name that the cluster knows is refused, and says what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_directory_is_refused() {
    let mut cluster = Cluster::three().await;
    cluster.machines[2].stop(Duration::ZERO).await;
    cluster.machines[2].wipe();
    cluster.machines[2].seeds = vec![cluster.machines[0].address.clone()];
    let error = cluster.machines[2].start().await.unwrap_err();
    assert!(matches!(error, StartError::Identity(IdentityError::NameTaken { .. })), "{error}");
    assert!(error.to_string().contains("remove node 3 first"), "{error}");

    // It cannot sneak in either: nobody asks it, and whoever is asked to take it in refuses.
    cluster.machines[2].seeds.clear();
    cluster.machines[2].start().await.unwrap();
    let address = cluster.machines[2].address.clone();
    let refused = refusal(cluster.node(0).join(order(), &address).await);
    assert!(refused.contains("belongs to node 3, which has another directory"), "{refused}");
    cluster.set(WALLETS, 55).await;
    assert!(cluster.node(2).groups().is_empty());
    cluster.stop().await;
}

/// A node whose log lost what it acknowledged does not start.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_went_back_is_refused() {
    let mut cluster = Cluster::three().await;
    cluster.machines[1].stop(Duration::ZERO).await;
    // The database is gone, as after a restore from an old copy; everything else is there.
    std::fs::remove_dir_all(cluster.machines[1].path().join("db")).unwrap();
    let error = cluster.machines[1].start().await.unwrap_err();
    assert!(matches!(error, StartError::Log(LogError::WentBack { .. })), "{error}");
    cluster.set(WALLETS, 55).await;
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
