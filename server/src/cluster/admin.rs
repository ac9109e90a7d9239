//! A connection to a node as an operator: TLS with the cluster's authority and an operator's
//! certificate.

use hyper_util::rt::TokioIo;
use proto::admin::admin_client::AdminClient;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, ServerName,
    pem::{self, PemObject},
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

/// A bound on every call of an operator that names none itself.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where the operator's files are.
#[derive(Clone, Debug)]
pub struct OperatorFiles {
    /// The cluster's authority.
    pub ca: PathBuf,
    /// The operator's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file is not what it should be.
    #[error("{} holds no {what} in PEM ({source})", file.display())]
    BadFile {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What the parser found.
        source: pem::Error,
    },
    /// Certificate and key do not fit together, or the authority is unusable.
    #[error("{} and its key cannot be used together: {source}", cert.display())]
    BadPair {
        /// The certificate.
        cert: PathBuf,
        /// What the TLS library found.
        source: rustls::Error,
    },
    /// Not an endpoint.
    #[error("{0:?} is not an endpoint; write https://HOST:PORT")]
    BadEndpoint(String),
    /// Nobody there, or not who it should be.
    #[error("{endpoint} cannot be reached: {source}")]
    Unreachable {
        /// The endpoint.
        endpoint: String,
        /// What went wrong.
        source: tonic::transport::Error,
    },
}

impl ConnectError {
    /// Whether the endpoint may answer later.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, ConnectError::Unreachable { .. })
    }
}

/// Makes the TLS configuration of an operator.
///
/// # Errors
/// A file is not what it should be.
pub fn operator_tls(files: &OperatorFiles) -> Result<Arc<ClientConfig>, ConnectError> {
    let bad = |file: &Path, what| {
        let file = file.to_path_buf();
        move |source| ConnectError::BadFile { file, what, source }
    };
    let mut roots = RootCertStore::empty();
    let authorities: Vec<_> = CertificateDer::pem_file_iter(&files.ca)
        .and_then(Iterator::collect)
        .map_err(bad(&files.ca, "certificate"))?;
    roots.add_parsable_certificates(authorities);
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .map_err(bad(&files.cert, "certificate"))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(bad(&files.key, "private key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let pair = |source| ConnectError::BadPair { cert: files.cert.clone(), source };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(pair)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// Connects to one endpoint, to speak with its operators' service.
///
/// # Errors
/// The endpoint is malformed, or nobody answers there who shows a certificate of the cluster.
pub async fn connect(
    endpoint: &str,
    tls: Arc<ClientConfig>,
) -> Result<AdminClient<Channel>, ConnectError> {
    Ok(AdminClient::new(channel(endpoint, tls).await?))
}

/// Connects to one endpoint.
///
/// # Errors
/// As [`connect`].
pub async fn channel(endpoint: &str, tls: Arc<ClientConfig>) -> Result<Channel, ConnectError> {
    let malformed = || ConnectError::BadEndpoint(endpoint.to_owned());
    let uri: Uri = endpoint.parse().map_err(|_| malformed())?;
    if uri.scheme_str() != Some("https") || uri.host().is_none() || uri.port().is_none() {
        return Err(malformed());
    }
    let unreachable = |source| ConnectError::Unreachable { endpoint: endpoint.to_owned(), source };
    let connector = tower::service_fn(move |uri: Uri| handshake(uri, tls.clone()));
    Endpoint::from(uri)
        .timeout(CALL_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .connect_with_connector(connector)
        .await
        .map_err(unreachable)
}

/// TLS with whoever listens at an address.
pub(crate) async fn handshake(
    uri: Uri,
    tls: Arc<ClientConfig>,
) -> io::Result<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host.clone())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let tcp = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or_default())).await?;
    tcp.set_nodelay(true)?;
    Ok(TokioIo::new(TlsConnector::from(tls).connect(name, tcp).await?))
}
