//! `issuerAuth`: the `COSE_Sign1` (RFC 9052, 4.2) around the mobile security object.

use std::ops::Range;

use coset::cbor::de::Error as CborError;
use coset::{CborSerializable, CoseError, CoseSign1, Label, RegisteredLabelWithPrivate, iana};

use super::cbor::Cursor;
use crate::credential::certificate::Certificate;
use crate::credential::error::{CredentialError, Part, Problem};

/// The header with the signer's certificates (RFC 9360, 2).
const X5CHAIN: Label = Label::Int(iana::HeaderParameter::X5Chain as i64);

/// The tag that a `COSE_Sign1` may have; ISO 18013-5 leaves it out.
const COSE_SIGN1: u64 = 18;

/// The parts of `issuerAuth`.
pub(super) struct IssuerAuth {
    /// The signer's certificate.
    pub(super) certificate: Certificate,
    /// What the signature is over: the `Sig_structure`.
    pub(super) signed: Vec<u8>,
    /// Where the signature stands.
    pub(super) signature: Range<usize>,
    /// Where the encoded mobile security object stands, its tag included.
    pub(super) mso: Range<usize>,
}

impl IssuerAuth {
    /// Reads the item that stands in `range`.
    pub(super) fn read(file: &[u8], range: Range<usize>) -> Result<Self, CredentialError> {
        let mut cursor = Cursor::within(file, range, Part::IssuerAuth);
        cursor.passes_tag(COSE_SIGN1)?;
        let start = cursor.at();
        let places = Places::read(&mut cursor)?;
        let sign1 = CoseSign1::from_slice(&file[start..cursor.at()])
            .map_err(|error| cursor.refused(start + offset(&error), problem(&error)))?;
        let protected = &sign1.protected.header;
        if !protected.crit.is_empty() {
            let found = format!("{:?}", protected.crit[0]);
            return Err(cursor.refused(start, Problem::Unsupported { what: "crit", found }));
        }
        match &protected.alg {
            Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256)) => {}
            None => return Err(cursor.refused(start, Problem::Missing("the protected header alg"))),
            Some(other) => {
                let problem = Problem::Unsupported { what: "alg", found: name(other) };
                return Err(cursor.refused(start, problem));
            }
        }
        let der = leaf(&sign1).map_err(|problem| cursor.refused(places.unprotected, problem))?;
        Ok(Self {
            certificate: Certificate::parse(places.unprotected, der)?,
            signed: sign1.tbs_data(b""),
            signature: places.signature,
            mso: places.mso,
        })
    }
}

/// Where the elements of the array stand.
struct Places {
    unprotected: usize,
    mso: Range<usize>,
    signature: Range<usize>,
}

impl Places {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, CredentialError> {
        let at = cursor.at();
        let mut count = 0;
        let (mut unprotected, mut mso, mut signature) = (at, None, None);
        cursor.array("issuerAuth", |cursor| {
            match count {
                1 => {
                    unprotected = cursor.at();
                    cursor.skip()?;
                }
                2 => mso = Some(cursor.bytes("the payload of issuerAuth")?),
                3 => signature = Some(cursor.bytes("the signature")?),
                _ => {
                    cursor.skip()?;
                }
            }
            count += 1;
            Ok(())
        })?;
        cursor.finish()?;
        let wrong = Problem::Wrong { what: "issuerAuth", expected: "an array of four" };
        let (4, Some(mso), Some(signature)) = (count, mso, signature) else {
            return Err(cursor.refused(at, wrong));
        };
        if signature.len() != 64 {
            let wrong = Problem::Wrong { what: "the signature", expected: "64 bytes long" };
            return Err(cursor.refused(signature.start, wrong));
        }
        Ok(Self { unprotected, mso, signature })
    }
}

/// The signer's certificate: the one, or the first of several.
fn leaf(sign1: &CoseSign1) -> Result<&[u8], Problem> {
    let headers = [&sign1.unprotected, &sign1.protected.header];
    let mut parameters = headers.iter().flat_map(|header| &header.rest);
    let Some((_, value)) = parameters.find(|(label, _)| *label == X5CHAIN) else {
        return Err(Problem::Missing("the header x5chain"));
    };
    let first = value.as_array().and_then(|chain| chain.first()).unwrap_or(value);
    let wrong = Problem::Wrong { what: "x5chain", expected: "a certificate or a list of them" };
    first.as_bytes().map(Vec::as_slice).ok_or(wrong)
}

fn name(algorithm: &coset::Algorithm) -> String {
    match algorithm {
        RegisteredLabelWithPrivate::Assigned(known) => format!("{known:?}"),
        RegisteredLabelWithPrivate::PrivateUse(number) => number.to_string(),
        RegisteredLabelWithPrivate::Text(_) => "(a text)".to_owned(),
    }
}

fn offset(error: &CoseError) -> usize {
    match error {
        CoseError::DecodeFailed(
            CborError::Syntax(offset) | CborError::Semantic(Some(offset), _),
        ) => *offset,
        _ => 0,
    }
}

fn problem(error: &CoseError) -> Problem {
    match error {
        CoseError::DecodeFailed(_) => Problem::NotCbor,
        CoseError::DuplicateMapKey => Problem::Repeated("a header"),
        CoseError::UnregisteredIanaValue | CoseError::UnregisteredIanaNonPrivateValue => {
            Problem::Unsupported {
                what: "a header or its value",
                found: "(unregistered)".to_owned(),
            }
        }
        _ => Problem::Wrong { what: "issuerAuth", expected: "a COSE_Sign1" },
    }
}
