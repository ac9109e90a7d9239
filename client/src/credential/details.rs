//! What can be said of a credential, whatever its format.

use std::fmt;

use super::claim::Claim;
use super::key::Thumbprint;
use super::moment::Moment;

/// A credential's content, decoded for its holder.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// `vct` of an SD-JWT VC, `docType` of an mdoc.
    pub credential_type: String,
    /// `iss`, else the name in the issuer's certificate.
    pub issuer: Option<String>,
    /// Not valid before; if the credential does not say, when it was issued.
    pub valid_from: Option<Moment>,
    /// Not valid after.
    pub valid_until: Option<Moment>,
    /// What it says of its holder.
    pub claims: Vec<Claim>,
    /// Signed digests without a claim in this file: decoys, or claims that were left out.
    pub withheld: usize,
    /// Which key presents it.
    pub binding: Binding,
    /// What the issuer's signature was checked with.
    pub checked: Checked,
}

impl Details {
    /// Whether the credential is in its validity period. It is read and kept either way.
    pub fn standing(&self, now: Moment) -> Standing {
        if self.valid_until.is_some_and(|until| until < now) {
            Standing::Expired
        } else if self.valid_from.is_some_and(|from| now < from) {
            Standing::NotYetValid
        } else {
            Standing::Valid
        }
    }
}

/// Where a moment lies in relation to the validity period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Before it.
    NotYetValid,
    /// In it.
    Valid,
    /// After it.
    Expired,
}

/// The key that a credential is bound to: `cnf` of an SD-JWT VC, `deviceKey` of an mdoc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// None: whoever holds the credential can present it.
    None,
    /// This key.
    Key(Thumbprint),
    /// A key that the credential refers to in a way that cannot be followed here.
    Unnamed,
}

/// What the issuer's signature was checked with. Trust in that key is another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The key that the caller supplied.
    SuppliedKey,
    /// The key of the certificate in the credential.
    EmbeddedCertificate,
    /// Nothing: the credential brings no key and none was supplied. The digests fit the signed part;
    /// whether the issuer made that part is open.
    NoKey,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SuppliedKey => "checked with the issuer's key",
            Self::EmbeddedCertificate => "checked with the certificate in the credential",
            Self::NoKey => "not checked: no key",
        })
    }
}
