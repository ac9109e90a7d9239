//! DPoP proofs (RFC 9449): whoever presents a session token shows, with every request, that it
//! holds the key the token was given to.
//!
//! A proof is a JWT signed with ES256 by the key in its own header. Pure functions: the time is an
//! argument, and the caller refuses a `jti` it has seen within the window, and a key whose
//! thumbprint is not the token's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use rand::CryptoRng;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use types::PublicKey;

use crate::error::SealError;
use crate::es256::{self, SoftwareKey};
use crate::hazmat;

/// Longest proof that is looked at, in bytes. Ours have about 500.
pub const PROOF_MAX: usize = 4096;
/// How far `iat` may lie behind the server's clock, in seconds.
pub const AGE_MAX_S: u64 = 60;
/// How far `iat` may lie ahead of the server's clock, in seconds.
pub const AHEAD_MAX_S: u64 = 10;
/// Longest `jti` that is accepted, in bytes: the caller must remember them.
pub const JTI_MAX: usize = 64;

/// Random bytes in the `jti` of our own proofs (RFC 9449, 4.2, asks for at least 96 bits).
const JTI_BYTES: usize = 16;

/// The request that a proof belongs to.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// HTTP method, upper case. gRPC: `POST`.
    pub method: &'a str,
    /// Target URI; query and fragment do not count. gRPC: the method path, `/package.Service/Method`.
    pub uri: &'a str,
    /// The access token that comes with the request, as sent.
    pub token: &'a str,
}

/// What a checked proof says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Unique id; must not have been seen before within [`AGE_MAX_S`] + [`AHEAD_MAX_S`].
    pub jti: String,
    /// RFC 7638 thumbprint of the key that signed.
    pub thumbprint: [u8; 32],
}

