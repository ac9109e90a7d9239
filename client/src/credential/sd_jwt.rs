//! SD-JWT VC: RFC 9901 with the rules of draft-ietf-oauth-sd-jwt-vc on top.
//!
//! Promises: what is returned follows the format to the letter; every disclosure is one that the
//! signed part names, once; the signature stands, if there is a key to check it with ([`Checked`] says
//! which). Anything else is refused with the disclosure or the segment and its place in the file.
//!
//! The compact serialisation only, as issuers deliver it. `typ` is `dc+sd-jwt` or its older name
//! `vc+sd-jwt`, `alg` is ES256.
//!
//! Not here: trust in the issuer, key discovery by `iss`, type metadata, status lists. A file that
//! was cut exactly behind a `~` is a valid SD-JWT with fewer disclosures (RFC 9901, 7.1): what can be
//! said is how many digests are left without a disclosure, which is [`Details::withheld`].

mod compact;
mod disclosure;
mod payload;
mod resemblance;

use std::fmt;

use serde_json::{Map, Value};
use types::PublicKey;

use super::certificate::Certificate;
use super::claim::Claim;
use super::details::{Binding, Checked, Details};
use super::encoding::base64_standard;
use super::error::{CredentialError, Part, Problem, shown};
use super::json;
use super::key::{Thumbprint, verifies};
use super::moment::Moment;
use compact::{Compact, Segment};
use disclosure::{Disclosure, HashAlgorithm};
use payload::Expanded;

/// The values of `typ` that mean SD-JWT VC: the name, and the one of drafts before November 2024.
pub(super) const TYPES: [&str; 2] = ["dc+sd-jwt", "vc+sd-jwt"];

/// Claims that only the signed part may hold (SD-JWT VC, 3.2.2.2).
const SIGNED_ONLY: [&str; 6] = ["iss", "nbf", "exp", "cnf", "vct", "status"];

/// Claims about the credential rather than its holder, not shown as [`Claim`].
const ABOUT_ITSELF: [&str; 8] =
    ["iss", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "status"];

/// A credential in SD-JWT VC form.
pub struct SdJwtVc {
    payload: Map<String, Value>,
    details: Details,
}

impl SdJwtVc {
    /// Whether the file means to be an SD-JWT VC, damaged or not.
    pub(super) fn resembles(file: &[u8]) -> bool {
        resemblance::is_near(file)
    }

    /// Reads and checks a file. With `issuer_key`, the signature must be that key's; without, that of
    /// the certificate in the `x5c` header, if there is one.
    ///
    /// # Errors
    /// [`CredentialError`], for everything that departs from the format, and for algorithms other than
    /// ES256 with SHA-2 digests.
    pub fn read(file: &[u8], issuer_key: Option<&PublicKey>) -> Result<Self, CredentialError> {
        let token = SdJwt::read(file, issuer_key)?;
        token.require_type()?;
        let details = token.details()?;
        Ok(Self { payload: token.expanded.payload, details })
    }

    /// The payload with every disclosure in its place and nothing of the mechanism left.
    pub fn payload(&self) -> &Map<String, Value> {
        &self.payload
    }

    /// What it says.
    pub fn details(&self) -> &Details {
        &self.details
    }
}

/// Without the claims' values.
impl fmt::Debug for SdJwtVc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SdJwtVc").field(&self.details).finish()
    }
}

/// An SD-JWT of any kind, checked by RFC 9901 alone.
struct SdJwt {
    header: Map<String, Value>,
    header_at: usize,
    payload_at: usize,
    expanded: Expanded,
    issuer_name: Option<String>,
    checked: Checked,
}

impl SdJwt {
    /// RFC 9901, 7.1 in its order, but for the validity period, which is shown and not judged.
    fn read(file: &[u8], issuer_key: Option<&PublicKey>) -> Result<Self, CredentialError> {
        let compact = Compact::split(file)?;
        let header = json::object(&Part::JwtHeader, compact.header.at, &compact.header.decode()?)?;
        require_algorithm(&header, compact.header.at)?;
        let payload =
            json::object(&Part::JwtPayload, compact.payload.at, &compact.payload.decode()?)?;
        let (checked, issuer_name) = check_signature(&compact, &header, issuer_key)?;
        let algorithm = HashAlgorithm::of(&payload, compact.payload.at)?;
        let disclosures = compact
            .disclosures
            .iter()
            .map(|segment| Disclosure::new(segment, algorithm))
            .collect::<Result<Vec<_>, _>>()?;
        let expanded = payload::expand(payload, compact.payload.at, &disclosures)?;
        let (header_at, payload_at) = (compact.header.at, compact.payload.at);
        Ok(Self { header, header_at, payload_at, expanded, issuer_name, checked })
    }

    fn require_type(&self) -> Result<(), CredentialError> {
        let refused = |problem| Err(CredentialError::new(Part::JwtHeader, self.header_at, problem));
        match self.header.get("typ").map(Value::as_str) {
            None => return refused(Problem::Missing("typ")),
            Some(Some(name)) if TYPES.contains(&name) => {}
            Some(name) => {
                let found = shown(name.unwrap_or("(not text)"));
                return refused(Problem::Unsupported { what: "typ", found });
            }
        }
        for (name, part, at) in &self.expanded.disclosed {
            if let Some(name) = SIGNED_ONLY.iter().find(|reserved| *reserved == name) {
                return Err(CredentialError::new(part.clone(), *at, Problem::NotDisclosable(name)));
            }
        }
        Ok(())
    }

