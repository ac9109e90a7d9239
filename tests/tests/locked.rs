//! A node without its epoch key replicates and votes, and answers `locked`, until somebody brings the
//! passphrase.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use client::Record;
use proto::admin::UnlockRequest;
use server::cluster::{Cluster, Scratch, files::write_secret};
use std::fs;
use tests::{Lab, Plan, lab::PATIENCE};
use types::Secret;

const PASSPHRASE: &[u8] = b"correct horse battery staple";

async fn unlock(lab: &Lab, node: usize, passphrase: &[u8]) -> Result<(), tonic::Status> {
    let mut admin = lab.cluster.admin(node).await.unwrap();
    admin.unlock(UnlockRequest { passphrase: passphrase.to_vec() }).await.map(|_| ())
}

/// Three nodes whose epoch key opens by a passphrase only.
async fn start() -> Lab {
    let scratch = Scratch::new("holdfast-test").unwrap();
    let plan = Plan::of(3).setting("epoch_key.source", "passphrase");
    let options = plan.options(scratch.path().join("cluster"));
    let mut cluster = Cluster::create(&options).unwrap();
    let key = server::epoch_key::generate(Some(&Secret::new(PASSPHRASE.to_vec())));
    for node in cluster.nodes() {
        let file = node.dir.join("epoch.key");
        fs::remove_file(&file).unwrap();
        write_secret(&file, key.expose()).unwrap();
    }
    for node in 0..3 {
        cluster.start_node(node).unwrap();
        cluster.wait_answering(node, PATIENCE).await.unwrap();
    }
    cluster.bootstrap(options.wallet_groups, false).await.unwrap();
    cluster.wait_settled(PATIENCE).await.unwrap();
    Lab::around(cluster, scratch)
}

/// Locked nodes refuse wallets by name; one unlocked node is enough to serve, led there by the locked
/// ones; a locked replica follows all the same; a wrong passphrase opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_node_replicates_and_answers_locked() {
    let lab = start().await;
    let status = lab.cluster.status(0).await.unwrap();
    assert!(status.locked);
    assert!(!status.self_healing.unwrap().held, "somebody has to come after a restart");

    assert!(unlock(&lab, 0, b"wrong").await.is_err());
    assert!(lab.cluster.status(0).await.unwrap().locked);

    unlock(&lab, 0, PASSPHRASE).await.unwrap();
    assert!(!lab.cluster.status(0).await.unwrap().locked);
    let (mut wallet, _) = lab.wallet("phone").await;
    wallet.put(Record::new("opaque", "one", "served by the unlocked node")).unwrap();
    wallet.push().await.unwrap();
    assert!(lab.cluster.status(1).await.unwrap().locked);
    lab.equal().await;
}
