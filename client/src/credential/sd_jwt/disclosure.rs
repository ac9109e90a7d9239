//! Disclosures: salted values, named by the hash of their encoded form (RFC 9901, 4.2).

use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::compact::Segment;
use crate::credential::encoding::to_base64url;
use crate::credential::error::{CredentialError, Part, Problem, shown};
use crate::credential::json;

/// The hash that names disclosures: `_sd_alg` (RFC 9901, 4.1.1).
#[derive(Clone, Copy)]
pub(super) enum HashAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl HashAlgorithm {
    /// The algorithm that a payload names; SHA-256 if it names none.
    pub(super) fn of(payload: &Map<String, Value>, at: usize) -> Result<Self, CredentialError> {
        let refused = |problem| Err(CredentialError::new(Part::JwtPayload, at, problem));
        match payload.get("_sd_alg").map(Value::as_str) {
            None | Some(Some("sha-256")) => Ok(Self::Sha256),
            Some(Some("sha-384")) => Ok(Self::Sha384),
            Some(Some("sha-512")) => Ok(Self::Sha512),
            Some(Some(other)) => {
                refused(Problem::Unsupported { what: "_sd_alg", found: shown(other) })
            }
            Some(None) => refused(Problem::Wrong { what: "_sd_alg", expected: "text" }),
        }
    }

    fn digest(self, text: &[u8]) -> String {
        match self {
            Self::Sha256 => to_base64url(Sha256::digest(text)),
            Self::Sha384 => to_base64url(Sha384::digest(text)),
            Self::Sha512 => to_base64url(Sha512::digest(text)),
        }
    }
}

/// A disclosure and the digest that must name it.
pub(super) struct Disclosure {
    pub(super) part: Part,
    pub(super) at: usize,
    pub(super) digest: String,
    json: Vec<u8>,
}

/// What a disclosure discloses.
pub(super) enum Disclosed {
    /// A member of an object.
    Member(String, Value),
    /// An element of an array.
    Element(Value),
}

impl Disclosure {
    /// Decodes the base64url and hashes it as it stands; the JSON in it is read by [`Self::open`].
    pub(super) fn new(
        segment: &Segment<'_>,
        algorithm: HashAlgorithm,
    ) -> Result<Self, CredentialError> {
        Ok(Self {
            part: segment.part.clone(),
            at: segment.at,
            digest: algorithm.digest(segment.text),
            json: segment.decode()?,
        })
    }

    /// `[salt, name, value]` or `[salt, value]`.
    pub(super) fn open(&self) -> Result<Disclosed, CredentialError> {
        let wrong = || {
            self.refused(Problem::Wrong {
                what: "the decoded text",
                expected: "[salt, name, value] or [salt, value]",
            })
        };
        let Value::Array(mut members) = json::value(&self.part, self.at, &self.json)? else {
            return Err(wrong());
        };
        if !members.first().is_some_and(Value::is_string) {
            return Err(wrong());
        }
        let value = members.pop().unwrap_or_default();
        let name = members.pop();
        match (members.len(), name) {
            (0, Some(_salt)) => Ok(Disclosed::Element(value)),
            (1, Some(Value::String(name))) if name == "_sd" || name == "..." => {
                Err(self.refused(Problem::ReservedName))
            }
            (1, Some(Value::String(name))) => Ok(Disclosed::Member(name, value)),
            _ => Err(wrong()),
        }
    }

    pub(super) fn refused(&self, problem: Problem) -> CredentialError {
        CredentialError::new(self.part.clone(), self.at, problem)
    }
}
