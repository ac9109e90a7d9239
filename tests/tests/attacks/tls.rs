//! Who gets through TLS, and by which TLS.

use proto::admin::StatusRequest;
use server::cluster::{
    admin::{OperatorFiles, connect, operator_tls},
    files::write_secret,
};
use std::{fs, process::Stdio, time::Duration};
use tests::{Lab, Plan, raw};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
    time::timeout,
};

/// A certificate that the cluster's own authority signed.
fn signed(
    lab: &Lab,
    name: &str,
    uri: &str,
    usage: rcgen::ExtendedKeyUsagePurpose,
) -> OperatorFiles {
    let read = |name: &str| fs::read_to_string(lab.cluster.dir().join(name)).unwrap();
    let key = rcgen::KeyPair::from_pem(&read("ca.key")).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&read("ca.pem"), key).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into().unwrap())];
    params.extended_key_usages = vec![usage];
    let key = rcgen::KeyPair::generate().unwrap();
    let path = |end: &str| lab.dir().join(format!("{name}.{end}"));
    fs::write(path("pem"), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    write_secret(&path("key"), key.serialize_pem().as_bytes()).unwrap();
    OperatorFiles { ca: lab.cluster.ca(), cert: path("pem"), key: path("key") }
}

/// Whether an admin call under these files is answered.
async fn answers(lab: &Lab, files: &OperatorFiles) -> bool {
    let endpoint = &lab.cluster.endpoints()[0];
    let Ok(mut admin) = connect(endpoint, operator_tls(files).unwrap()).await else { return false };
    admin.status(StatusRequest { local: true }).await.is_ok()
}

/// Attack 2: the right authority is not enough; the certificate must be for this, and name an operator
/// of this cluster.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_something_else_is_refused() {
    use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, EmailProtection, ServerAuth};
    let lab = Plan::of(1).start().await;
    for (name, uri, usage, taken) in [
        ("right", "spiffe://holdfast.local/operator/eve", ClientAuth, true),
        ("server", "spiffe://holdfast.local/operator/eve", ServerAuth, false),
        ("email", "spiffe://holdfast.local/operator/eve", EmailProtection, false),
        ("node", "spiffe://holdfast.local/node/eve", ClientAuth, false),
        ("elsewhere", "spiffe://elsewhere/operator/eve", ClientAuth, false),
        ("person", "spiffe://holdfast.local/person/eve", ClientAuth, false),
        ("web", "https://holdfast.local/operator/eve", ClientAuth, false),
    ] {
        let files = signed(&lab, name, uri, usage);
        assert_eq!(answers(&lab, &files).await, taken, "{name}");
    }
}

/// What `openssl s_client` says of a connection with these options; none without openssl.
async fn openssl(to: &str, options: &[&str]) -> Option<String> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-brief", "-connect", to]).args(options).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = match timeout(Duration::from_secs(20), command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => return None,
        other => panic!("openssl: {other:?}"),
    };
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Attack 3: TLS 1.3 and nothing else, on both ports.
#[tokio::test(flavor = "multi_thread")]
async fn tls_before_1_3_is_not_spoken() {
    let lab = Plan::of(1).start().await;
    let public = raw::address(&lab.cluster.endpoints()[0]).to_string();
    let peer = lab.cluster.nodes()[0].peer.clone();
    let Some(modern) = openssl(&public, &["-tls1_3"]).await else {
        return println!("SKIPPED: there is no openssl to speak older TLS with");
    };
    assert!(modern.contains("TLSv1.3"), "{modern}");
    for to in [&public, &peer] {
        for options in [
            &["-tls1_2"][..],
            &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            &["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
            &["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"],
            &["-tls1_2", "-legacy_renegotiation"],
            &["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"],
            &["-tls1_3", "-groups", "ffdhe2048"],
        ] {
            let said = openssl(to, options).await.unwrap();
            assert!(!said.contains("CONNECTION ESTABLISHED"), "{to} {options:?}: {said}");
        }
    }
    // Addresses have no server name: the public port is reached without one.
    let unnamed = openssl(&public, &["-tls1_3", "-noservername"]).await.unwrap();
    assert!(unnamed.contains("CONNECTION ESTABLISHED"), "{unnamed}");
}

/// Attack 4: what is not TLS is cut off on a TLS port, and TLS on the plain one.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_speaks_what_it_speaks_and_nothing_else() {
    let metrics = free_port().await;
    let lab = Plan::of(1).setting("listen.metrics", metrics.clone()).start().await;
    let public = raw::address(&lab.cluster.endpoints()[0]);
    let peer = raw::address(&lab.cluster.nodes()[0].peer);
    for to in [public, peer] {
        for said in [
            "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0",
            "SSH-2.0-OpenSSH_9.2\r\n",
        ] {
            let mut stream = raw::plain(to, None).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let ended = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
            assert!(ended.is_ok(), "{said:?} is left waiting");
            let shown = String::from_utf8_lossy(&answer);
            assert!(!shown.contains("HTTP") && !shown.contains("ok"), "{said:?}: {shown}");
        }
    }
    let to = raw::address(&metrics);
    let refused = raw::connect(to, raw::tls(&lab, &["h2"], None), None).await;
    refused.expect_err("TLS is not spoken on the plain port");
    let mut stream = raw::plain(to, None).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A port that nobody uses, on loopback.
async fn free_port() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Attack 95: nothing is taken before the handshake is done, also when a session is resumed.
#[tokio::test(flavor = "multi_thread")]
async fn early_data_is_not_taken() {
    let lab = Plan::of(1).start().await;
    let public = raw::address(&lab.cluster.endpoints()[0]);
    let mut config = (*raw::tls(&lab, &["http/1.1"], None)).clone();
    config.enable_early_data = true;
    let config = std::sync::Arc::new(config);
    for _ in 0..3 {
        let mut stream = raw::connect(public, config.clone(), None).await.unwrap();
        assert!(!stream.get_ref().1.is_early_data_accepted());
        // Tickets come behind the handshake.
        let asked = b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        stream.write_all(asked).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
    let name = rustls::pki_types::ServerName::IpAddress(public.ip().into());
    let mut next = rustls::ClientConnection::new(config, name).unwrap();
    assert!(next.early_data().is_none(), "a ticket allows early data");
}
