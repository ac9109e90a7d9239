//! Writing SD-JWT VC (RFC 9901, draft-ietf-oauth-sd-jwt-vc).

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::CryptoRng;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use types::PublicKey;

use super::{Issuer, public_jwk};

/// An SD-JWT VC in the making.
pub(super) struct SdJwt<'i> {
    issuer: &'i Issuer,
    payload: Map<String, Value>,
    digests: Vec<String>,
    disclosures: Vec<String>,
}

impl<'i> SdJwt<'i> {
    /// Begins one of the given type, bound to `holder`, if there is a key.
    pub(super) fn new(vct: &str, issuer: &'i Issuer, holder: Option<&PublicKey>) -> Self {
        let mut payload = Map::new();
        let mut claim = |name: &str, value| payload.insert(name.to_owned(), value);
        claim("iss", json!("https://issuer.holdfast.example"));
        claim("iat", json!(issuer.issued.unix_s()));
        claim("nbf", json!(issuer.issued.unix_s()));
        claim("exp", json!(issuer.expires.unix_s()));
        claim("vct", json!(vct));
        claim("_sd_alg", json!("sha-256"));
        if let Some(key) = holder {
            claim("cnf", json!({"jwk": public_jwk(key)}));
        }
        Self { issuer, payload, digests: Vec::new(), disclosures: Vec::new() }
    }

    /// A claim that every presentation shows.
    pub(super) fn claim(&mut self, name: &str, value: Value) {
        self.payload.insert(name.to_owned(), value);
    }

    /// A claim that can be left out.
    pub(super) fn disclosable(&mut self, rng: &mut dyn CryptoRng, name: &str, value: Value) {
        let digest = self.disclose(rng, &[json!(name), value]);
        self.digests.push(digest);
    }

    /// A list that can be left out, or shown with some of its elements.
    pub(super) fn disclosable_list(
        &mut self,
        rng: &mut dyn CryptoRng,
        name: &str,
        elements: Vec<Value>,
    ) {
        let element = |element| json!({"...": self.disclose(rng, &[element])});
        let hidden = elements.into_iter().map(element).collect();
        self.disclosable(rng, name, Value::Array(hidden));
    }

    /// An object that can be left out, or shown with some of its members.
    pub(super) fn disclosable_members(
        &mut self,
        rng: &mut dyn CryptoRng,
        name: &str,
        members: Vec<(&str, Value)>,
    ) {
        let member = |(name, value): (&str, Value)| self.disclose(rng, &[json!(name), value]);
        let mut digests: Vec<String> = members.into_iter().map(member).collect();
        digests.sort();
        self.disclosable(rng, name, json!({"_sd": digests}));
    }

    /// The file: signed, with all disclosures.
    pub(super) fn sign(mut self, rng: &mut dyn CryptoRng) -> Result<Vec<u8>> {
        // Sorted, so that their order says nothing of the claims' (RFC 9901, 4.2.4.1).
        self.digests.sort();
        self.payload.insert("_sd".to_owned(), json!(self.digests));
        let header = json!({
            "alg": "ES256", "typ": "dc+sd-jwt", "x5c": [STANDARD.encode(&self.issuer.certificate)],
        });
        let payload = Value::Object(self.payload);
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&payload));
        let signature =
            self.issuer.key.sign(rng, signed.as_bytes()).context("sign an SD-JWT VC")?;
        let mut token = format!("{signed}.{}~", URL_SAFE_NO_PAD.encode(signature));
        for disclosure in self.disclosures {
            token.push_str(&disclosure);
            token.push('~');
        }
        Ok(token.into_bytes())
    }

    /// Adds a disclosure with a fresh salt of 128 bits; gives its digest.
    fn disclose(&mut self, rng: &mut dyn CryptoRng, content: &[Value]) -> String {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let mut members = vec![json!(URL_SAFE_NO_PAD.encode(salt))];
        members.extend_from_slice(content);
        let disclosure = URL_SAFE_NO_PAD.encode(Value::Array(members).to_string());
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&disclosure));
        self.disclosures.push(disclosure);
        digest
    }
}
