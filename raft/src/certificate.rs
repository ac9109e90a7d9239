//! Whom a certificate names: `spiffe://<cluster>/node/<name>` or `spiffe://<cluster>/operator/<name>`,
//! and the data centre in its subject's OU.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The longest name of a machine, operator, cluster or data centre, in bytes.
pub const NAME_MAX: usize = 100;

/// Whom the other end's certificate names. A request carries it as an extension if its connection
/// showed a certificate that the listener's CA signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionIdentity {
    /// The trust domain: the cluster's name.
    pub cluster: String,
    /// What it is.
    pub kind: IdentityKind,
    /// Its name.
    pub name: String,
    /// The data centre in the subject's OU; empty if there is none.
    pub dc: String,
}

/// What a certificate can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityKind {
    /// A machine.
    Node,
    /// A person or tool that runs the cluster.
    Operator,
}

/// Why a certificate names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamelessCertificate {
    /// Not a certificate.
    #[error("it cannot be parsed")]
    Unreadable,
    /// No URI, or more than one: then nobody knows which is meant.
    #[error("it must carry exactly one URI among its subject alternative names")]
    NotOneUri,
    /// Another URI than those in use here.
    #[error(
        "its URI must be spiffe://CLUSTER/node/NAME or spiffe://CLUSTER/operator/NAME, of letters, digits, '-', '_' and '.'"
    )]
    Uri,
    /// More than one OU, or an unusable one.
    #[error("its subject may carry one OU, the data centre, of letters, digits, '-', '_' and '.'")]
    Ou,
}

impl ConnectionIdentity {
    /// Reads the name out of a certificate. Whether the certificate is to be believed is not
    /// decided here.
    ///
    /// # Errors
    /// [`NamelessCertificate`] says what is missing.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, NamelessCertificate> {
        let (_, parsed) =
            X509Certificate::from_der(certificate).map_err(|_| NamelessCertificate::Unreadable)?;
        let names =
            parsed.subject_alternative_name().map_err(|_| NamelessCertificate::Unreadable)?;
        let mut uris = names.iter().flat_map(|names| &names.value.general_names).filter_map(
            |name| match name {
                GeneralName::URI(uri) => Some(*uri),
                _ => None,
            },
        );
        let (Some(uri), None) = (uris.next(), uris.next()) else {
            return Err(NamelessCertificate::NotOneUri);
        };
        let (cluster, kind, name) = split(uri).ok_or(NamelessCertificate::Uri)?;
        let mut units = parsed.subject().iter_organizational_unit();
        let dc = match (units.next(), units.next()) {
            (None, _) => "",
            (Some(unit), None) => {
                unit.as_str().ok().filter(|dc| is_name(dc)).ok_or(NamelessCertificate::Ou)?
            }
            (Some(_), Some(_)) => return Err(NamelessCertificate::Ou),
        };
        Ok(ConnectionIdentity {
            cluster: cluster.to_owned(),
            kind,
            name: name.to_owned(),
            dc: dc.to_owned(),
        })
    }
}

fn split(uri: &str) -> Option<(&str, IdentityKind, &str)> {
    let mut parts = uri.strip_prefix("spiffe://")?.split('/');
    let (cluster, kind, name) = (parts.next()?, parts.next()?, parts.next()?);
    let kind = match kind {
        "node" => IdentityKind::Node,
        "operator" => IdentityKind::Operator,
        _ => return None,
    };
    (parts.next().is_none() && is_name(cluster) && is_name(name)).then_some((cluster, kind, name))
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= NAME_MAX && text.bytes().all(allowed)
}
