//! The mobile security object: what the issuer signed (ISO/IEC 18013-5, 9.1.2.4).

use std::collections::BTreeMap;
use std::ops::Range;

use sha2::{Digest, Sha256, Sha384, Sha512};

use super::cbor::Cursor;
use crate::credential::details::Binding;
use crate::credential::error::{CredentialError, Problem, shown};
use crate::credential::key::thumbprint_of_cose;
use crate::credential::moment::Moment;

/// The tag of an RFC 3339 date and time (RFC 8949, 3.4.1).
const DATE_TIME: u64 = 0;

/// The hash of the items' digests.
#[derive(Clone, Copy)]
pub(super) enum HashAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl HashAlgorithm {
    pub(super) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// For every name space, where the digest with each id stands in the file.
pub(super) type Digests = BTreeMap<String, BTreeMap<u64, Range<usize>>>;

/// A mobile security object.
pub(super) struct Mso {
    pub(super) hash: HashAlgorithm,
    pub(super) digests: Digests,
    pub(super) binding: Binding,
    pub(super) doc_type: String,
    pub(super) valid_from: Moment,
    pub(super) valid_until: Moment,
}

impl Mso {
    /// Reads `MobileSecurityObjectBytes`.
    pub(super) fn read(mut cursor: Cursor<'_>) -> Result<Self, CredentialError> {
        let mut inner = cursor.embedded("MobileSecurityObjectBytes")?;
        cursor.finish()?;
        let (mut version, mut hash, mut digests) = (None, None, None);
        let (mut binding, mut doc_type, mut validity) = (None, None, None);
        inner.map("MobileSecurityObject", |inner| {
            let at = inner.at();
            let repeated = match inner.text("a member's name")? {
                "version" => version.replace(require_version(inner)?).is_some(),
                "digestAlgorithm" => hash.replace(hash_algorithm(inner)?).is_some(),
                "valueDigests" => digests.replace(value_digests(inner)?).is_some(),
                "deviceKeyInfo" => binding.replace(device_key(inner)?).is_some(),
                "docType" => doc_type.replace(inner.text("docType")?.to_owned()).is_some(),
                "validityInfo" => validity.replace(validity_info(inner)?).is_some(),
                // The map is open: `status` and what later editions add.
                _ => {
                    inner.skip()?;
                    false
                }
            };
            if repeated { Err(inner.refused(at, Problem::Repeated("a member"))) } else { Ok(()) }
        })?;
        inner.finish()?;
        let missing = |what| inner.refused(inner.start(), Problem::Missing(what));
        version.ok_or(missing("version"))?;
        let (valid_from, valid_until) = validity.ok_or(missing("validityInfo"))?;
        Ok(Self {
            hash: hash.ok_or(missing("digestAlgorithm"))?,
            digests: digests.ok_or(missing("valueDigests"))?,
            binding: binding.ok_or(missing("deviceKeyInfo"))?,
            doc_type: doc_type.ok_or(missing("docType"))?,
            valid_from,
            valid_until,
        })
    }
}

/// Version 1, whatever stands behind the point.
fn require_version(cursor: &mut Cursor<'_>) -> Result<(), CredentialError> {
    let at = cursor.at();
    match cursor.text("version")? {
        version if version.starts_with("1.") => Ok(()),
        other => {
            let problem = Problem::Unsupported { what: "version", found: shown(other) };
            Err(cursor.refused(at, problem))
        }
    }
}

fn hash_algorithm(cursor: &mut Cursor<'_>) -> Result<HashAlgorithm, CredentialError> {
    let at = cursor.at();
    Ok(match cursor.text("digestAlgorithm")? {
        "SHA-256" => HashAlgorithm::Sha256,
        "SHA-384" => HashAlgorithm::Sha384,
        "SHA-512" => HashAlgorithm::Sha512,
        other => {
            let problem = Problem::Unsupported { what: "digestAlgorithm", found: shown(other) };
            return Err(cursor.refused(at, problem));
        }
    })
}

fn value_digests(cursor: &mut Cursor<'_>) -> Result<Digests, CredentialError> {
    let mut spaces = Digests::new();
    cursor.map("valueDigests", |cursor| {
        let at = cursor.at();
        let space = cursor.text("a name space")?.to_owned();
        let mut digests = BTreeMap::new();
        cursor.map("the digests of a name space", |cursor| {
            let at = cursor.at();
            let id = cursor.unsigned("a digest id")?;
            match digests.insert(id, cursor.bytes("a digest")?) {
                None => Ok(()),
                Some(_) => Err(cursor.refused(at, Problem::Repeated("a digest id"))),
            }
        })?;
        match spaces.insert(space, digests) {
            None => Ok(()),
            Some(_) => Err(cursor.refused(at, Problem::Repeated("a name space"))),
        }
    })?;
    Ok(spaces)
}

fn device_key(cursor: &mut Cursor<'_>) -> Result<Binding, CredentialError> {
    let mut binding = None;
    let at = cursor.at();
    cursor.map("deviceKeyInfo", |cursor| {
        match cursor.text("a member's name")? {
            // A key of another curve cannot be named here; it is bound all the same.
            "deviceKey" => {
                let thumbprint = thumbprint_of_cose(cursor.value()?);
                binding = Some(thumbprint.map_or(Binding::Unnamed, Binding::Key));
            }
            _ => {
                cursor.skip()?;
            }
        }
        Ok(())
    })?;
    binding.ok_or_else(|| cursor.refused(at, Problem::Missing("deviceKey")))
}

fn validity_info(cursor: &mut Cursor<'_>) -> Result<(Moment, Moment), CredentialError> {
    let (mut from, mut until) = (None, None);
    let at = cursor.at();
    cursor.map("validityInfo", |cursor| {
        match cursor.text("a member's name")? {
            "validFrom" => from = Some(date_time(cursor, "validFrom")?),
            "validUntil" => until = Some(date_time(cursor, "validUntil")?),
            _ => {
                cursor.skip()?;
            }
        }
        Ok(())
    })?;
    let missing = |what| cursor.refused(at, Problem::Missing(what));
    Ok((from.ok_or(missing("validFrom"))?, until.ok_or(missing("validUntil"))?))
}

fn date_time(cursor: &mut Cursor<'_>, what: &'static str) -> Result<Moment, CredentialError> {
    let at = cursor.at();
    let wrong = Problem::Wrong { what, expected: "an RFC 3339 date and time (tag 0)" };
    cursor.tag(DATE_TIME, wrong.clone())?;
    Moment::parse(cursor.text(what)?).ok_or_else(|| cursor.refused(at, wrong))
}
