//! Writing mdocs: `IssuerSigned` of ISO/IEC 18013-5, 8.3.2.1.2.2 and 9.1.2.

use anyhow::{Context, Result};
use ciborium::Value as Cbor;
use client::credential::Moment;
use coset::{AsCborValue, CoseKeyBuilder, CoseSign1Builder, HeaderBuilder, iana};
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use types::PublicKey;

use super::Issuer;

/// The tag of a date without a time (RFC 8943).
pub(super) const FULL_DATE: u64 = 1004;

/// The tag of a date with a time.
const DATE_TIME: u64 = 0;
/// The tag of an encoded CBOR item.
const ENCODED_ITEM: u64 = 24;

/// The name and the value of a data element.
pub(super) type Element = (&'static str, Cbor);

impl Issuer {
    /// An mdoc with one name space, bound to a device key.
    pub(super) fn mdoc(
        &self,
        rng: &mut dyn CryptoRng,
        doc_type: &str,
        space: &str,
        elements: Vec<Element>,
        device: &PublicKey,
    ) -> Result<Vec<u8>> {
        let mut items = Vec::new();
        let mut digests = Vec::new();
        for (id, (name, value)) in (0_u64..).zip(elements) {
            let item = encoded_item(rng, id, name, value)?;
            digests.push((Cbor::from(id), Cbor::Bytes(Sha256::digest(encode(&item)?).to_vec())));
            items.push(item);
        }
        let mso = encode(&self.mobile_security_object(doc_type, space, digests, device)?)?;
        let payload = encode(&Cbor::Tag(ENCODED_ITEM, Box::new(Cbor::Bytes(mso))))?;
        let auth = CoseSign1Builder::new()
            .protected(HeaderBuilder::new().algorithm(iana::Algorithm::ES256).build())
            .unprotected(
                HeaderBuilder::new()
                    .value(
                        iana::HeaderParameter::X5Chain as i64,
                        Cbor::Bytes(self.certificate.clone()),
                    )
                    .build(),
            )
            .payload(payload)
            .try_create_signature(b"", |message| self.key.sign(rng, message).map(Vec::from))
            .context("sign an mdoc")?
            .build();
        let auth = auth.to_cbor_value().map_err(anyhow::Error::msg)?;
        encode(&Cbor::Map(vec![
            ("nameSpaces".into(), Cbor::Map(vec![(space.into(), Cbor::Array(items))])),
            ("issuerAuth".into(), auth),
        ]))
    }

    fn mobile_security_object(
        &self,
        doc_type: &str,
        space: &str,
        digests: Vec<(Cbor, Cbor)>,
        device: &PublicKey,
    ) -> Result<Cbor> {
        let (x, y) = device.as_bytes()[1..].split_at(32);
        let (x, y) = (x.to_vec(), y.to_vec());
        let key = CoseKeyBuilder::new_ec2_pub_key(iana::EllipticCurve::P_256, x, y).build();
        let key = key.to_cbor_value().map_err(anyhow::Error::msg)?;
        let moment = |moment: Moment| Cbor::Tag(DATE_TIME, Box::new(moment.to_string().into()));
        let validity = vec![
            ("signed".into(), moment(self.issued)),
            ("validFrom".into(), moment(self.issued)),
            ("validUntil".into(), moment(self.expires)),
        ];
        Ok(Cbor::Map(vec![
            ("version".into(), "1.0".into()),
            ("digestAlgorithm".into(), "SHA-256".into()),
            ("valueDigests".into(), Cbor::Map(vec![(space.into(), Cbor::Map(digests))])),
            ("deviceKeyInfo".into(), Cbor::Map(vec![("deviceKey".into(), key)])),
            ("docType".into(), doc_type.into()),
            ("validityInfo".into(), Cbor::Map(validity)),
        ]))
    }
}

/// `IssuerSignedItemBytes`, with a fresh salt of 256 bits.
fn encoded_item(rng: &mut dyn CryptoRng, id: u64, name: &str, value: Cbor) -> Result<Cbor> {
    let mut random = vec![0; 32];
    rng.fill_bytes(&mut random);
    let item = encode(&Cbor::Map(vec![
        ("digestID".into(), id.into()),
        ("random".into(), Cbor::Bytes(random)),
        ("elementIdentifier".into(), name.into()),
        ("elementValue".into(), value),
    ]))?;
    Ok(Cbor::Tag(ENCODED_ITEM, Box::new(Cbor::Bytes(item))))
}

fn encode(value: &Cbor) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).context("encode CBOR")?;
    Ok(bytes)
}
