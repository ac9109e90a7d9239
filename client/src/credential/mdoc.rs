//! mdoc: `IssuerSigned` of ISO/IEC 18013-5, 8.3.2.1.2.2, as issuers deliver it.
//!
//! Promises: what is returned is well-formed; every item's digest is the one in the mobile security
//! object, over the bytes as they stand in the file; that object is signed by the key of the
//! certificate in `x5chain`. Anything else is refused with the item, the digest and the byte.
//!
//! A file is CBOR, or the same in base64url, which is how OpenID4VCI delivers it. ES256 only.
//!
//! Not here: trust in the certificate, status, device authentication. The certificate lies outside of
//! what the issuer signed, so a change to a part of it that is not its key goes unnoticed.

mod cbor;
mod issuer_auth;
mod mso;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use super::claim::{Claim, ClaimValue};
use super::details::{Checked, Details};
use super::encoding::base64url;
use super::error::{CredentialError, Part, Problem, shown};
use super::key::verifies;
use cbor::Cursor;
use issuer_auth::IssuerAuth;
use mso::Mso;

/// The beginnings of an `IssuerSigned` in base64url: a map of two, either member first.
const BASE64URL_STARTS: [&[u8]; 2] = [b"ompuYW1lU3BhY2Vz", b"omppc3N1ZXJBdXRo"];

/// A credential in mdoc form.
#[derive(Debug)]
pub struct Mdoc {
    details: Details,
}

impl Mdoc {
    /// Whether the file means to be an mdoc, damaged or not.
    pub(super) fn resembles(file: &[u8]) -> bool {
        let has =
            |text: &[u8], within: &[u8]| within.windows(text.len()).any(|window| window == text);
        // The names of the two members, each behind the CBOR head of a text of ten bytes: one of them
        // at the beginning, or the second one in what begins as a map.
        let start = &file[..file.len().min(64)];
        let is_map = file.first().is_some_and(|head| (0xa0..=0xbf).contains(head));
        has(b"jnameSpaces", start)
            || has(b"jissuerAuth", if is_map { file } else { start })
            || is_base64url(file)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`CredentialError`], for everything that departs from the format, for signatures other than
    /// ES256 with P-256 and digests other than SHA-2.
    pub fn read(file: &[u8]) -> Result<Self, CredentialError> {
        if !is_base64url(file) {
            return Self::read_cbor(file);
        }
        let start = file.len() - file.trim_ascii_start().len();
        let bytes = base64url(&Part::File, start, file.trim_ascii())?;
        // Point at the character in the file that holds the byte.
        Self::read_cbor(&bytes)
            .map_err(|error| CredentialError { at: start + error.at * 4 / 3, ..error })
    }

    /// What it says.
    pub fn details(&self) -> &Details {
        &self.details
    }

    fn read_cbor(file: &[u8]) -> Result<Self, CredentialError> {
        let outer = Outer::read(file)?;
        let auth = IssuerAuth::read(file, outer.issuer_auth)?;
        if !verifies(&auth.certificate.key, &auth.signed, &file[auth.signature.clone()]) {
            let at = auth.signature.start;
            return Err(CredentialError::new(Part::IssuerAuth, at, Problem::BadSignature));
        }
        let mso = Mso::read(Cursor::within(file, auth.mso, Part::Mso))?;
        let mut claims = Vec::new();
        for space in &outer.spaces {
            claims.extend(space.claims(file, &mso)?);
        }
        let signed: usize = mso.digests.values().map(BTreeMap::len).sum();
        let details = Details {
            credential_type: mso.doc_type,
            issuer: Some(auth.certificate.name),
            valid_from: Some(mso.valid_from),
            valid_until: Some(mso.valid_until),
            withheld: signed - claims.len(),
            claims,
            binding: mso.binding,
            checked: Checked::EmbeddedCertificate,
        };
        Ok(Self { details })
    }
}

fn is_base64url(file: &[u8]) -> bool {
    BASE64URL_STARTS.iter().any(|start| file.trim_ascii_start().starts_with(start))
}

/// `IssuerSigned`, its parts as places in the file.
struct Outer<'f> {
    spaces: Vec<Space<'f>>,
    issuer_auth: Range<usize>,
}

/// A name space and every `IssuerSignedItemBytes` in it, in the file's order.
struct Space<'f> {
    name: &'f str,
    items: Vec<Range<usize>>,
}

