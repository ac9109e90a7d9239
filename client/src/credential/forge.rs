//! For the tests of this directory: credentials with whatever is wrong with them, properly signed.

use ciborium::Value as Cbor;
use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::Secret32;
use seal::es256::SoftwareKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use types::PublicKey;

use super::encoding::to_base64url;

/// The key that signs every forged credential.
pub(super) fn issuer() -> SoftwareKey {
    SoftwareKey::from_bytes(Secret32::new(&[7; 32])).unwrap()
}

/// The public half of [`issuer`].
pub(super) fn issuer_key() -> PublicKey {
    *issuer().public()
}

/// The issuer of RFC 9901's examples (appendix A.5).
pub(super) fn rfc_9901_key() -> PublicKey {
    let x = "6f6f1de0cc19323c3cfb4d021b8c5f9e7f522cc54c335f5296a66955bfee36d4";
    let y = "5efe735b0ba869381d4ba855e37c88ea00704e78ee92615042727f902c73aa4f";
    PublicKey::parse(&hex::decode(format!("04{x}{y}")).unwrap()).unwrap()
}

/// A test's randomness.
pub(super) fn rng() -> StdRng {
    StdRng::seed_from_u64(9901)
}

/// A disclosure with a fixed salt: `[salt, name, value]`, or `[salt, value]`.
pub(super) fn disclosure(content: &Value) -> String {
    let mut members = vec![json!("c2FsdA")];
    members.extend(content.as_array().unwrap().iter().cloned());
    to_base64url(Value::Array(members).to_string())
}

/// The digest of a disclosure.
pub(super) fn digest(disclosure: &str) -> String {
    to_base64url(Sha256::digest(disclosure))
}

/// A signed SD-JWT.
pub(super) fn sd_jwt(header: &Value, payload: &Value, disclosures: &[String]) -> String {
    sd_jwt_of_text(&header.to_string(), &payload.to_string(), disclosures)
}

/// A signed SD-JWT, its JSON given as text.
pub(super) fn sd_jwt_of_text(header: &str, payload: &str, disclosures: &[String]) -> String {
    let signed = format!("{}.{}", to_base64url(header), to_base64url(payload));
    let signature = issuer().sign(&mut rng(), signed.as_bytes()).unwrap();
    let mut token = format!("{signed}.{}~", to_base64url(signature));
    for disclosure in disclosures {
        token.push_str(disclosure);
        token.push('~');
    }
    token
}

/// The header that everybody writes.
pub(super) fn header() -> Value {
    json!({"alg": "ES256", "typ": "dc+sd-jwt"})
}

