//! The listener: whom a connection shows reaches the request, and silence does not cost for ever.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "cluster/certificates.rs"]
#[allow(unreachable_pub, dead_code)]
mod certificates;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::routing::get;
use axum::{Extension, Router};
use raft::listener::{self, Limits, PeerAddress};
use raft::{ConnectionIdentity, IdentityKind, PeerTls};
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use certificates::{Ca, Issued};

async fn who(
    identity: Option<Extension<ConnectionIdentity>>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
) -> String {
    let Some(Extension(identity)) = identity else {
        return format!("a stranger at {}", address.ip());
    };
    let kind = if identity.kind == IdentityKind::Node { "node" } else { "operator" };
    format!("{kind} {} in {:?} of {}", identity.name, identity.dc, identity.cluster)
}

struct Served {
    address: SocketAddr,
    ca: Ca,
    tls: Arc<ArcSwap<ServerConfig>>,
    end: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

fn roots(ca: &Ca) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.roots().remove(0)).unwrap();
    Arc::new(roots)
}

/// As a public port: a certificate may be shown, and must then be of the CA.
fn server(ca: &Ca, uri: &str) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(roots(ca), provider.clone());
    let clients = clients.allow_unauthenticated().build().unwrap();
    let (chain, key) = ca.issue_for_host(uri, "a", "localhost");
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .unwrap()
}

async fn serve(limits: Limits) -> Served {
    let ca = Ca::new();
    let tls = Arc::new(ArcSwap::from_pointee(server(&ca, "spiffe://holdfast-test/node/one")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, end) = (listener.local_addr().unwrap(), CancellationToken::new());
    let router = Router::new().route("/", get(who));
    let serving =
        tokio::spawn(listener::serve_with(listener, tls.clone(), router, end.clone(), limits));
    Served { address, ca, tls, end, serving }
}

/// Connects, asks who it is taken for, and closes.
async fn ask(served: &Served, shown: Option<Issued>) -> Result<String, std::io::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(&served.ca));
    let config = match shown {
        Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
        None => config.with_no_client_auth(),
    };
    let stream = TcpStream::connect(served.address).await?;
    let name = "localhost".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.rsplit("\r\n").next().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_reaches_the_request() {
    let served = serve(Limits::PUBLIC).await;
    assert_eq!(ask(&served, None).await.unwrap(), "a stranger at 127.0.0.1");
    let operator = served.ca.issue("spiffe://holdfast-test/operator/eve", "ops");
    let answer = ask(&served, Some(operator)).await.unwrap();
    assert_eq!(answer, "operator eve in \"ops\" of holdfast-test");
    let node = served.ca.issue("spiffe://holdfast-test/node/two", "b");
    let answer = ask(&served, Some(node)).await.unwrap();
    assert_eq!(answer, "node two in \"b\" of holdfast-test");

    for nobody in ["spiffe://holdfast-test/person/eve", "spiffe://holdfast-test/node/a/b", "x:y"] {
        let nobody = served.ca.issue(nobody, "a");
        assert!(ask(&served, Some(nobody)).await.map_or(true, |answer| answer.is_empty()));
    }
    let foreign = Ca::new().issue("spiffe://holdfast-test/operator/eve", "ops");
    assert!(ask(&served, Some(foreign)).await.map_or(true, |answer| answer.is_empty()));
    let expired = served.ca.issue_until("spiffe://holdfast-test/operator/eve", "ops", 2021);
    assert!(ask(&served, Some(expired)).await.map_or(true, |answer| answer.is_empty()));
}

/// A new certificate serves the next connection; the listener is not interrupted.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_exchanged_in_flight() {
    let mut served = serve(Limits::PUBLIC).await;
    ask(&served, None).await.unwrap();
    let other = Ca::new();
    served.tls.store(Arc::new(server(&other, "spiffe://holdfast-test/node/one")));
    ask(&served, None).await.unwrap_err();
    served.ca = other;
    ask(&served, None).await.unwrap();
}

/// Whoever connects and says nothing is cut off when the handshake's time is up, and holds up nobody
/// else meanwhile, not even when all places but one are taken by the silent.
#[tokio::test(flavor = "multi_thread")]
async fn silence_is_cut_off() {
    let limits = Limits { connections: 3, handshake: Duration::from_millis(300), ..Limits::PUBLIC };
    let served = serve(limits).await;
    let began = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..2 {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    ask(&served, None).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(300), "a silent connection held up another");
    for mut stream in silent {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).await.unwrap_or(0), 0, "nothing is said to the silent");
    }
    assert!(began.elapsed() >= Duration::from_millis(300));
}

/// Whoever comes when every place is taken waits until one is free.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_limited() {
    let served = serve(Limits { connections: 1, ..Limits::PUBLIC }).await;
    let held = TcpStream::connect(served.address).await.unwrap();
    let mut waiting = std::pin::pin!(ask(&served, None));
    let early = tokio::time::timeout(Duration::from_millis(300), waiting.as_mut()).await;
    assert!(early.is_err(), "there was a place for a second connection");
    drop(held);
    assert_eq!(waiting.await.unwrap(), "a stranger at 127.0.0.1");
}

/// A connection is told in its first frame how many requests it may have at once (RFC 9113, 6.5.2).
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_connection_are_limited() {
    let served = serve(Limits { streams: 7, ..Limits::PUBLIC }).await;
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(&served.ca))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(served.address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "the first frame is SETTINGS");
    let mut settings = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut settings).await.unwrap();
    let max_concurrent_streams = [0, 3, 0, 0, 0, 7];
    assert!(settings.chunks(6).any(|one| one == max_concurrent_streams), "{settings:?}");
}

/// Shutdown ends the listener, idle connections with it, within the time to drain.
#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_everything() {
    let served = serve(Limits { drain: Duration::from_millis(200), ..Limits::PUBLIC }).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    ask(&served, None).await.unwrap();
    served.end.cancel();
    served.serving.await.unwrap().unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
    TcpStream::connect(served.address).await.unwrap_err();
}