impl<'f> Outer<'f> {
    fn read(file: &'f [u8]) -> Result<Self, CredentialError> {
        let mut cursor = Cursor::new(file, Part::IssuerSigned);
        let mut spaces = None;
        let mut issuer_auth = None;
        cursor.map("IssuerSigned", |cursor| {
            let at = cursor.at();
            let repeated = match cursor.text("a member's name")? {
                "nameSpaces" => spaces.replace(Space::read_all(cursor)?).is_some(),
                "issuerAuth" => issuer_auth.replace(cursor.skip()?).is_some(),
                // The map is closed: a name nobody knows is a name that was damaged.
                other => {
                    let problem = Problem::Unsupported { what: "the member", found: shown(other) };
                    return Err(cursor.refused(at, problem));
                }
            };
            if repeated { Err(cursor.refused(at, Problem::Repeated("a member"))) } else { Ok(()) }
        })?;
        cursor.finish()?;
        let missing = Problem::Missing("issuerAuth");
        let issuer_auth = issuer_auth.ok_or_else(|| cursor.refused(0, missing))?;
        Ok(Self { spaces: spaces.unwrap_or_default(), issuer_auth })
    }
}

impl<'f> Space<'f> {
    /// `nameSpaces`.
    fn read_all(cursor: &mut Cursor<'f>) -> Result<Vec<Self>, CredentialError> {
        let mut spaces = Vec::new();
        let mut names = HashSet::new();
        cursor.map("nameSpaces", |cursor| {
            let at = cursor.at();
            let name = cursor.text("a name space")?;
            if !names.insert(name) {
                return Err(cursor.refused(at, Problem::Repeated("a name space")));
            }
            let mut items = Vec::new();
            cursor.array("the items of a name space", |cursor| {
                items.push(cursor.skip()?);
                Ok(())
            })?;
            spaces.push(Self { name, items });
            Ok(())
        })?;
        Ok(spaces)
    }

    /// Checks every item against its digest and decodes it.
    fn claims(&self, file: &[u8], mso: &Mso) -> Result<Vec<Claim>, CredentialError> {
        let signed = mso.digests.get(self.name);
        let (mut ids, mut names) = (HashSet::new(), HashSet::new());
        let mut claims = Vec::with_capacity(self.items.len());
        for (number, span) in (1..).zip(&self.items) {
            let part = Part::Item { space: shown(self.name), number };
            let item = Item::read(Cursor::within(file, span.clone(), part.clone()))?;
            let refused = |problem| Err(CredentialError::new(part, span.start, problem));
            let Some(digest) = signed.and_then(|digests| digests.get(&item.digest_id)) else {
                return refused(Problem::DigestMissing(item.digest_id));
            };
            // Over the bytes as they stand, the tag and the length included (9.1.2.5).
            if mso.hash.digest(&file[span.clone()]) != file[digest.clone()] {
                return refused(Problem::DigestDiffers(item.digest_id));
            }
            if !ids.insert(item.digest_id) {
                return refused(Problem::Repeated("its digest id"));
            }
            if !names.insert(item.name.clone()) {
                return refused(Problem::Repeated("its element"));
            }
            let space = Some(self.name.to_owned());
            claims.push(Claim { space, name: item.name, value: item.value, disclosable: true });
        }
        Ok(claims)
    }
}

/// `IssuerSignedItem`.
struct Item {
    digest_id: u64,
    name: String,
    value: ClaimValue,
}

impl Item {
    fn read(mut cursor: Cursor<'_>) -> Result<Self, CredentialError> {
        let (mut digest_id, mut name, mut value, mut random) = (None, None, None, None);
        let mut inner = cursor.embedded("IssuerSignedItemBytes")?;
        inner.map("IssuerSignedItem", |inner| {
            let at = inner.at();
            let repeated = match inner.text("a member's name")? {
                "digestID" => digest_id.replace(inner.unsigned("digestID")?).is_some(),
                "random" => random.replace(inner.bytes("random")?).is_some(),
                "elementIdentifier" => {
                    name.replace(inner.text("elementIdentifier")?.to_owned()).is_some()
                }
                "elementValue" => value.replace(inner.value()?).is_some(),
                _ => {
                    inner.skip()?;
                    false
                }
            };
            if repeated { Err(inner.refused(at, Problem::Repeated("a member"))) } else { Ok(()) }
        })?;
        inner.finish()?;
        cursor.finish()?;
        let missing = |what| cursor.refused(cursor.start(), Problem::Missing(what));
        random.ok_or(missing("random"))?;
        Ok(Self {
            digest_id: digest_id.ok_or(missing("digestID"))?,
            name: name.ok_or(missing("elementIdentifier"))?,
            value: value.ok_or(missing("elementValue"))?.into(),
        })
    }
}

#[cfg(test)]
mod tests;
