//! The certificates by which nodes know each other.
//!
//! A peer's certificate names a machine, `spiffe://<cluster>/node/<name>`, and its data centre. That
//! name is checked, not the address it was reached at: addresses move, and a certificate that is
//! valid for an address would let any holder of that address be any node.
//!
//! Both sides show a certificate, TLS 1.3 only. New certificates serve new connections as soon as
//! [`PeerTls::reload`] returns; connections that stand keep the ones they were made with.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme, version,
};

use crate::certificate::{ConnectionIdentity, IdentityKind};

/// What a node shows to its peers, and whom it believes.
#[derive(Clone)]
pub struct PeerTls {
    trust_domain: Arc<str>,
    own: Arc<ArcSwap<ConnectionIdentity>>,
    client: Arc<ArcSwap<ClientConfig>>,
    server: Arc<ArcSwap<ServerConfig>>,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate to show.
    #[error("the node's certificate chain is empty")]
    NoCertificate,
    /// The certificate does not name a node of this cluster.
    #[error("the node's own certificate: {0}")]
    Own(String),
    /// A root that cannot be used.
    #[error("read the certificates of the cluster's CA")]
    Roots(#[source] rustls::Error),
    /// The certificate and the key do not fit, or one of them is not what it should be.
    #[error("use the node's certificate and key")]
    Key(#[source] rustls::Error),
    /// The verifier of clients could not be made.
    #[error("use the certificates of the cluster's CA")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

impl PeerTls {
    /// Takes the CA's certificates, this node's chain (its own first) and key. `cluster` is the name
    /// in every certificate: `spiffe://<cluster>/…`.
    ///
    /// # Errors
    /// [`TlsError`] says which of them does not fit.
    pub fn new(
        cluster: &str,
        roots: Vec<CertificateDer<'static>>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let (own, client, server) = build(cluster, roots, chain, key)?;
        Ok(PeerTls {
            trust_domain: cluster.into(),
            own: Arc::new(ArcSwap::from_pointee(own)),
            client: Arc::new(ArcSwap::from_pointee(client)),
            server: Arc::new(ArcSwap::from_pointee(server)),
        })
    }

    /// Uses other certificates from now on.
    ///
    /// # Errors
    /// [`TlsError`]; the old ones then stay in use.
    pub fn reload(
        &self,
        roots: Vec<CertificateDer<'static>>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), TlsError> {
        let (own, client, server) = build(&self.trust_domain, roots, chain, key)?;
        let before = self.own.load();
        if own.name != before.name || own.dc != before.dc {
            return Err(TlsError::Own(
                "it names another machine or data centre than before".to_owned(),
            ));
        }
        self.own.store(Arc::new(own));
        self.client.store(Arc::new(client));
        self.server.store(Arc::new(server));
        Ok(())
    }

    /// What the peer port serves with.
    pub fn server(&self) -> Arc<ArcSwap<ServerConfig>> {
        self.server.clone()
    }

    /// The cluster's name in certificates.
    pub fn cluster(&self) -> &str {
        &self.trust_domain
    }

    /// Whom this node's own certificate names.
    pub fn own(&self) -> Arc<ConnectionIdentity> {
        self.own.load_full()
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        self.client.load_full()
    }
}

fn build(
    cluster: &str,
    roots: Vec<CertificateDer<'static>>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<(ConnectionIdentity, ClientConfig, ServerConfig), TlsError> {
    let leaf = chain.first().ok_or(TlsError::NoCertificate)?;
    let own = ConnectionIdentity::of(leaf).map_err(|error| TlsError::Own(error.to_string()))?;
    if own.cluster != cluster || own.kind != IdentityKind::Node || own.dc.is_empty() {
        return Err(TlsError::Own(format!(
            "it must name a node of this cluster (spiffe://{cluster}/node/NAME) and its data centre (subject OU)"
        )));
    }
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root).map_err(TlsError::Roots)?;
    }
    let (store, provider) = (Arc::new(store), Arc::new(aws_lc_rs::default_provider()));

    let verifier = PeerVerifier {
        cluster: cluster.to_owned(),
        roots: store.clone(),
        provider: provider.clone(),
    };
    let mut client = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13])
        .map_err(TlsError::Key)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(chain.clone(), key.clone_key())
        .map_err(TlsError::Key)?;
    client.alpn_protocols = vec![b"h2".to_vec()];

    let clients = WebPkiClientVerifier::builder_with_provider(store, provider.clone()).build()?;
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(TlsError::Key)?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .map_err(TlsError::Key)?;
    server.alpn_protocols = vec![b"h2".to_vec()];
    Ok((own, client, server))
}

/// Checks a peer's chain, dates and use as usual, and its name as a node of the cluster instead of a
/// host name. Which node it has to be is checked by whoever dialled.
#[derive(Debug)]
struct PeerVerifier {
    cluster: String,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            intermediates,
            now,
            algorithms,
        )?;
        match ConnectionIdentity::of(leaf) {
            Ok(identity)
                if identity.kind == IdentityKind::Node && identity.cluster == self.cluster =>
            {
                Ok(ServerCertVerified::assertion())
            }
            _ => Err(CertificateError::NotValidForName.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
