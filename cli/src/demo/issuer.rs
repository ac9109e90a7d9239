//! A test issuer: real credentials for a person who does not exist.
//!
//! Its key and its certificates are made when it starts and are gone with it. What it issues follows
//! the formats to the letter: SD-JWT VC with the attributes of the European PID rulebook, a
//! professional licence, an identity card with a photo of about 40 KiB, and a mobile driving licence
//! as an mdoc. Bindings are of all three kinds: to a key in software, to a key in a device, to none.
//!
//! Not here: an issuance protocol, status lists, anything that would make it an issuer for real use.

mod attributes;
mod mdoc;
mod portrait;
mod sd_jwt;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client::credential::Moment;
use rand::CryptoRng;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData,
    SignatureAlgorithm,
};
use seal::Secret32;
use seal::es256::SoftwareKey;
use serde_json::json;
use types::PublicKey;

/// Who it says it is.
const AUTHORITY: &str = "Holdfast Demo Authority";

const DAY_S: i64 = 86_400;
/// How long its credentials are valid.
const VALIDITY_DAYS: i64 = 5 * 365;

/// Signs credentials.
pub(crate) struct Issuer {
    key: SoftwareKey,
    certificate: Vec<u8>,
    issued: Moment,
    expires: Moment,
}

/// One file that the holder receives.
pub(crate) struct Issued {
    /// What to call it.
    pub(crate) file_name: &'static str,
    /// What it is, for people.
    pub(crate) title: &'static str,
    /// The file.
    pub(crate) bytes: Vec<u8>,
}

/// A holder's key in software: it travels with the wallet, as a file beside the credentials.
struct HolderKey {
    private: Secret32,
    public: PublicKey,
}

impl Issuer {
    /// An issuer with a fresh key, certified by a root of its own, at the Unix time `now_s`.
    pub(crate) fn new(rng: &mut dyn CryptoRng, now_s: i64) -> Result<Self> {
        let key = SoftwareKey::generate(rng);
        let certificate = certify(key.public()).context("make the issuer's certificate")?;
        let moment =
            |seconds| Moment::from_unix_s(seconds).context("the clock is beyond the year 9999");
        Ok(Self {
            key,
            certificate,
            issued: moment(now_s)?,
            expires: moment(now_s + VALIDITY_DAYS * DAY_S)?,
        })
    }

    /// Everything for one holder: credentials of every kind, and the software key of those bound to it.
    pub(crate) fn issue_all(&self, rng: &mut dyn CryptoRng) -> Result<Vec<Issued>> {
        let holder = HolderKey::generate(rng);
        // The private half stays in the device, so nobody here keeps it.
        let device = *SoftwareKey::generate(rng).public();
        let issued = |file_name, title, bytes| Issued { file_name, title, bytes };
        Ok(vec![
            issued("holder-key.jwk", "key of the software-bound credentials", holder.to_jwk()),
            issued(
                "pid.sd-jwt",
                "person identification data, bound to a software key",
                self.pid(rng, Some(&holder.public))?,
            ),
            issued(
                "pid-device.sd-jwt",
                "person identification data, bound to a device key",
                self.pid(rng, Some(&device))?,
            ),
            issued(
                "licence.sd-jwt",
                "professional licence, bound to a software key",
                self.licence(rng, Some(&holder.public))?,
            ),
            issued(
                "card.sd-jwt",
                "identity card with a photo, bound to no key",
                self.card(rng, None)?,
            ),
            issued(
                "mdl.mdoc",
                "mobile driving licence (mdoc), bound to a device key",
                self.driving_licence(rng, &device)?,
            ),
        ])
    }

    /// The date of a moment, as attributes have it.
    fn date(moment: Moment) -> String {
        moment.to_string().chars().take_while(|c| *c != 'T').collect()
    }
}

impl HolderKey {
    fn generate(rng: &mut dyn CryptoRng) -> Self {
        loop {
            let private = Secret32::random(rng);
            // One in 2^32 draws is not below the order of the group.
            if let Ok(key) = SoftwareKey::from_bytes(Secret32::new(private.expose())) {
                return Self { private, public: *key.public() };
            }
        }
    }

    fn to_jwk(&self) -> Vec<u8> {
        let mut jwk = public_jwk(&self.public);
        jwk["d"] = URL_SAFE_NO_PAD.encode(self.private.expose()).into();
        jwk.to_string().into_bytes()
    }
}

/// A public key as a JWK (RFC 7517).
fn public_jwk(key: &PublicKey) -> serde_json::Value {
    let (x, y) = key.as_bytes()[1..].split_at(32);
    json!({
        "kty": "EC", "crv": "P-256",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    })
}

/// A certificate for `key` by a root whose own key is forgotten at once.
fn certify(key: &PublicKey) -> Result<Vec<u8>, rcgen::Error> {
    let mut root = CertificateParams::new(Vec::new())?;
    root.distinguished_name.push(DnType::CommonName, "Holdfast Demo Root");
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root = rcgen::Issuer::new(root, KeyPair::generate()?);
    let mut signer = CertificateParams::new(Vec::new())?;
    signer.distinguished_name.push(DnType::CommonName, AUTHORITY);
    signer.distinguished_name.push(DnType::CountryName, attributes::COUNTRY);
    signer.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(signer.signed_by(&Subject(key), &root)?.der().to_vec())
}

/// A key as the subject of a certificate.
struct Subject<'k>(&'k PublicKey);

impl PublicKeyData for Subject<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

#[cfg(test)]
mod tests;
