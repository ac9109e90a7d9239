//! The listener: whom a connection shows reaches the request, and silence does not cost for ever.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "cluster/certificates.rs"]
#[allow(unreachable_pub, dead_code)]
mod certificates;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use futures::StreamExt;
use raft::listener::{self, Limits, PeerAddress};
use raft::{ConnectionIdentity, IdentityKind, PeerTls};
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
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
    serve_router(limits, Router::new().route("/", get(who))).await
}

async fn serve_router(limits: Limits, router: Router) -> Served {
    let ca = Ca::new();
    let tls = Arc::new(ArcSwap::from_pointee(server(&ca, "spiffe://holdfast-test/node/one")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, end) = (listener.local_addr().unwrap(), CancellationToken::new());
    let serving =
        tokio::spawn(listener::serve_with(listener, tls.clone(), router, end.clone(), limits));
    Served { address, ca, tls, end, serving }
}

/// A stranger that offers these protocols, or none.
fn client(served: &Served, alpn: &[u8]) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(&served.ca))
        .with_no_client_auth();
    config.alpn_protocols =
        [alpn].into_iter().filter(|name| !name.is_empty()).map(Vec::from).collect();
    config
}

/// A connection that has said nothing yet.
async fn connect(served: &Served, alpn: &[u8]) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(served.address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(client(served, alpn)));
    connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
}

/// Whether a connection on which nothing but these frames is sent, 200,000 of them, ends before all are
/// taken. What comes back is read all the while.
async fn ends_under(served: &Served, frame: impl Fn(u32) -> Vec<u8>) -> bool {
    let (mut from, mut to) = tokio::io::split(connect(served, b"h2").await);
    let mut ended =
        tokio::spawn(async move { while from.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {} });
    to.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    for turn in 0..2_000 {
        let many: Vec<u8> = (0..100).flat_map(|step| frame(100 * turn + step)).collect();
        if to.write_all(&many).await.is_err() {
            break;
        }
    }
    tokio::time::timeout(Duration::from_secs(10), &mut ended).await.is_ok()
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

/// Whoever comes when every place is taken is turned away at once, and can ask another node.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_limited() {
    let one_place = Limits { connections: 1, ..Limits::PUBLIC };
    let one_each = Limits { connections_per_address: 1, ..Limits::PUBLIC };
    for limits in [one_place, one_each] {
        let served = serve(limits).await;
        let mut held = connect(&served, b"").await;
        held.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        held.read_exact(&mut [0; 15]).await.unwrap();
        ask(&served, None).await.unwrap_err();
        drop(held);
        let mut answer = ask(&served, None).await;
        while answer.is_err() {
            answer = ask(&served, None).await;
        }
        assert_eq!(answer.unwrap(), "a stranger at 127.0.0.1");
    }
}

/// What one address holds keeps nobody else out.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_holds_all_its_places_keeps_nobody_else_out() {
    let served = serve(Limits { connections_per_address: 2, ..Limits::PUBLIC }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(TcpStream::connect(served.address).await.unwrap());
    }
    ask(&served, None).await.unwrap_err();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let stream = socket.connect(served.address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(client(&served, b"")));
    connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
}

/// Attack 40: after the handshake, silence and single bytes are no reason to wait for ever.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_nothing_is_cut_off() {
    let served = serve(Limits { handshake: Duration::from_millis(300), ..Limits::PUBLIC }).await;
    for said in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r", "GET / HTTP/1.1\r\nhost: lo"] {
        let mut stream = connect(&served, b"").await;
        let began = Instant::now();
        stream.write_all(said.as_bytes()).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        assert!(began.elapsed() >= Duration::from_millis(250), "{said:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{said:?}");
    }
    // One byte now and then is no more than silence.
    let mut stream = connect(&served, b"").await;
    let trickle = async {
        for byte in "GET / HTTP/1.1\r\nhost: localhost\r\nx-filler: 0123456789".bytes().cycle() {
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), trickle).await.expect("it was cut off");
}

