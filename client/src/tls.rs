//! TLS 1.3 to the cluster: one trusted authority, one provider, and a connector for tonic.
//!
//! Promises: only the given authority is trusted, never the system's; nothing below TLS 1.3 and no
//! early data, so that a request cannot be replayed by the network.
//!
//! Operators use the same door with a client certificate ([`Trust::with_identity`]).

use std::{sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint as TonicEndpoint, Uri};

use crate::{endpoint::Endpoint, error::Usage};

/// How often an idle HTTP/2 connection is asked whether it still lives.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Whom to trust, and as whom to appear.
#[derive(Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
}

impl Trust {
    /// Trusts exactly the certificates in `ca_pem`, and shows no certificate.
    ///
    /// # Errors
    /// [`Usage::Authority`] if there is no usable certificate in it.
    pub fn from_pem(ca_pem: &[u8]) -> Result<Self, Usage> {
        let config = base(ca_pem)?.with_no_client_auth();
        Ok(Self::finish(config))
    }

    /// As [`Trust::from_pem`], showing a client certificate: how operators are known.
    ///
    /// # Errors
    /// [`Usage::Authority`] or [`Usage::Identity`] if one of the files cannot be used.
    pub fn with_identity(ca_pem: &[u8], chain_pem: &[u8], key_pem: &[u8]) -> Result<Self, Usage> {
        let chain = CertificateDer::pem_slice_iter(chain_pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Usage::Identity("is not PEM"))?;
        let key = PrivateKeyDer::from_pem_slice(key_pem)
            .map_err(|_| Usage::Identity("has no private key in PEM"))?;
        let config = base(ca_pem)?
            .with_client_auth_cert(chain, key)
            .map_err(|_| Usage::Identity("and its key do not belong together"))?;
        Ok(Self::finish(config))
    }

    fn finish(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { config: Arc::new(config) }
    }

    /// A connection that is made when first used, and again whenever it broke.
    ///
    /// # Errors
    /// [`Usage::Endpoint`] if the endpoint cannot stand in a URI.
    pub fn channel(
        &self,
        endpoint: &Endpoint,
        connect_timeout: Duration,
    ) -> Result<Channel, Usage> {
        let refuse = |problem| Usage::Endpoint { url: endpoint.to_string(), problem };
        let origin: Uri = endpoint.to_string().parse().map_err(|_| refuse("it is no URI"))?;
        let name = ServerName::try_from(endpoint.host().to_owned())
            .map_err(|_| refuse("the host is no name"))?;
        // tonic must see no `https`: it would insist on its own TLS, which cannot be configured as ours.
        let channel = TonicEndpoint::from_shared(format!("http://{}", endpoint.authority()))
            .map_err(|_| refuse("it is no URI"))?
            .origin(origin)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        let connector = TlsConnector::from(self.config.clone());
        let address = (endpoint.host().to_owned(), endpoint.port());
        Ok(channel.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let connecting = connect(connector.clone(), name.clone(), address.clone());
            // Timed here, so that a timeout is told apart from one of a request that was sent.
            async move { tokio::time::timeout(connect_timeout, connecting).await? }
        })))
    }
}

fn base(
    ca_pem: &[u8],
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, Usage> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        let certificate = certificate.map_err(|_| Usage::Authority("is not PEM"))?;
        roots
            .add(certificate)
            .map_err(|_| Usage::Authority("holds something that is not a certificate"))?;
    }
    if roots.is_empty() {
        return Err(Usage::Authority("holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider speaks TLS 1.3");
    Ok(builder.with_root_certificates(roots))
}

async fn connect(
    connector: TlsConnector,
    name: ServerName<'static>,
    address: (String, u16),
) -> std::io::Result<TokioIo<TlsStream<TcpStream>>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let tls = connector.connect(name, tcp).await?;
    Ok(TokioIo::new(tls))
}
