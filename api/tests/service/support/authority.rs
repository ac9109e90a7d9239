//! Certificates of a cluster that exists for one test.

use raft::{ConnectionIdentity, IdentityKind, PeerTls};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The name of every test cluster.
pub const CLUSTER: &str = "test";

/// Signs certificates.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// What a node shows its peers.
    pub fn node(&self, name: &str, dc: &str) -> PeerTls {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationalUnitName, dc);
        let uri = format!("spiffe://{CLUSTER}/node/{name}");
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        PeerTls::new(CLUSTER, vec![self.certificate.clone()], vec![leaf], key).unwrap()
    }
}

/// What the listener says of a connection that showed this operator's certificate.
pub fn operator(name: &str) -> ConnectionIdentity {
    ConnectionIdentity {
        cluster: CLUSTER.to_owned(),
        kind: IdentityKind::Operator,
        name: name.to_owned(),
        dc: String::new(),
    }
}
