//! A stranger with a socket: TLS to a node, and then whatever bytes a test likes.

use crate::Lab;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How long a stranger waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that a stranger made.
pub type Connection = TlsStream<TcpStream>;

/// TLS towards a lab's nodes, offering these protocols, with a certificate and its key if any.
pub fn tls(lab: &Lab, alpn: &[&str], shown: Option<(&Path, &Path)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(lab.cluster.ca()).expect("the CA certificate"))
        .expect("a CA certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots);
    let mut config = match shown {
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_file_iter(certificate)
                .and_then(Iterator::collect)
                .expect("certificates in PEM");
            let key = PrivateKeyDer::from_pem_file(key).expect("a key in PEM");
            config.with_client_auth_cert(chain, key).expect("a certificate and its key")
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Where `https://HOST:PORT` or `HOST:PORT` is.
pub fn address(endpoint: &str) -> SocketAddr {
    endpoint.trim_start_matches("https://").parse().expect("an address and a port")
}

/// Connects, from one of this machine's addresses if one is named, and shakes hands.
///
/// # Errors
/// What the system or TLS says.
pub async fn connect(
    to: SocketAddr,
    tls: Arc<ClientConfig>,
    from: Option<SocketAddr>,
) -> io::Result<Connection> {
    let stream = plain(to, from).await?;
    let name = ServerName::IpAddress(to.ip().into());
    timeout(PATIENCE, TlsConnector::from(tls).connect(name, stream)).await?
}

/// Connects without TLS.
///
/// # Errors
/// What the system says.
pub async fn plain(to: SocketAddr, from: Option<SocketAddr>) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(from) = from {
        socket.bind(from)?;
    }
    timeout(PATIENCE, socket.connect(to)).await?
}

/// Says something over HTTP/1.1 and reads all that is answered, until the node closes the connection
/// or says no more for a second.
pub async fn say(lab: &Lab, bytes: &[u8]) -> Answer {
    let to = address(&lab.cluster.endpoints()[0]);
    let mut stream = connect(to, tls(lab, &["http/1.1"], None), None).await.expect("a connection");
    // It may be closed before all is sent.
    let _ = stream.write_all(bytes).await;
    let mut read = Vec::new();
    let mut part = [0; 4096];
    let closed = loop {
        match timeout(Duration::from_secs(1), stream.read(&mut part)).await {
            Ok(Ok(0) | Err(_)) => break true,
            Ok(Ok(count)) => read.extend_from_slice(&part[..count]),
            Err(_) => break false,
        }
    };
    Answer { text: String::from_utf8_lossy(&read).into_owned(), closed }
}

/// What a node answered to raw bytes.
#[derive(Debug)]
pub struct Answer {
    /// All of it.
    pub text: String,
    /// Whether it closed the connection behind it.
    pub closed: bool,
}

impl Answer {
    /// The status codes of all answers.
    pub fn statuses(&self) -> Vec<u16> {
        let lines = self.text.split("HTTP/1.1 ").skip(1);
        lines.map(|line| line[..3].parse().expect("a status code")).collect()
    }
}
