//! Who signs what is left in an archive, and who is believed.
//!
//! An operator signs with the key of the certificate that opens the cluster to them. Whoever verifies has
//! the cluster's authority and asks of a certificate what a node asks of it: signed by the authority, for
//! TLS clients, in the name of an operator; and valid when the file was signed, since backups outlive
//! certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use raft::{ConnectionIdentity, IdentityKind};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use seal::archive;
use seal::es256::SoftwareKey;
use store::backup::{SignedFile, SignedKind};
use types::PublicKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::error::{Damage, UsageError};
use crate::cluster::admin::OperatorFiles;

/// Believes what the operators of one cluster signed.
pub struct Trust {
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Trust {
    /// Of the authority in this file, PEM.
    ///
    /// # Errors
    /// The file holds no certificate of an authority.
    pub fn load(ca: &Path) -> Result<Trust, UsageError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(ca)?);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let built = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let verifier = built.map_err(|error| UsageError::Authority {
            file: ca.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Trust { verifier })
    }

    /// Whether an operator signed this file, with a certificate that was valid at `at_ms`, in Unix
    /// milliseconds.
    pub(super) fn verify(&self, file: &SignedFile<'_>, at_ms: u64) -> Result<(), Damage> {
        let between: Vec<_> = file.intermediates().map(CertificateDer::from).collect();
        let certificate = CertificateDer::from(file.certificate);
        let public = self.operator(&certificate, &between, at_ms)?;
        archive::verify(&public, file.covered, file.signature).map_err(|_| Damage::Signature)
    }

    /// The public key of an operator's certificate.
    fn operator(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        at_ms: u64,
    ) -> Result<PublicKey, Damage> {
        let at = UnixTime::since_unix_epoch(Duration::from_millis(at_ms));
        let signer = |reason: &dyn std::fmt::Display| Damage::Signer(reason.to_string());
        self.verifier
            .verify_client_cert(certificate, between, at)
            .map_err(|error| signer(&error))?;
        let identity = ConnectionIdentity::of(certificate).map_err(|error| signer(&error))?;
        if identity.kind != IdentityKind::Operator {
            return Err(signer(&"its certificate is a node's"));
        }
        public_key(certificate).ok_or_else(|| signer(&"its key is no P-256 key"))
    }
}

/// Signs as an operator.
pub struct Signer {
    chain: Vec<CertificateDer<'static>>,
    key: SoftwareKey,
}

impl Signer {
    /// From an operator's files, if `trust` believes them now.
    ///
    /// # Errors
    /// A file is not what it should be, they are no pair, or nobody would believe the signature.
    pub fn load(files: &OperatorFiles, trust: &Trust) -> Result<Signer, UsageError> {
        let chain = certificates(&files.cert)?;
        let file = |what| {
            let file = files.key.clone();
            move |source| UsageError::File { file, what, source }
        };
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(file("private key"))?;
        let unusable = || UsageError::Key { file: files.key.clone() };
        let PrivateKeyDer::Pkcs8(der) = key else { return Err(unusable()) };
        let key = SoftwareKey::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| unusable())?;
        let signer = |source| UsageError::Signer { certificate: files.cert.clone(), source };
        let (first, between) = chain.split_first().ok_or_else(|| {
            let source = rustls_pki_types::pem::Error::NoItemsFound;
            UsageError::File { file: files.cert.clone(), what: "certificate", source }
        })?;
        let public = trust.operator(first, between, super::now_ms()).map_err(signer)?;
        if public != *key.public() {
            let (key, certificate) = (files.key.clone(), files.cert.clone());
            return Err(UsageError::Pair { key, certificate });
        }
        Ok(Signer { chain, key })
    }

    /// The file that holds `content` and its signature.
    pub(super) fn sign(&self, kind: SignedKind, content: &[u8]) -> Result<Vec<u8>, Damage> {
        let mut file = SignedFile::to_cover(kind, content, &self.chain)?;
        let signature =
            archive::sign(&mut rand::rng(), &self.key, &file).map_err(|_| Damage::Signature)?;
        file.extend_from_slice(&signature);
        Ok(file)
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, UsageError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let file: PathBuf = file.to_owned();
    read.map_err(|source| UsageError::File { file, what: "certificate", source })
}

fn public_key(certificate: &CertificateDer<'_>) -> Option<PublicKey> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    PublicKey::parse(&parsed.public_key().subject_public_key.data).ok()
}