/// CBOR of a value.
pub(super) fn cbor(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// An mdoc with one name space, `org.example`. The fields say what is unusual about it.
pub(super) struct MdocForge {
    /// Digest id, element and value.
    pub(super) items: Vec<(u64, String, Cbor)>,
    /// How many of the last items get no digest of their own.
    pub(super) unsigned_items: usize,
    /// Whether the items are there at all.
    pub(super) name_spaces: bool,
    /// Members of the MSO to replace, or to leave out.
    pub(super) mso: Vec<(&'static str, Option<Cbor>)>,
    /// The protected header's algorithm.
    pub(super) algorithm: Option<i64>,
    /// Further protected headers.
    pub(super) protected: Vec<(Cbor, Cbor)>,
    /// Further unprotected headers.
    pub(super) unprotected: Vec<(Cbor, Cbor)>,
    /// The certificate.
    pub(super) certificate: Option<Vec<u8>>,
    /// The private key that signs.
    pub(super) sign_with: [u8; 32],
    /// Whether the `COSE_Sign1` is tagged.
    pub(super) tagged: bool,
    /// Whether the outer maps have no length.
    pub(super) indefinite: bool,
    /// Whether the items' lengths are written in four bytes.
    pub(super) long_lengths: bool,
}

impl Default for MdocForge {
    fn default() -> Self {
        Self {
            items: vec![
                (0, "family_name".into(), Cbor::from("Doe")),
                (1, "portrait".into(), Cbor::Bytes(vec![1, 2, 3])),
            ],
            unsigned_items: 0,
            name_spaces: true,
            mso: Vec::new(),
            algorithm: Some(-7),
            protected: Vec::new(),
            unprotected: Vec::new(),
            certificate: Some(certificate(&issuer_key())),
            sign_with: [7; 32],
            tagged: false,
            indefinite: false,
            long_lengths: false,
        }
    }
}

impl MdocForge {
    /// The file.
    pub(super) fn issue(&self) -> Vec<u8> {
        let items: Vec<Vec<u8>> = self.items.iter().map(|item| self.item(item)).collect();
        let map = |count: u8| if self.indefinite { 0xbf } else { 0xa0 + count };
        let end: &[u8] = if self.indefinite { &[0xff] } else { &[] };
        let mut file = vec![map(if self.name_spaces { 2 } else { 1 })];
        if self.name_spaces {
            file.extend(cbor(&"nameSpaces".into()));
            file.push(map(1));
            file.extend(cbor(&"org.example".into()));
            file.push(0x80 + items.len() as u8);
            file.extend(items.concat());
            file.extend(end);
        }
        file.extend(cbor(&"issuerAuth".into()));
        file.extend(self.issuer_auth(&items));
        file.extend(end);
        file
    }

    fn item(&self, (id, name, value): &(u64, String, Cbor)) -> Vec<u8> {
        let item = cbor(&Cbor::Map(vec![
            ("digestID".into(), (*id).into()),
            ("random".into(), Cbor::Bytes(vec![5; 16])),
            ("elementIdentifier".into(), name.as_str().into()),
            ("elementValue".into(), value.clone()),
        ]));
        if !self.long_lengths {
            return cbor(&Cbor::Tag(24, Box::new(Cbor::Bytes(item))));
        }
        let len = (item.len() as u32).to_be_bytes();
        [&[0xd8, 24, 0x5a][..], &len, &item].concat()
    }

    fn issuer_auth(&self, items: &[Vec<u8>]) -> Vec<u8> {
        let mut protected = self.protected.clone();
        protected.extend(self.algorithm.iter().map(|number| (1.into(), (*number).into())));
        let protected = cbor(&Cbor::Map(protected));
        let mut unprotected = self.unprotected.clone();
        let chain = self.certificate.iter().map(|der| (33.into(), Cbor::Bytes(der.clone())));
        unprotected.extend(chain);
        let mso = cbor(&Cbor::Map(self.mso(items)));
        let payload = cbor(&Cbor::Tag(24, Box::new(Cbor::Bytes(mso))));
        let signed = cbor(&Cbor::Array(vec![
            "Signature1".into(),
            Cbor::Bytes(protected.clone()),
            Cbor::Bytes(Vec::new()),
            Cbor::Bytes(payload.clone()),
        ]));
        let key = SoftwareKey::from_bytes(Secret32::new(&self.sign_with)).unwrap();
        let signature = key.sign(&mut rng(), &signed).unwrap();
        let sign1 = cbor(&Cbor::Array(vec![
            Cbor::Bytes(protected),
            Cbor::Map(unprotected),
            Cbor::Bytes(payload),
            Cbor::Bytes(signature.to_vec()),
        ]));
        if self.tagged { [&[0xd2], &sign1[..]].concat() } else { sign1 }
    }

    fn mso(&self, items: &[Vec<u8>]) -> Vec<(Cbor, Cbor)> {
        let signed = items.len() - self.unsigned_items;
        let mut digests: Vec<(Cbor, Cbor)> = Vec::new();
        for ((id, ..), item) in self.items.iter().zip(items).take(signed) {
            if digests.iter().all(|(known, _)| *known != Cbor::from(*id)) {
                digests.push(((*id).into(), Cbor::Bytes(Sha256::digest(item).to_vec())));
            }
        }
        let device = issuer_key();
        let (x, y) = device.as_bytes()[1..].split_at(32);
        let key = Cbor::Map(vec![
            (1.into(), 2.into()),
            ((-1).into(), 1.into()),
            ((-2).into(), Cbor::Bytes(x.to_vec())),
            ((-3).into(), Cbor::Bytes(y.to_vec())),
        ]);
        let date = |text: &str| Cbor::Tag(0, Box::new(text.into()));
        let members = [
            ("version", "1.0".into()),
            ("digestAlgorithm", "SHA-256".into()),
            ("valueDigests", Cbor::Map(vec![("org.example".into(), Cbor::Map(digests))])),
            ("deviceKeyInfo", Cbor::Map(vec![("deviceKey".into(), key)])),
            ("docType", "org.example.1".into()),
            (
                "validityInfo",
                Cbor::Map(vec![
                    ("signed".into(), date("2020-01-01T00:00:00Z")),
                    ("validFrom".into(), date("2020-01-01T00:00:00Z")),
                    ("validUntil".into(), date("2030-01-01T00:00:00Z")),
                ]),
            ),
        ];
        let changed = |(name, value): (&'static str, Cbor)| match self
            .mso
            .iter()
            .find(|(member, _)| *member == name)
        {
            None => Some((name.into(), value)),
            Some((_, replacement)) => Some((name.into(), replacement.clone()?)),
        };
        members.into_iter().filter_map(changed).collect()
    }
}

/// A certificate for `key`, named "Forge"; its own signature is nobody's.
pub(super) fn certificate(key: &PublicKey) -> Vec<u8> {
    let template = include_bytes!("../../tests/vectors/mdoc/forge.der");
    let mut der = template.to_vec();
    // The subject's key: a BIT STRING of 66 bytes, no bit unused, an uncompressed point.
    let at = der.windows(4).position(|head| head == [0x03, 0x42, 0x00, 0x04]).unwrap() + 3;
    der[at..at + 65].copy_from_slice(key.as_bytes());
    der
}
