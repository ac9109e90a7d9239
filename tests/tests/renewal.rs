//! P9: certificates are renewed while a node runs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use server::cluster::Signal;
use server::cluster::admin::operator_tls;
use server::cluster::authority::{Authority, Credential};
use server::cluster::files::write_secret;
use tests::lab::{PATIENCE, until};
use tests::{Lab, Plan};

fn authority(lab: &Lab) -> Authority {
    let read = |name: &str| fs::read_to_string(lab.cluster.dir().join(name)).unwrap();
    let key = types::Secret::new(read("ca.key").into_bytes());
    Authority::load("holdfast.local", read("ca.pem"), &key).unwrap()
}

fn renew(dir: &Path, credential: &Credential) {
    fs::write(dir.join("node.pem"), &credential.certificate).unwrap();
    let key = dir.join("node.key");
    fs::remove_file(&key).unwrap();
    write_secret(&key, credential.key.as_bytes()).unwrap();
}

/// The certificate that a port shows.
async fn shown(lab: &Lab, address: &str) -> Vec<u8> {
    let tls = operator_tls(&lab.cluster.operator()).unwrap();
    let address = address.to_owned();
    tokio::task::spawn_blocking(move || {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut tls = ClientConnection::new(Arc::clone(&tls), name).unwrap();
        let mut tcp = TcpStream::connect(&address).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp).unwrap();
        }
        tls.peer_certificates().unwrap()[0].to_vec()
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let mut lab = Plan::of(3).start().await;
    let (mut phone, _) = lab.wallet("phone").await;
    let hosts = ["127.0.0.1".to_owned()];
    let node = &lab.cluster.nodes()[0];
    let (dir, dc) = (node.dir.clone(), node.plan.dc.clone());
    let public = lab.cluster.endpoints()[0].strip_prefix("https://").unwrap().to_owned();
    let before = shown(&lab, &public).await;

    // A certificate without its key is not used, and not one that names another machine.
    let wanted = authority(&lab).node("n1", &dc, &hosts).unwrap();
    let other = authority(&lab).node("n2", &dc, &hosts).unwrap();
    fs::write(dir.join("node.pem"), &wanted.certificate).unwrap();
    for attempt in 1..=2 {
        lab.cluster.node(0).unwrap().process().unwrap().signal(Signal::HUP).unwrap();
        until("it says that it keeps the old ones", PATIENCE, async || {
            (lab.log(0).matches("the old ones stay in use").count() == attempt).then_some(())
        })
        .await;
        assert_eq!(shown(&lab, &public).await, before, "attempt {attempt}");
        renew(&dir, &other);
    }

    renew(&dir, &wanted);
    lab.cluster.node(0).unwrap().process().unwrap().signal(Signal::HUP).unwrap();
    until("the new certificate is shown", PATIENCE, async || {
        (shown(&lab, &public).await != before).then_some(())
    })
    .await;
    lab.restart(1).await;
    lab.cluster.wait_settled(PATIENCE).await.unwrap();
    phone.pull().await.unwrap();
}
