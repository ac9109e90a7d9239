//! Files, certificates and ports of clusters; processes are tested where the binary is.

use super::{
    NodePlan, RealHosts, Scratch,
    authority::Authority,
    plan::{self, PEER_PORT, PUBLIC_PORT, PlanError},
    ports::ReservedPort,
    prepare,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

fn node(text: &str) -> NodePlan {
    text.parse().unwrap()
}

#[test]
fn nodes_are_written_as_name_data_centre_host() {
    let plan = node("a,north,10.0.0.1");
    assert_eq!(
        (plan.name.as_str(), plan.dc.as_str(), plan.host.as_str()),
        ("a", "north", "10.0.0.1")
    );
    assert_eq!(node("b,south,b.example.org").authority(7), "b.example.org:7");
    assert_eq!(node("c,south,fd00::1").authority(7), "[fd00::1]:7");
    for bad in [
        "",
        "a",
        "a,north",
        "a,north,h,x",
        "a b,north,h",
        "a,,h",
        "../a,north,h",
        "a,north,h/x",
        "-a,n,h",
    ] {
        assert!(bad.parse::<NodePlan>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_plan_that_one_data_centre_can_stop_is_refused() {
    let three = [node("a,n,127.0.0.1"), node("b,s,127.0.0.2"), node("c,w,127.0.0.3")];
    assert_eq!(plan::check(&three, false), Ok(()));
    let lopsided = [node("a,n,127.0.0.1"), node("b,n,127.0.0.2"), node("c,w,127.0.0.3")];
    assert_eq!(
        plan::check(&lopsided, false),
        Err(PlanError::NotZeroLoss { dc: "n".into(), voters: 2, all: 3 })
    );
    assert_eq!(plan::check(&lopsided, true), Ok(()));
    assert_eq!(plan::check(&[], true), Err(PlanError::Empty));
    let twice = [node("a,n,127.0.0.1"), node("a,s,127.0.0.2")];
    assert_eq!(plan::check(&twice, true), Err(PlanError::NameTwice("a".into())));
}

#[test]
fn files_of_real_hosts_have_the_right_modes_and_share_what_they_must() {
    let scratch = Scratch::new("holdfast-files").unwrap();
    let dir = scratch.path().join("cluster");
    let nodes = [node("a,n,127.0.0.1"), node("b,s,127.0.0.2"), node("c,w,c.example.org")];
    let hosts = RealHosts {
        cluster: "test.example",
        nodes: &nodes,
        allow_single_dc: false,
        public_port: PUBLIC_PORT,
        peer_port: PEER_PORT,
        open_registration: false,
        passphrase: None,
        data_dir: None,
    };
    let written = prepare(&dir, &hosts).unwrap();

    let modes = modes(&dir);
    let expected = |file: &str| match file.rsplit_once('.') {
        _ if fs::metadata(dir.join(file)).unwrap().is_dir() => 0o700,
        Some((_, "key" | "token")) => 0o600,
        _ => 0o644,
    };
    for (file, mode) in &modes {
        assert_eq!(*mode, expected(file), "{file} has mode {mode:o}");
    }
    let names: Vec<&str> = modes.keys().map(String::as_str).collect();
    assert_eq!(names.len(), 4 + 3 * 7, "{names:?}");

    for shared in ["epoch.key", "registration.token", "ca.pem"] {
        let of = |node: &str| fs::read(dir.join(node).join(shared)).unwrap();
        assert_eq!(of("a"), of("b"), "{shared}");
    }
    assert_ne!(
        fs::read(dir.join("a/node.key")).unwrap(),
        fs::read(dir.join("b/node.key")).unwrap()
    );

    let config = fs::read_to_string(dir.join("c/config.toml")).unwrap();
    assert!(config.contains("public = \"0.0.0.0:7600\""), "{config}");
    assert!(config.contains("public = \"https://c.example.org:7600\""), "{config}");
    assert_eq!(written[2].peer, "c.example.org:7601");

    // Nothing is overwritten, and nothing is left of an attempt that was refused.
    let again = prepare(&dir, &hosts).unwrap_err().to_string();
    assert!(again.contains("exists"), "{again}");
    let refused = scratch.path().join("refused");
    let single = RealHosts { nodes: &nodes[..1], ..hosts };
    assert!(prepare(&refused, &single).is_err());
    assert!(!refused.exists());
}

fn modes(dir: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let meta = fs::metadata(&path).unwrap();
        if meta.is_dir() {
            for (inner, mode) in modes(&path) {
                found.insert(format!("{name}/{inner}"), mode);
            }
        }
        found.insert(name, meta.permissions().mode() & 0o7777);
    }
    found
}

/// Whether a TLS handshake between a node and a caller with this certificate succeeds, both sides
/// trusting `authority`.
fn handshake(
    authority: &Authority,
    server: &super::authority::Credential,
    client: &super::authority::Credential,
    host: &str,
) -> Result<(), rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = |pem: &str| vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
    let key = |pem: &str| PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(chain(authority.certificate()).remove(0)).unwrap();
    let roots = Arc::new(roots);
    let callers = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .unwrap();
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(callers)
        .with_single_cert(chain(&server.certificate), key(&server.key))?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain(&client.certificate), key(&client.key))?;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut server = ServerConnection::new(Arc::new(server))?;
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn certificates_hold_in_a_handshake_and_only_where_they_should() {
    let authority = Authority::new("test.example").unwrap();
    let foreign = Authority::new("test.example").unwrap();
    let hosts = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let a = authority.node("a", "north", &hosts).unwrap();
    let b = authority.node("b", "south", &["10.0.0.2".to_owned()]).unwrap();
    let operator = authority.operator("admin").unwrap();

    handshake(&authority, &a, &b, "127.0.0.1").unwrap();
    handshake(&authority, &a, &operator, "localhost").unwrap();
    handshake(&authority, &b, &a, "10.0.0.2").unwrap();

    assert!(handshake(&authority, &b, &a, "127.0.0.1").is_err(), "a node of another host");
    assert!(handshake(&authority, &operator, &a, "127.0.0.1").is_err(), "an operator is no server");
    let stranger = foreign.node("a", "north", &hosts).unwrap();
    assert!(handshake(&authority, &stranger, &a, "127.0.0.1").is_err(), "another authority's node");
    assert!(
        handshake(&authority, &a, &stranger, "127.0.0.1").is_err(),
        "another authority's caller"
    );
}

#[test]
fn a_reserved_port_refuses_callers_and_lets_the_node_in_again_and_again() {
    let reserved = ReservedPort::any(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
    assert!(TcpStream::connect(reserved.address()).is_err(), "nobody listens yet");
    for _ in 0..3 {
        // As a node does it. Connections that were open when it ended must not keep the port.
        let listener = TcpListener::bind(reserved.address()).unwrap();
        let mut caller = TcpStream::connect(reserved.address()).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        caller.write_all(b"x").unwrap();
        accepted.read_exact(&mut [0]).unwrap();
        drop((accepted, listener));
        assert!(TcpStream::connect(reserved.address()).is_err(), "the node is down");
    }
    let other = ReservedPort::any(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
    assert_ne!(other.address(), reserved.address());
    let listener = TcpListener::bind(reserved.address()).unwrap();
    assert!(
        ReservedPort::exactly(listener.local_addr().unwrap()).is_err(),
        "somebody listens there"
    );
}
