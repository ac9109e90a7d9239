//! How a file becomes a record of the wallet.
//!
//! | file | `kind` | `policy` | `body` |
//! |---|---|---|---|
//! | portable credential | `dc+sd-jwt`, `mso_mdoc` | `portable` | the file, byte for byte |
//! | device-bound credential | the same | `re-issue` | the pointer, as JSON |
//! | holder's key | `holder-key` | `portable` | the file |
//! | anything else | `opaque` | empty | the file |
//!
//! `fields`, each only if there is something to say, so that a list needs no decoding: `type`,
//! `issuer`, `valid_from`, `valid_until` (RFC 3339), `holder_key` (the thumbprint of the key that the
//! credential is bound to, or that the file holds), `signature` (what it was checked with).

use std::collections::BTreeMap;
use std::fmt;

use super::claim::one_line;
use super::details::{Binding, Details};
use super::key::Thumbprint;
use super::portability::Portability;
use super::{Credential, Format};
use crate::record::Record;

/// The field with the credential's type.
pub const FIELD_TYPE: &str = "type";
/// The field with the issuer.
pub const FIELD_ISSUER: &str = "issuer";
/// The field with the beginning of the validity period.
pub const FIELD_VALID_FROM: &str = "valid_from";
/// The field with the end of the validity period.
pub const FIELD_VALID_UNTIL: &str = "valid_until";
/// The field with the thumbprint of the holder's key.
pub const FIELD_HOLDER_KEY: &str = "holder_key";
/// The field that says what the signature was checked with.
pub const FIELD_SIGNATURE: &str = "signature";
/// The policy of what travels as it is.
pub const PORTABLE: &str = "portable";
/// The policy of what has to be issued again.
pub const REISSUE: &str = "re-issue";

/// A file, ready for the wallet.
#[derive(Clone, PartialEq)]
pub struct Filing {
    /// What is sealed and travels to every device.
    pub record: Record,
    /// The file itself, if it does not travel: of use on this device alone, and kept on it alone.
    pub kept_here: Option<Vec<u8>>,
}

/// Lengths only.
impl fmt::Debug for Filing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept_here = self.kept_here.as_ref().map_or(0, Vec::len);
        write!(f, "Filing({:?}, {kept_here} bytes kept here)", self.record)
    }
}

impl Filing {
    /// Files what was read as `credential` from `file`. `holds` says for which private keys of holders
    /// the wallet has, or is about to get, the file.
    pub fn new(
        name: &str,
        file: &[u8],
        credential: &Credential,
        holds: impl Fn(&Thumbprint) -> bool,
    ) -> Self {
        let format = credential.format();
        let mut filing = Self { record: Record::new(format.kind(), name, file), kept_here: None };
        let record = &mut filing.record;
        if let Credential::HolderKey(key) = credential {
            record.policy = PORTABLE.to_owned();
            record.fields.insert(FIELD_HOLDER_KEY.to_owned(), key.thumbprint().to_string());
        }
        let Some(details) = credential.details() else { return filing };
        record.fields = fields(details);
        match Portability::of(format, details, holds) {
            Portability::Portable => record.policy = PORTABLE.to_owned(),
            Portability::ReissueNeeded(pointer) => {
                record.policy = REISSUE.to_owned();
                record.body = pointer.to_json().into_bytes().into();
                filing.kept_here = Some(file.to_vec());
            }
        }
        filing
    }
}

fn fields(details: &Details) -> BTreeMap<String, String> {
    let holder_key = match &details.binding {
        Binding::Key(thumbprint) => Some(thumbprint.to_string()),
        Binding::None | Binding::Unnamed => None,
    };
    let fields = [
        (FIELD_TYPE, Some(one_line(&details.credential_type))),
        (FIELD_ISSUER, details.issuer.as_deref().map(one_line)),
        (FIELD_VALID_FROM, details.valid_from.map(|moment| moment.to_string())),
        (FIELD_VALID_UNTIL, details.valid_until.map(|moment| moment.to_string())),
        (FIELD_HOLDER_KEY, holder_key),
        (FIELD_SIGNATURE, Some(details.checked.to_string())),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

impl Format {
    /// The `kind` of a record in this format: the format's identifier in OpenID4VCI where it has one.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::SdJwtVc => "dc+sd-jwt",
            Self::Mdoc => "mso_mdoc",
            Self::HolderKey => "holder-key",
            Self::Opaque => "opaque",
        }
    }
}
