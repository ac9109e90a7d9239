//! What is read from the certificate that came with a credential: its key and its name.
//!
//! Not here: whether anybody trusts it. No chain, no validity period and no revocation is looked at;
//! a credential whose signature matches its own certificate is whole, not necessarily genuine.

use types::PublicKey;
use x509_parser::oid_registry::OID_EC_P256;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey as SubjectKey;

use super::error::{CredentialError, Part, Problem, shown};

/// The parts of a leaf certificate that matter here.
pub(super) struct Certificate {
    /// Its key.
    pub(super) key: PublicKey,
    /// The common name of its subject, or the whole subject if it has none.
    pub(super) name: String,
}

impl Certificate {
    /// Reads `der`; `at` is where it, or what contains it, stands in the file.
    pub(super) fn parse(at: usize, der: &[u8]) -> Result<Self, CredentialError> {
        let refused = |problem| CredentialError::new(Part::Certificate, at, problem);
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|_| refused(Problem::NotACertificate))?;
        if !rest.is_empty() {
            return Err(refused(Problem::Excess));
        }
        let subject = certificate.subject();
        let name = match subject.iter_common_name().next().and_then(|name| name.as_str().ok()) {
            Some(name) => name.to_owned(),
            None => subject.to_string(),
        };
        let info = certificate.public_key();
        let curve = info.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
        let unsupported = |found: String| {
            refused(Problem::Unsupported { what: "the certificate's kind of key,", found })
        };
        if curve.as_ref().is_none_or(|curve| *curve != OID_EC_P256) {
            let algorithm = info.algorithm.algorithm.to_id_string();
            return Err(unsupported(shown(&curve.map_or(algorithm, |curve| curve.to_id_string()))));
        }
        match info.parsed() {
            Ok(SubjectKey::EC(point)) => match PublicKey::parse(point.data()) {
                Ok(key) => Ok(Self { key, name }),
                Err(_) => Err(unsupported("a compressed point".to_owned())),
            },
            _ => Err(refused(Problem::NotACertificate)),
        }
    }
}
