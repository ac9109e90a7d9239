//! Who is let in: machines of this cluster, under their own names, with the directory they began with.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use proto::admin::StatusRequest;
use server::cluster::{
    admin::{OperatorFiles, connect, operator_tls},
    authority::Authority,
    files::write_secret,
};
use std::fs;
use tests::{
    Lab, Plan, harm,
    lab::{PATIENCE, until},
};

/// Writes a certificate and its key, to be shown to the cluster of `lab`.
fn files(lab: &Lab, name: &str, certificate: &str, key: &str) -> OperatorFiles {
    let path = |end: &str| lab.dir().join(format!("{name}.{end}"));
    fs::write(path("pem"), certificate).unwrap();
    write_secret(&path("key"), key.as_bytes()).unwrap();
    OperatorFiles { ca: lab.cluster.ca(), cert: path("pem"), key: path("key") }
}

/// An operator certificate signed by the cluster's own authority, valid from and to the given years.
fn from_own_authority(lab: &Lab, from: i32, to: i32) -> (String, String) {
    let read = |name: &str| fs::read_to_string(lab.cluster.dir().join(name)).unwrap();
    let key = rcgen::KeyPair::from_pem(&read("ca.key")).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&read("ca.pem"), key).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "operator late");
    let uri = "spiffe://holdfast.local/operator/late".try_into().unwrap();
    params.subject_alt_names = vec![rcgen::SanType::URI(uri)];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
}

/// Whether a node answers an admin call under these files.
async fn answers(endpoint: &str, files: &OperatorFiles) -> bool {
    let Ok(mut admin) = connect(endpoint, operator_tls(files).unwrap()).await else { return false };
    admin.status(StatusRequest::default()).await.is_ok()
}

/// A disk that was cloned to another machine: the two would promise different things under one name.
#[tokio::test(flavor = "multi_thread")]
async fn the_directory_of_another_node_is_refused() {
    let mut lab = Plan::of(3).start().await;
    for node in [1, 2] {
        lab.cluster.stop_node(node, PATIENCE).await.unwrap();
    }
    let (from, to) = (lab.data(1), lab.data(2));
    fs::rename(&to, lab.dir().join("own")).unwrap();
    harm::copy(&from, &to);
    let (code, said) = lab.ends(2).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is that of n2, and this node is called n3"), "{said}");
    fs::remove_dir_all(&to).unwrap();
    fs::rename(lab.dir().join("own"), &to).unwrap();
    lab.restart(2).await;
    lab.equal().await;
}

/// Certificates of another authority, expired ones and those not valid yet are refused; the same
/// certificate within its time is taken.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_or_foreign_certificate_is_refused() {
    let lab = Plan::of(1).start().await;
    let endpoint = lab.cluster.endpoints().remove(0);
    assert!(answers(&endpoint, &lab.cluster.operator()).await);

    let foreign = Authority::new("holdfast.local").unwrap().operator("admin").unwrap();
    let foreign = files(&lab, "foreign", &foreign.certificate, &foreign.key);
    assert!(!answers(&endpoint, &foreign).await, "another authority");

    for (name, from, to, taken) in
        [("now", 2020, 2100, true), ("expired", 2020, 2021, false), ("early", 2100, 2101, false)]
    {
        let (certificate, key) = from_own_authority(&lab, from, to);
        let files = files(&lab, name, &certificate, &key);
        assert_eq!(answers(&endpoint, &files).await, taken, "{name}");
    }
}

/// The peer port takes certificates of nodes only: not an operator's, not a foreign node's.
#[tokio::test(flavor = "multi_thread")]
async fn the_peer_port_takes_certificates_of_its_nodes_only() {
    let lab = Plan::of(1).start().await;
    let peer = format!("https://{}", lab.cluster.nodes()[0].peer);
    let identify = async |files: &OperatorFiles| {
        let tls = operator_tls(files).unwrap();
        let channel = server::cluster::admin::channel(&peer, tls).await?;
        let mut client = proto::peer::peer_client::PeerClient::new(channel);
        client.identify(proto::peer::IdentifyRequest::default()).await?;
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    let home = &lab.cluster.nodes()[0].dir;
    let own = OperatorFiles {
        ca: lab.cluster.ca(),
        cert: home.join("node.pem"),
        key: home.join("node.key"),
    };
    identify(&own).await.unwrap();

    assert!(identify(&lab.cluster.operator()).await.is_err(), "an operator is no node");
    let hosts = ["127.0.0.1".to_owned()];
    let foreign = Authority::new("holdfast.local").unwrap().node("n1", "dc1", &hosts).unwrap();
    let foreign = files(&lab, "foreign-node", &foreign.certificate, &foreign.key);
    assert!(identify(&foreign).await.is_err(), "another authority's node");
}

/// A node that lost its directory is not the node that it was: its old id is gone for ever, and the
/// machine has another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_directory_is_not_the_node_that_it_was() {
    let mut lab = Plan::of(3).start().await;
    let (mut phone, _) = lab.wallet("phone").await;
    lab.cluster.kill(2).unwrap();
    fs::remove_dir_all(lab.data(2)).unwrap();
    lab.cluster.start_node(2).unwrap();
    let states = until("its machine is back", PATIENCE, async || {
        let status = lab.status(0).await?;
        let named = status.nodes.iter().filter(|node| node.name == "n3");
        let states: Vec<_> = named.map(|node| (node.id, node.state.clone())).collect();
        (states.len() == 2).then_some(states)
    })
    .await;
    assert_eq!(states, [(3, "removed".to_owned()), (4, "active".to_owned())]);

    phone.put(client::Record::new("opaque", "after", "without the third")).unwrap();
    phone.push().await.unwrap();
}