/// Attack 40: whoever asks and takes no answer is cut off, and what waited for it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_no_answer_is_cut_off() {
    let limits = Limits { stall: Duration::from_millis(300), ..Limits::PUBLIC };
    let ended = CancellationToken::new();
    let dropped = ended.clone();
    let endless = move || {
        let held = dropped.clone().drop_guard();
        async move {
            let chunk =
                Ok::<_, std::convert::Infallible>(bytes::Bytes::from_static(&[0; 16 << 10]));
            Body::from_stream(futures::stream::repeat(chunk).map(move |chunk| {
                let _held = &held;
                chunk
            }))
        }
    };
    let served = serve_router(limits, Router::new().route("/", get(endless))).await;
    let mut stream = connect(&served, b"").await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    stream.read_exact(&mut [0; 15]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), ended.cancelled()).await.expect("it was cut off");
}

/// Attack 38: floods of frames that ask for nothing end the connection, and nothing is left to do.
#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_end_the_connection() {
    let served = serve(Limits::PUBLIC).await;
    let head = |kind: u8, flags: u8, stream: u8, content: &[u8]| {
        [&[0, 0, content.len() as u8, kind, flags, 0, 0, 0, stream][..], content].concat()
    };
    // `GET https://localhost/`, by indexes of the static table (RFC 7541, appendix A).
    let request = [0x82, 0x84, 0x87, 0x41, 0x01, b'a'];
    let floods = [
        ("PING", head(6, 0, 0, &[0; 8])),
        ("SETTINGS", head(4, 0, 0, &[])),
        ("SETTINGS with a value", head(4, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])),
        ("WINDOW_UPDATE", head(8, 0, 0, &[0, 0, 0, 1])),
        ("PRIORITY", head(2, 0, 1, &[0, 0, 0, 3, 9])),
        ("unknown", head(0x77, 0, 0, &[])),
    ];
    for (name, frame) in floods {
        assert!(ends_under(&served, |_| frame.clone()).await, "{name}");
    }
    let reset = |turn: u32| {
        let id = (2 * turn + 1).to_be_bytes();
        let mut both = head(1, 5, 0, &request);
        both[5..9].copy_from_slice(&id);
        let mut reset = head(3, 0, 0, &[0, 0, 0, 8]);
        reset[5..9].copy_from_slice(&id);
        both.extend(reset);
        both
    };
    assert!(ends_under(&served, reset).await, "rapid reset");
    // Headers without end, and a stream closed twice by an impossible window (MadeYouReset).
    let continued = |turn: u32| match turn {
        0 => head(1, 1, 1, &request),
        _ => head(9, 0, 1, &[0x40, 1, b'x', 1, b'y']),
    };
    assert!(ends_under(&served, continued).await, "CONTINUATION");
    let made = |turn: u32| {
        let id = (2 * turn + 1).to_be_bytes();
        let mut both = head(1, 4, 0, &request);
        both[5..9].copy_from_slice(&id);
        let mut window = head(8, 0, 0, &[0, 0, 0, 0]);
        window[5..9].copy_from_slice(&id);
        both.extend(window);
        both
    };
    assert!(ends_under(&served, made).await, "MadeYouReset");
    assert_eq!(ask(&served, None).await.unwrap(), "a stranger at 127.0.0.1", "others are served");
}

/// Attack 39: a list of headers that grows in the receiver's hands is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_of_headers_is_refused() {
    let served = serve(Limits::PUBLIC).await;
    let mut stream = connect(&served, b"h2").await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // One header of 4,000 bytes goes into the table, and then stands there 4,000 times.
    let mut block = vec![0x82, 0x84, 0x87, 0x41, 0x01, b'a', 0x40, 1, b'x', 0x7f, 0xa1, 0x1e];
    block.extend([b'y'; 4000]);
    block.resize(block.len() + 4_000, 0xbe);
    let length = u32::try_from(block.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], 1, 5, 0, 0, 0, 1];
    stream.write_all(&[&head[..], &block].concat()).await.unwrap();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let mut content = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        stream.read_exact(&mut content).await.unwrap();
        assert!(head[3] != 1 || content[0] != 0x88, "it was answered with 200");
        if matches!(head[3], 1 | 3 | 7) {
            break;
        }
    }
    drop(stream);
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(20 << 10));
    let mut stream = connect(&served, b"").await;
    let _ = stream.write_all(long.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
}

/// A connection is told in its first frame how many requests it may have at once (RFC 9113, 6.5.2).
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_connection_are_limited() {
    let served = serve(Limits { streams: 7, ..Limits::PUBLIC }).await;
    let mut stream = connect(&served, b"h2").await;
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
