//! The authority of one cluster, and the certificates that it signs.
//!
//! A node is `spiffe://CLUSTER/node/NAME` with its data centre as OU and its hosts as further
//! names; an operator is `spiffe://CLUSTER/operator/NAME`. All keys are P-256.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use std::time::{Duration, SystemTime};
use types::Secret;

const DAY: Duration = Duration::from_secs(86_400);
/// Clocks of machines that were just set up may differ; a certificate must not start in their future.
const CLOCK_SLACK: Duration = Duration::from_secs(3_600);

/// How long the authority is valid.
pub const AUTHORITY_VALIDITY: Duration = Duration::from_secs(3_650 * 86_400);
/// How long certificates of nodes and operators are valid.
pub const LEAF_VALIDITY: Duration = Duration::from_secs(730 * 86_400);

/// Signs certificates for one cluster.
pub struct Authority {
    cluster: String,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, both PEM. The key is as secret as what it opens; this type has no
/// `Debug` and its key goes to a file with mode 0600 only.
pub struct Credential {
    /// The certificate.
    pub certificate: String,
    /// Its private key (PKCS #8).
    pub key: zeroize::Zeroizing<String>,
}

/// The authority could not sign, or is none. With names and files that were checked before, this does
/// not happen.
#[derive(Debug, thiserror::Error)]
#[error(
    "the certificate of {subject} could not be made: {source}; use names of letters, digits, '-' and '.' only"
)]
pub struct AuthorityError {
    subject: String,
    source: rcgen::Error,
}

impl Authority {
    /// Makes a new authority for the cluster of this name.
    ///
    /// # Errors
    /// The name does not fit into a certificate.
    pub fn new(cluster: &str) -> Result<Authority, AuthorityError> {
        let wrap = |source| AuthorityError { subject: cluster.to_owned(), source };
        let mut params = params(cluster, &format!("{cluster} authority"), AUTHORITY_VALIDITY);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(wrap)?;
        let certificate = params.self_signed(&key).map_err(wrap)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Authority { cluster: cluster.to_owned(), certificate, issuer })
    }

    /// The authority that was made before, from its certificate and key (PEM).
    ///
    /// # Errors
    /// They are no certificate and key, or do not belong together.
    pub fn load(
        cluster: &str,
        certificate: String,
        key: &Secret,
    ) -> Result<Authority, AuthorityError> {
        let wrap = |source| AuthorityError { subject: format!("authority of {cluster}"), source };
        let text = std::str::from_utf8(key.expose())
            .map_err(|_| wrap(rcgen::Error::CouldNotParseKeyPair))?;
        let key = KeyPair::from_pem(text).map_err(wrap)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(wrap)?;
        Ok(Authority { cluster: cluster.to_owned(), certificate, issuer })
    }

    /// The authority's own certificate, PEM. Whoever has it believes every node of the cluster.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The authority's key, PEM. Whoever has it can add nodes and operators.
    pub fn key(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// A certificate for a node, valid for TLS as server and as client under each of `hosts`
    /// (IP addresses or DNS names).
    ///
    /// # Errors
    /// A name does not fit into a certificate.
    pub fn node(
        &self,
        name: &str,
        dc: &str,
        hosts: &[String],
    ) -> Result<Credential, AuthorityError> {
        let wrap = |source| AuthorityError { subject: format!("node {name}"), source };
        let mut params = params(&self.cluster, name, LEAF_VALIDITY);
        params.distinguished_name.push(DnType::OrganizationalUnitName, dc);
        params.subject_alt_names = CertificateParams::new(hosts).map_err(wrap)?.subject_alt_names;
        params.subject_alt_names.push(self.spiffe("node", name).map_err(wrap)?);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params).map_err(wrap)
    }

    /// A certificate for an operator, valid for TLS as client.
    ///
    /// # Errors
    /// The name does not fit into a certificate.
    pub fn operator(&self, name: &str) -> Result<Credential, AuthorityError> {
        let wrap = |source| AuthorityError { subject: format!("operator {name}"), source };
        let mut params = params(&self.cluster, &format!("operator {name}"), LEAF_VALIDITY);
        params.subject_alt_names = vec![self.spiffe("operator", name).map_err(wrap)?];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params).map_err(wrap)
    }

    fn spiffe(&self, kind: &str, name: &str) -> Result<SanType, rcgen::Error> {
        Ok(SanType::URI(format!("spiffe://{}/{kind}/{name}", self.cluster).try_into()?))
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Credential, rcgen::Error> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Credential { certificate, key: zeroize::Zeroizing::new(key.serialize_pem()) })
    }
}

/// Every certificate gets a name of its own: verifiers take a leaf named like its issuer for a
/// self-signed one.
fn params(cluster: &str, common_name: &str, validity: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, cluster);
    params.distinguished_name.push(DnType::CommonName, common_name);
    let now = SystemTime::now();
    params.not_before = (now - CLOCK_SLACK).into();
    params.not_after = (now + validity.max(DAY)).into();
    params
}
