//! A holder's private key as a file: a JWK (RFC 7517) with `d`, P-256 only.
//!
//! A credential bound to such a key is portable as long as the key is in the same wallet: whoever
//! restores the wallet can present it. Keys in hardware have no such file.

use seal::Secret32;
use seal::es256::SoftwareKey;
use serde_json::{Map, Value};
use types::{PublicKey, Secret};
use zeroize::Zeroizing;

use super::encoding::base64url;
use super::error::{CredentialError, Part, Problem, shown};
use super::json;
use super::key::{Thumbprint, p256};

/// Larger than any JWK of this kind, so that other JSON is not taken for one.
const LEN_MAX: usize = 16 << 10;

/// A private key that belongs to credentials; only its name is kept here, the key stays in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HolderKey {
    thumbprint: Thumbprint,
}

impl HolderKey {
    /// Whether the file means to be a private key in JWK form, damaged or not.
    pub(super) fn resembles(file: &[u8]) -> bool {
        let has = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
        file.len() <= LEN_MAX
            && file.trim_ascii_start().starts_with(b"{")
            && has(b"\"kty\"")
            && has(b"\"d\"")
    }

    /// Reads and checks a file: the public half must be that of the private one.
    ///
    /// # Errors
    /// [`CredentialError`] for what is no JWK, for other curves, and if the halves do not belong
    /// together.
    pub fn read(file: &[u8]) -> Result<Self, CredentialError> {
        let refused = |problem| CredentialError::new(Part::HolderKey, 0, problem);
        let mut jwk = json::object(&Part::HolderKey, 0, file)?;
        let private = jwk.remove("d");
        for (name, wanted) in [("kty", "EC"), ("crv", "P-256")] {
            match text(&jwk, name)? {
                found if found == wanted => {}
                found => {
                    let problem = Problem::Unsupported { what: name, found: shown(found) };
                    return Err(refused(problem));
                }
            }
        }
        let Some(Value::String(private)) = private else {
            return Err(refused(Problem::Missing("d")));
        };
        let private = Secret::new(private.into_bytes());
        let scalar = Zeroizing::new(decode("d", private.expose())?);
        let (x, y) =
            (decode("x", text(&jwk, "x")?.as_bytes())?, decode("y", text(&jwk, "y")?.as_bytes())?);
        let public = p256(&x, &y).ok_or(refused(Problem::NotAKeyPair))?;
        let key =
            Secret32::from_slice(&scalar).and_then(|scalar| SoftwareKey::from_bytes(scalar).ok());
        match key {
            Some(key) if *key.public() == public => Ok(Self::of(&public)),
            _ => Err(refused(Problem::NotAKeyPair)),
        }
    }

    /// Its name, the same as that of the key in a credential bound to it.
    pub fn thumbprint(&self) -> &Thumbprint {
        &self.thumbprint
    }

    fn of(public: &PublicKey) -> Self {
        Self { thumbprint: Thumbprint::of(public) }
    }
}

fn text<'j>(jwk: &'j Map<String, Value>, name: &'static str) -> Result<&'j str, CredentialError> {
    let missing = Problem::Missing(name);
    jwk.get(name).and_then(Value::as_str).ok_or(CredentialError::new(Part::HolderKey, 0, missing))
}

/// Places inside a JSON file are not known after parsing; the member's name stands for them.
fn decode(name: &'static str, text: &[u8]) -> Result<Vec<u8>, CredentialError> {
    let wrong = Problem::Wrong { what: name, expected: "base64url" };
    base64url(&Part::HolderKey, 0, text)
        .map_err(|_| CredentialError::new(Part::HolderKey, 0, wrong))
}

#[cfg(test)]
mod tests;
