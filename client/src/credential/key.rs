//! Public keys as credentials carry them: JWK (RFC 7517), COSE_Key (RFC 9052, 7), and their names.

use std::fmt;

use coset::{AsCborValue, CoseKey, iana};
use seal::es256;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use types::PublicKey;

use super::encoding::to_base64url;

/// The name of a holder's key: its JWK thumbprint with SHA-256 (RFC 7638), shown in base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// The thumbprint of a P-256 key.
    pub fn of(key: &PublicKey) -> Self {
        let (x, y) = key.as_bytes()[1..].split_at(32);
        let jwk = json!({"crv": "P-256", "kty": "EC", "x": to_base64url(x), "y": to_base64url(y)});
        Self::of_canonical(&jwk)
    }

    /// The thumbprint of any public key in JWK form; `None` if a member it is made of is missing.
    pub(super) fn of_jwk(jwk: &Map<String, Value>) -> Option<Self> {
        let members: &[&str] = match jwk.get("kty")?.as_str()? {
            "EC" => &["crv", "kty", "x", "y"],
            "OKP" => &["crv", "kty", "x"],
            "RSA" => &["e", "kty", "n"],
            _ => return None,
        };
        let required = |name: &&str| Some(((*name).to_owned(), jwk.get(*name)?.as_str()?.into()));
        Some(Self::of_canonical(&Value::Object(
            members.iter().map(required).collect::<Option<_>>()?,
        )))
    }

    /// Hashed is the form without blanks and with the names in order, as both callers give them.
    fn of_canonical(jwk: &Value) -> Self {
        Self(Sha256::digest(jwk.to_string()).into())
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_base64url(self.0))
    }
}

/// The P-256 key of these coordinates; `None` if one is not 32 bytes long.
pub(super) fn p256(x: &[u8], y: &[u8]) -> Option<PublicKey> {
    (x.len() == 32 && y.len() == 32).then_some(())?;
    PublicKey::parse(&[&[4], x, y].concat()).ok()
}

/// The thumbprint of a `COSE_Key`; `None` for what is not a P-256 key with both coordinates.
pub(super) fn thumbprint_of_cose(value: ciborium::Value) -> Option<Thumbprint> {
    let key = CoseKey::from_cbor_value(value).ok()?;
    let parameter = |label: iana::Ec2KeyParameter| {
        let label = coset::Label::Int(label as i64);
        key.params.iter().find(|(name, _)| *name == label).map(|(_, value)| value)
    };
    let curve = parameter(iana::Ec2KeyParameter::Crv)?.as_integer()?;
    let is_p256 = key.kty == coset::KeyType::Assigned(iana::KeyType::EC2)
        && i128::from(curve) == iana::EllipticCurve::P_256 as i128;
    is_p256.then_some(())?;
    let x = parameter(iana::Ec2KeyParameter::X)?.as_bytes()?;
    let y = parameter(iana::Ec2KeyParameter::Y)?.as_bytes()?;
    p256(x, y).map(|key| Thumbprint::of(&key))
}

/// Whether `signature` is `key`'s ES256 signature of `message`, in either form of `s`.
pub(super) fn verifies(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let Ok(signature) = signature.try_into() else { return false };
    es256::verify_foreign(key, message, &signature).is_ok()
}