/// Why a proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DpopError {
    /// Not a JWT of the right form.
    #[error("the DPoP proof is malformed: {0}")]
    Malformed(&'static str),
    /// The signature does not verify under the key in the header.
    #[error("the DPoP proof is not signed by its key")]
    Signature,
    /// Made for another method, target or token.
    #[error("the DPoP proof is for another {0}")]
    OtherRequest(&'static str),
    /// `iat` is outside the window around the server's clock.
    #[error("the DPoP proof was made {age_s} s ago; allowed are -10 to 60: check the clock")]
    Time {
        /// Server's clock minus `iat`, in seconds.
        age_s: i64,
    },
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Jwk,
    /// Extensions that must be understood; none are.
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Jwk {
    crv: String,
    kty: String,
    x: String,
    y: String,
    /// A private key has no business in a proof (RFC 9449, 4.2).
    d: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: u64,
    ath: String,
}

/// Builds a proof for one request, signed by the session's key.
///
/// `now_s` is Unix time in seconds.
///
/// # Errors
/// [`SealError::KeyUnavailable`] if signing fails inside the library.
pub fn build(
    rng: &mut dyn CryptoRng,
    key: &SoftwareKey,
    request: &Request<'_>,
    now_s: u64,
) -> Result<String, SealError> {
    let mut jti = [0; JTI_BYTES];
    rng.fill_bytes(&mut jti);
    let (x, y) = coordinates(key.public());
    let header = json!({
        "typ": "dpop+jwt",
        "alg": "ES256",
        "jwk": { "kty": "EC", "crv": "P-256", "x": x, "y": y },
    });
    let claims = json!({
        "jti": BASE64URL.encode(jti),
        "htm": request.method,
        "htu": without_query(request.uri),
        "iat": now_s,
        "ath": token_hash(request.token),
    });
    let (header, claims) = (header.to_string(), claims.to_string());
    let mut proof = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
    let signature = key.sign(rng, proof.as_bytes())?;
    proof.push('.');
    BASE64URL.encode_string(signature, &mut proof);
    Ok(proof)
}

/// Checks a proof against the request it came with (RFC 9449, 4.3), all but replay and the binding
/// of the key to the token, which the caller does with what is returned.
///
/// `now_s` is Unix time in seconds.
///
/// # Errors
/// [`DpopError`] says which check failed; none depends on a secret.
pub fn check(proof: &str, request: &Request<'_>, now_s: u64) -> Result<Proof, DpopError> {
    if proof.len() > PROOF_MAX {
        return Err(DpopError::Malformed("longer than 4096 bytes"));
    }
    let (signed, signature) =
        proof.rsplit_once('.').ok_or(DpopError::Malformed("not three parts"))?;
    let (header, claims) = signed.split_once('.').ok_or(DpopError::Malformed("not three parts"))?;
    let key = check_header(&decode(header)?)?;
    let signature = decode(signature)?;
    let signature =
        signature.as_slice().try_into().map_err(|_| DpopError::Malformed("signature length"))?;
    es256::verify_foreign(&key, signed.as_bytes(), signature).map_err(|_| DpopError::Signature)?;
    let claims: Claims =
        serde_json::from_slice(&decode(claims)?).map_err(|_| DpopError::Malformed("claims"))?;
    check_claims(&claims, request, now_s)?;
    Ok(Proof { jti: claims.jti, thumbprint: thumbprint(&key) })
}

fn check_header(json: &[u8]) -> Result<PublicKey, DpopError> {
    let header: Header =
        serde_json::from_slice(json).map_err(|_| DpopError::Malformed("header"))?;
    if header.typ != "dpop+jwt" {
        return Err(DpopError::Malformed("typ is not dpop+jwt"));
    }
    if header.alg != "ES256" || header.jwk.kty != "EC" || header.jwk.crv != "P-256" {
        return Err(DpopError::Malformed("only ES256 with a P-256 key is accepted"));
    }
    if header.crit.is_some() {
        return Err(DpopError::Malformed("unknown critical extension"));
    }
    if header.jwk.d.is_some() {
        return Err(DpopError::Malformed("the key is private"));
    }
    let mut point = [0x04; PublicKey::LEN];
    for (to, coordinate) in [(1..33, &header.jwk.x), (33..65, &header.jwk.y)] {
        let bytes = decode(coordinate)?;
        if bytes.len() != 32 {
            return Err(DpopError::Malformed("a coordinate is not 32 bytes long"));
        }
        point[to].copy_from_slice(&bytes);
    }
    PublicKey::parse(&point).map_err(|_| DpopError::Malformed("key"))
}

fn check_claims(claims: &Claims, request: &Request<'_>, now_s: u64) -> Result<(), DpopError> {
    if claims.jti.is_empty() || claims.jti.len() > JTI_MAX {
        return Err(DpopError::Malformed("jti must have 1 to 64 bytes"));
    }
    if claims.htm != request.method {
        return Err(DpopError::OtherRequest("method"));
    }
    if without_query(&claims.htu) != without_query(request.uri) {
        return Err(DpopError::OtherRequest("target"));
    }
    if claims.ath != token_hash(request.token) {
        return Err(DpopError::OtherRequest("token"));
    }
    let age_s = i128::from(now_s) - i128::from(claims.iat);
    if age_s > i128::from(AGE_MAX_S) || -age_s > i128::from(AHEAD_MAX_S) {
        let age_s = i64::try_from(age_s).unwrap_or(if age_s < 0 { i64::MIN } else { i64::MAX });
        return Err(DpopError::Time { age_s });
    }
    Ok(())
}

/// The RFC 7638 thumbprint of a P-256 key: SHA-256 of its canonical JWK.
pub fn thumbprint(key: &PublicKey) -> [u8; 32] {
    let (x, y) = coordinates(key);
    let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    hazmat::sha256(&[jwk.as_bytes()])
}

fn coordinates(key: &PublicKey) -> (String, String) {
    let point = key.as_bytes();
    (BASE64URL.encode(&point[1..33]), BASE64URL.encode(&point[33..]))
}

fn token_hash(token: &str) -> String {
    BASE64URL.encode(hazmat::sha256(&[token.as_bytes()]))
}

fn without_query(uri: &str) -> &str {
    uri.split(['?', '#']).next().unwrap_or(uri)
}

fn decode(text: &str) -> Result<Vec<u8>, DpopError> {
    BASE64URL.decode(text).map_err(|_| DpopError::Malformed("base64url"))
}

#[cfg(test)]
mod tests;
