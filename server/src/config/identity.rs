//! Who a certificate says its owner is.

use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{
    fmt,
    path::{Path, PathBuf},
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What a node's certificate names: cluster and node in a SPIFFE id, data centre as OU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The trust domain, which is the cluster's name.
    pub cluster: String,
    /// The machine.
    pub name: String,
    /// Its data centre.
    pub dc: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/node/{} in {}", self.cluster, self.name, self.dc)
    }
}

/// Why a certificate names no node.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Not readable as a PEM certificate.
    #[error("{} holds no certificate in PEM", .0.display())]
    NotACertificate(PathBuf),
    /// No URI of the expected form, or more than one.
    #[error("{} has no subject alternative name spiffe://CLUSTER/node/NAME", .0.display())]
    NoNode(PathBuf),
    /// No organisational unit.
    #[error("{} has no organisational unit (OU), which names the data centre", .0.display())]
    NoDataCentre(PathBuf),
}

impl Identity {
    /// Reads the identity out of the first certificate of a PEM file.
    ///
    /// # Errors
    /// The file holds no certificate, or one that names no node of a cluster.
    pub fn of_certificate_file(file: &Path) -> Result<Identity, IdentityError> {
        let broken = || IdentityError::NotACertificate(file.to_path_buf());
        let der = CertificateDer::from_pem_file(file).map_err(|_| broken())?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| broken())?;

        let no_node = || IdentityError::NoNode(file.to_path_buf());
        let names = certificate.subject_alternative_name().ok().flatten().ok_or_else(no_node)?;
        let mut uris = names.value.general_names.iter().filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        let (cluster, name) = match (uris.next().and_then(node_of), uris.next()) {
            (Some(found), None) => found,
            _ => return Err(no_node()),
        };

        let dc = certificate
            .subject()
            .iter_organizational_unit()
            .next()
            .and_then(|unit| unit.as_str().ok())
            .filter(|unit| !unit.is_empty())
            .ok_or_else(|| IdentityError::NoDataCentre(file.to_path_buf()))?;
        Ok(Identity { cluster: cluster.to_owned(), name: name.to_owned(), dc: dc.to_owned() })
    }
}

fn node_of(uri: &str) -> Option<(&str, &str)> {
    let (cluster, path) = uri.strip_prefix("spiffe://")?.split_once('/')?;
    let name = path.strip_prefix("node/")?;
    (!cluster.is_empty() && !name.is_empty() && !name.contains('/')).then_some((cluster, name))
}