    fn details(&self) -> Result<Details, CredentialError> {
        let payload = &self.expanded.payload;
        let credential_type = self.text("vct")?.ok_or(self.refused(Problem::Missing("vct")))?;
        let valid_from = match self.moment("nbf")? {
            Some(moment) => Some(moment),
            None => self.moment("iat")?,
        };
        let shown = payload.iter().filter(|(name, _)| !ABOUT_ITSELF.contains(&name.as_str()));
        let claims = shown.map(|(name, value)| Claim {
            space: None,
            name: name.clone(),
            value: value.into(),
            disclosable: self.expanded.disclosable.contains(name),
        });
        Ok(Details {
            credential_type,
            issuer: self.text("iss")?.or_else(|| self.issuer_name.clone()),
            valid_from,
            valid_until: self.moment("exp")?,
            claims: claims.collect(),
            withheld: self.expanded.withheld,
            binding: self.binding()?,
            checked: self.checked,
        })
    }

    fn binding(&self) -> Result<Binding, CredentialError> {
        let wrong = |what, expected| self.refused(Problem::Wrong { what, expected });
        let Some(confirmation) = self.expanded.payload.get("cnf") else { return Ok(Binding::None) };
        let confirmation = confirmation.as_object().ok_or(wrong("cnf", "an object"))?;
        // Other methods (kid, jkt, …) name a key without giving it.
        let Some(jwk) = confirmation.get("jwk") else { return Ok(Binding::Unnamed) };
        let jwk = jwk.as_object().ok_or(wrong("cnf.jwk", "an object"))?;
        let thumbprint = Thumbprint::of_jwk(jwk).ok_or(wrong("cnf.jwk", "a public key"))?;
        Ok(Binding::Key(thumbprint))
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, CredentialError> {
        match self.expanded.payload.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(self.refused(Problem::Wrong { what: name, expected: "text" })),
        }
    }

    /// A NumericDate (RFC 7519, 2); fractions are dropped.
    fn moment(&self, name: &'static str) -> Result<Option<Moment>, CredentialError> {
        let Some(value) = self.expanded.payload.get(name) else { return Ok(None) };
        let seconds =
            value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64));
        let wrong =
            Problem::Wrong { what: name, expected: "a number of seconds until the year 9999" };
        match seconds.and_then(Moment::from_unix_s) {
            Some(moment) => Ok(Some(moment)),
            None => Err(self.refused(wrong)),
        }
    }

    fn refused(&self, problem: Problem) -> CredentialError {
        CredentialError::new(Part::JwtPayload, self.payload_at, problem)
    }
}

fn require_algorithm(header: &Map<String, Value>, at: usize) -> Result<(), CredentialError> {
    let refused = |problem| Err(CredentialError::new(Part::JwtHeader, at, problem));
    if let Some(critical) = header.get("crit") {
        // A header we do not know and must not ignore (RFC 7515, 4.1.11).
        return refused(Problem::Unsupported { what: "crit", found: shown(&critical.to_string()) });
    }
    match header.get("alg").map(Value::as_str) {
        Some(Some("ES256")) => Ok(()),
        Some(Some(found)) => refused(Problem::Unsupported { what: "alg", found: shown(found) }),
        Some(None) => refused(Problem::Wrong { what: "alg", expected: "text" }),
        None => refused(Problem::Missing("alg")),
    }
}

/// Checks the signature with the key there is; gives the certificate's name, if there is one.
fn check_signature(
    compact: &Compact<'_>,
    header: &Map<String, Value>,
    supplied: Option<&PublicKey>,
) -> Result<(Checked, Option<String>), CredentialError> {
    let signature = compact.signature.decode()?;
    let refused = |problem| CredentialError::new(Part::JwtSignature, compact.signature.at, problem);
    if signature.len() != 64 {
        return Err(refused(Problem::Wrong { what: "the signature", expected: "64 bytes long" }));
    }
    let certificate = leaf(header, &compact.header)?;
    let (key, checked) = match (supplied, &certificate) {
        (Some(key), _) => (key, Checked::SuppliedKey),
        (None, Some(certificate)) => (&certificate.key, Checked::EmbeddedCertificate),
        (None, None) => return Ok((Checked::NoKey, None)),
    };
    if !verifies(key, compact.signed, &signature) {
        return Err(refused(Problem::BadSignature));
    }
    Ok((checked, certificate.map(|certificate| certificate.name)))
}

/// The first certificate of the `x5c` header (RFC 7515, 4.1.6): the signer's.
fn leaf(
    header: &Map<String, Value>,
    segment: &Segment<'_>,
) -> Result<Option<Certificate>, CredentialError> {
    let Some(chain) = header.get("x5c") else { return Ok(None) };
    let wrong = Problem::Wrong { what: "x5c", expected: "a list of certificates in base64" };
    let Some(leaf) = chain.as_array().and_then(|chain| chain.first()).and_then(Value::as_str)
    else {
        return Err(CredentialError::new(Part::JwtHeader, segment.at, wrong));
    };
    // Places inside the decoded header cannot be given as places in the file.
    let der = base64_standard(&Part::Certificate, segment.at, leaf.as_bytes())
        .map_err(|error| CredentialError { at: segment.at, ..error })?;
    Certificate::parse(segment.at, &der).map(Some)
}

#[cfg(test)]
mod tests;
