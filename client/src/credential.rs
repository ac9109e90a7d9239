//! Credentials as files: which format they have, whether they are whole, what they say, whether they
//! travel.
//!
//! Promises: a file that means to be a credential is either read completely and by the letter of its
//! format, or refused with the part, the byte and the reason; no input panics or exhausts the stack;
//! work is proportional to the file. Nothing is rewritten: what a wallet keeps is the file itself.
//!
//! What is checked: the format; the digest of every claim against the signed part; the issuer's ES256
//! signature with the certificate in the credential, or with a key that the caller supplies. What is
//! not: whether anybody should trust that key, and status. An expired credential is read like any
//! other, and shown as expired.
//!
//! | module | holds |
//! |---|---|
//! | [`sd_jwt`] | SD-JWT VC: RFC 9901, draft-ietf-oauth-sd-jwt-vc |
//! | [`mdoc`] | mdoc: `IssuerSigned` of ISO/IEC 18013-5 |
//! | [`holder_key`] | private keys that portable credentials are bound to |
//! | [`details`], [`claim`], [`key`], [`moment`] | what is decoded, the same for all formats |
//! | [`portability`], [`filing`] | what travels to another device, and as which record |

mod certificate;
pub mod claim;
pub mod details;
mod encoding;
pub mod error;
pub mod filing;
#[cfg(test)]
mod forge;
pub mod holder_key;
mod json;
pub mod key;
pub mod mdoc;
pub mod moment;
pub mod portability;
pub mod sd_jwt;

use types::limits::RECORD_DATA_MAX;

pub use claim::{Claim, ClaimValue};
pub use details::{Binding, Checked, Details, Standing};
pub use error::{CredentialError, Part, Problem};
pub use filing::Filing;
pub use holder_key::HolderKey;
pub use key::Thumbprint;
pub use mdoc::Mdoc;
pub use moment::Moment;
pub use portability::{Pointer, Portability};
pub use sd_jwt::SdJwtVc;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// An SD-JWT VC in the compact serialisation.
    SdJwtVc,
    /// The `IssuerSigned` of an mdoc, as CBOR or in base64url.
    Mdoc,
    /// A holder's private key as a JWK.
    HolderKey,
    /// Anything else: kept as it is, unread.
    Opaque,
}

impl Format {
    /// What a file means to be. A damaged credential is still one, so that it is refused rather than
    /// kept as something unknown; when too little is left of it, it is opaque.
    pub fn detect(file: &[u8]) -> Self {
        if Mdoc::resembles(file) {
            Self::Mdoc
        } else if SdJwtVc::resembles(file) {
            Self::SdJwtVc
        } else if HolderKey::resembles(file) {
            Self::HolderKey
        } else {
            Self::Opaque
        }
    }

    /// The format that a file's name promises by its ending, if any: such a file is read as that and
    /// nothing else, so that damage to its first bytes does not turn it into an opaque file.
    pub fn promised_by(name: &str) -> Option<Self> {
        let ending = name.rsplit_once('.')?.1;
        match ending.to_ascii_lowercase().as_str() {
            "sd-jwt" | "sdjwt" => Some(Self::SdJwtVc),
            "mdoc" => Some(Self::Mdoc),
            _ => None,
        }
    }
}

/// A file that was read.
#[derive(Debug)]
pub enum Credential {
    /// An SD-JWT VC.
    SdJwtVc(SdJwtVc),
    /// An mdoc.
    Mdoc(Mdoc),
    /// A holder's private key.
    HolderKey(HolderKey),
    /// A file of no format known here.
    Opaque,
}

impl Credential {
    /// Reads a file as what it means to be.
    ///
    /// # Errors
    /// [`CredentialError`] if it is a damaged or unsupported credential, or larger than a record.
    pub fn read(file: &[u8]) -> Result<Self, CredentialError> {
        Self::read_as(Format::detect(file), file)
    }

    /// Reads a file as a given format. As [`Format::Opaque`], whatever fits a record is accepted.
    ///
    /// # Errors
    /// [`CredentialError`] if it is not in that format, whole, or larger than a record.
    pub fn read_as(format: Format, file: &[u8]) -> Result<Self, CredentialError> {
        if file.len() > RECORD_DATA_MAX {
            let problem = Problem::TooLarge(RECORD_DATA_MAX);
            return Err(CredentialError::new(Part::File, RECORD_DATA_MAX, problem));
        }
        Ok(match format {
            Format::SdJwtVc => Self::SdJwtVc(SdJwtVc::read(file, None)?),
            Format::Mdoc => Self::Mdoc(Mdoc::read(file)?),
            Format::HolderKey => Self::HolderKey(HolderKey::read(file)?),
            Format::Opaque => Self::Opaque,
        })
    }

    /// Its format.
    pub const fn format(&self) -> Format {
        match self {
            Self::SdJwtVc(_) => Format::SdJwtVc,
            Self::Mdoc(_) => Format::Mdoc,
            Self::HolderKey(_) => Format::HolderKey,
            Self::Opaque => Format::Opaque,
        }
    }

    /// What it says, if it is a credential.
    pub fn details(&self) -> Option<&Details> {
        match self {
            Self::SdJwtVc(credential) => Some(credential.details()),
            Self::Mdoc(credential) => Some(credential.details()),
            Self::HolderKey(_) | Self::Opaque => None,
        }
    }
}

#[cfg(test)]
mod tests;
