//! A CA for tests, and the certificates it issues.

use super::PeerTls;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The name of the cluster in all certificates of these tests.
pub const CLUSTER: &str = "holdfast-test";

/// A certificate authority.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

/// A chain of one, and its key.
pub type Issued = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Ca {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().clone();
        Ca { issuer: Issuer::new(params, key), root }
    }

    pub fn roots(&self) -> Vec<CertificateDer<'static>> {
        vec![self.root.clone()]
    }

    /// A certificate with this URI and organizational unit.
    pub fn issue(&self, uri: &str, unit: &str) -> Issued {
        self.issue_until(uri, unit, 2100)
    }

    /// One that is also valid for a host name.
    #[allow(dead_code, reason = "each of the test programs uses its part")]
    pub fn issue_for_host(&self, uri: &str, unit: &str, host: &str) -> Issued {
        self.sign(uri, unit, Some(host), 2100)
    }

    /// One that ends with the year before `year`.
    pub fn issue_until(&self, uri: &str, unit: &str, year: i32) -> Issued {
        self.sign(uri, unit, None, year)
    }

    fn sign(&self, uri: &str, unit: &str, host: Option<&str>, year: i32) -> Issued {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, uri);
        params.distinguished_name.push(DnType::OrganizationalUnitName, unit);
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(uri).unwrap())];
        params
            .subject_alt_names
            .extend(host.map(|host| SanType::DnsName(Ia5String::try_from(host).unwrap())));
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    /// What the node of this name in this data centre shows.
    pub fn node(&self, name: &str, dc: &str) -> PeerTls {
        let (chain, key) = self.issue(&format!("spiffe://{CLUSTER}/node/{name}"), dc);
        PeerTls::new(CLUSTER, self.roots(), chain, key).unwrap()
    }
}
