//! Whether a credential works on another device, and what to take along if it does not.
//!
//! The format says to which key a credential is bound, not where that key lives. So the rule is about
//! what the wallet holds: no key, or a key whose private half is in the wallet too, travels. Any other
//! key is in some device's hardware, and a copy of the credential would be of no use elsewhere; what
//! travels then is the pointer needed to ask the issuer again, which says nothing about the holder.

use serde_json::{Map, Value};

use super::Format;
use super::details::{Binding, Details};
use super::key::Thumbprint;

/// How a credential reaches another device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Portability {
    /// As it is.
    Portable,
    /// Not at all: it has to be issued again, to that device's key.
    ReissueNeeded(Pointer),
}

impl Portability {
    /// The portability of a credential in a wallet that holds the private keys for which `holds` is
    /// true.
    pub fn of(format: Format, details: &Details, holds: impl Fn(&Thumbprint) -> bool) -> Self {
        match &details.binding {
            Binding::None => Self::Portable,
            Binding::Key(key) if holds(key) => Self::Portable,
            Binding::Key(_) | Binding::Unnamed => Self::ReissueNeeded(Pointer {
                format,
                issuer: details.issuer.clone(),
                credential_type: details.credential_type.clone(),
                configuration: None,
            }),
        }
    }
}

/// Whom to ask for what, in the words of OpenID for Verifiable Credential Issuance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The format that was issued.
    pub format: Format,
    /// `credential_issuer`: `iss`, or the name in the issuer's certificate.
    pub issuer: Option<String>,
    /// `vct` or `doctype`.
    pub credential_type: String,
    /// `credential_configuration_id`, if whoever received the credential knew it: it is not part of a
    /// credential.
    pub configuration: Option<String>,
}

impl Pointer {
    /// The pointer as JSON, one line.
    pub fn to_json(&self) -> String {
        let type_name = match self.format {
            Format::Mdoc => "doctype",
            _ => "vct",
        };
        let mut members = Map::new();
        let mut add = |name: &str, text: &str| members.insert(name.to_owned(), Value::from(text));
        add("format", self.format.kind());
        add(type_name, &self.credential_type);
        if let Some(issuer) = &self.issuer {
            add("credential_issuer", issuer);
        }
        if let Some(id) = &self.configuration {
            add("credential_configuration_id", id);
        }
        Value::Object(members).to_string()
    }
}
