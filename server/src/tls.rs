//! Certificates from files to what the two TLS listeners serve with.

use crate::{
    config::{Config, SecretFileError, TlsFiles, read_secret},
    metrics::Expiry,
};
use arc_swap::ArcSwap;
use raft::{PeerTls, TlsError};
use rustls::{
    RootCertStore, ServerConfig, crypto::aws_lc_rs, server::WebPkiClientVerifier, version,
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, UnixTime,
    pem::{self, PemObject},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use x509_parser::{error::X509Error, parse_x509_certificate};

/// Why certificates cannot be served with.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file does not hold what it should.
    #[error("{} holds no {what} in PEM: {source}", file.display())]
    BadFile {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What the parser found.
        source: pem::Error,
    },
    /// A certificate is PEM, and no X.509 inside.
    #[error("{} holds no certificate that can be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
    },
    /// The key's file cannot be read, or others can read it.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// They do not fit together, or name somebody else.
    #[error("{} cannot be used: {source}", file.display())]
    Unfit {
        /// The node's certificate.
        file: PathBuf,
        /// What does not fit.
        source: TlsError,
    },
    /// It was signed by somebody else, or is not what was signed.
    #[error(
        "{} is not what the authority in {} signed: {problem}; put an undamaged copy there",
        file.display(), ca.display()
    )]
    NotSigned {
        /// The node's certificate.
        file: PathBuf,
        /// The authority's.
        ca: PathBuf,
        /// What the TLS library found.
        problem: String,
    },
    /// The authority's certificate is not what the authority signed.
    #[error("{} was damaged: {problem}; put an undamaged copy there", ca.display())]
    Authority {
        /// The authority's certificate.
        ca: PathBuf,
        /// What does not hold.
        problem: &'static str,
    },
    /// The public listener cannot use them.
    #[error("{} cannot be used on the public port: {problem}", file.display())]
    Public {
        /// The node's certificate.
        file: PathBuf,
        /// What the TLS library found.
        problem: String,
    },
}

/// A node's certificates in use. Clones are the same ones.
#[derive(Clone)]
pub struct Certificates {
    /// Mutual TLS between nodes.
    pub peer: PeerTls,
    /// TLS for everyone; a certificate of the cluster's authority is looked at if one is shown.
    pub public: Arc<ArcSwap<ServerConfig>>,
    expiry: Arc<ArcSwap<Expiry>>,
}

/// What is in the files, before anything uses it.
struct Read {
    roots: Vec<CertificateDer<'static>>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    public: ServerConfig,
    expiry: Expiry,
}

/// Reads the files that the configuration names.
///
/// # Errors
/// A file is not what it should be, or they do not fit together.
pub fn load(config: &Config) -> Result<Certificates, CertificateError> {
    let Read { roots, chain, key, public, expiry } = read(&config.tls)?;
    let peer = PeerTls::new(&config.identity.cluster, roots, chain, key)
        .map_err(|source| CertificateError::Unfit { file: config.tls.cert.clone(), source })?;
    let public = Arc::new(ArcSwap::from_pointee(public));
    Ok(Certificates { peer, public, expiry: Arc::new(ArcSwap::from_pointee(expiry)) })
}

impl Certificates {
    /// Uses what the files hold now, on both ports. Connections that stand keep what they were made with.
    ///
    /// # Errors
    /// As [`load`], and when they name another machine; the old ones stay in use.
    pub fn renew(&self, files: &TlsFiles) -> Result<(), CertificateError> {
        let Read { roots, chain, key, public, expiry } = read(files)?;
        self.peer
            .reload(roots, chain, key)
            .map_err(|source| CertificateError::Unfit { file: files.cert.clone(), source })?;
        self.public.store(Arc::new(public));
        self.expiry.store(Arc::new(expiry));
        Ok(())
    }

    /// When those in use end.
    pub fn expiry(&self) -> Expiry {
        **self.expiry.load()
    }
}

fn read(files: &TlsFiles) -> Result<Read, CertificateError> {
    let roots = certificates(&files.ca)?;
    check_authority(&roots)
        .map_err(|problem| CertificateError::Authority { ca: files.ca.clone(), problem })?;
    let chain = certificates(&files.cert)?;
    let secret = read_secret(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(secret.expose()).map_err(|source| {
        CertificateError::BadFile { file: files.key.clone(), what: "private key", source }
    })?;
    check_own(&roots, &chain).map_err(|problem| CertificateError::NotSigned {
        file: files.cert.clone(),
        ca: files.ca.clone(),
        problem,
    })?;
    let public = public(roots.clone(), chain.clone(), key.clone_key())
        .map_err(|problem| CertificateError::Public { file: files.cert.clone(), problem })?;
    let expiry = Expiry { ca_s: ends(&files.ca, &roots)?, node_s: ends(&files.cert, &chain)? };
    Ok(Read { roots, chain, key, public, expiry })
}

/// When the first certificate of a file ends.
fn ends(file: &Path, certificates: &[CertificateDer<'_>]) -> Result<i64, CertificateError> {
    let first = certificates.first().map(|der| parse_x509_certificate(der));
    match first {
        Some(Ok((_, certificate))) => Ok(certificate.validity().not_after.timestamp()),
        _ => Err(CertificateError::Unreadable { file: file.to_path_buf() }),
    }
}

/// All certificates of a PEM file; at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let bad = |source| {
        let file = file.to_path_buf();
        CertificateError::BadFile { file, what: "certificate", source }
    };
    let found: Vec<_> =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(bad)?;
    if found.is_empty() { Err(bad(pem::Error::NoItemsFound)) } else { Ok(found) }
}

/// Whether an authority that signed its own certificate signed this very one. TLS does not ask: whoever trusts
/// a key needs no signature by it. But a file that was damaged is to be named, whichever byte it was.
fn check_authority(roots: &[CertificateDer<'_>]) -> Result<(), &'static str> {
    for root in roots {
        let (_, root) =
            parse_x509_certificate(root).map_err(|_| "it is no certificate that can be read")?;
        if root.signature_algorithm != root.tbs_certificate.signature {
            return Err("it names two algorithms for one signature");
        }
        // Algorithms that cannot be checked here are left to TLS, which refuses what it does not know.
        let damaged = Err(X509Error::SignatureVerificationError);
        if root.issuer() == root.subject() && root.verify_signature(None) == damaged {
            return Err("its own signature does not hold");
        }
    }
    Ok(())
}

/// Whether the authority signed this very certificate: one that was damaged on the disk still parses. Its
/// dates are not looked at: a node whose clock is wrong is told so by its peers.
fn check_own(
    roots: &[CertificateDer<'static>],
    chain: &[CertificateDer<'static>],
) -> Result<(), String> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let peers = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider);
    let peers = peers.build().map_err(|error| error.to_string())?;
    let (leaf, rest) = chain.split_first().ok_or("it is empty")?;
    match peers.verify_client_cert(leaf, rest, UnixTime::now()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InvalidCertificate(
            dates @ (rustls::CertificateError::Expired
            | rustls::CertificateError::ExpiredContext { .. }
            | rustls::CertificateError::NotValidYet
            | rustls::CertificateError::NotValidYetContext { .. }),
        )) => {
            tracing::warn!(problem = %dates, "this node's certificate is not valid now");
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Callers without a certificate are wallets; one that is shown must be good.
fn public(
    roots: Vec<CertificateDer<'static>>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root).map_err(|error| error.to_string())?;
    }
    let callers = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| error.to_string())?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(callers)
        .with_single_cert(chain, key)
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
