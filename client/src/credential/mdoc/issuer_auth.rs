//! `issuerAuth`: the `COSE_Sign1` (RFC 9052, 4.2) around the mobile security object.
//!
//! coset builds the structure that is signed; it does not parse the headers here, because its parser
//! follows counter signatures within counter signatures as deep as a file likes.

use std::ops::Range;

use coset::{Header, ProtectedHeader, SignatureContext, iana, sig_structure_data};

use super::cbor::Cursor;
use crate::credential::certificate::Certificate;
use crate::credential::error::{CredentialError, Part, Problem};

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
        let places = Places::read(&mut cursor)?;
        let headers = |range: &Range<usize>| {
            Headers::read(Cursor::within(file, range.clone(), Part::IssuerAuth))
        };
        let (protected, unprotected) = (headers(&places.protected)?, headers(&places.unprotected)?);
        protected.require_es256(places.protected.start)?;
        let missing = Problem::Missing("the header x5chain");
        let certificate = unprotected
            .certificate
            .or(protected.certificate)
            .ok_or(CredentialError::new(Part::IssuerAuth, places.unprotected.start, missing))?;
        let original_data = Some(file[places.protected].to_vec());
        let protected = ProtectedHeader { original_data, header: Header::default() };
        let payload = &file[places.mso.clone()];
        Ok(Self {
            certificate: Certificate::parse(certificate.start, &file[certificate])?,
            signed: sig_structure_data(SignatureContext::CoseSign1, protected, None, &[], payload),
            signature: places.signature,
            mso: places.mso,
        })
    }
}

/// Where the contents of the array's elements stand.
struct Places {
    protected: Range<usize>,
    unprotected: Range<usize>,
    mso: Range<usize>,
    signature: Range<usize>,
}

impl Places {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, CredentialError> {
        let at = cursor.at();
        let mut elements = Vec::with_capacity(4);
        cursor.array("issuerAuth", |cursor| {
            elements.push(match elements.len() {
                0 => cursor.bytes("the protected header")?,
                2 => cursor.bytes("the payload of issuerAuth")?,
                3 => cursor.bytes("the signature")?,
                _ => cursor.skip()?,
            });
            Ok(())
        })?;
        cursor.finish()?;
        let wrong = Problem::Wrong { what: "issuerAuth", expected: "an array of four" };
        let [protected, unprotected, mso, signature] =
            elements.try_into().map_err(|_| cursor.refused(at, wrong))?;
        if signature.len() != 64 {
            let wrong = Problem::Wrong { what: "the signature", expected: "64 bytes long" };
            return Err(cursor.refused(signature.start, wrong));
        }
        Ok(Self { protected, unprotected, mso, signature })
    }
}

/// The headers that matter, of one of the two maps.
#[derive(Default)]
struct Headers {
    algorithm: Option<String>,
    is_critical: bool,
    certificate: Option<Range<usize>>,
}

impl Headers {
    fn read(mut cursor: Cursor<'_>) -> Result<Self, CredentialError> {
        const ALG: i128 = iana::HeaderParameter::Alg as i128;
        const CRIT: i128 = iana::HeaderParameter::Crit as i128;
        const X5CHAIN: i128 = iana::HeaderParameter::X5Chain as i128;
        let mut headers = Self::default();
        // A protected header without members is no bytes rather than an empty map.
        if cursor.finish().is_ok() {
            return Ok(headers);
        }
        cursor.map("a header of issuerAuth", |cursor| {
            let at = cursor.at();
            let label = cursor.value()?.as_integer().map(i128::from);
            let repeated = match label {
                Some(ALG) => headers.algorithm.replace(algorithm(cursor)?).is_some(),
                Some(CRIT) => {
                    cursor.skip()?;
                    std::mem::replace(&mut headers.is_critical, true)
                }
                Some(X5CHAIN) => headers.certificate.replace(leaf(cursor)?).is_some(),
                _ => {
                    cursor.skip()?;
                    false
                }
            };
            if repeated { Err(cursor.refused(at, Problem::Repeated("a header"))) } else { Ok(()) }
        })?;
        cursor.finish()?;
        Ok(headers)
    }

    fn require_es256(&self, at: usize) -> Result<(), CredentialError> {
        let es256 = (iana::Algorithm::ES256 as i64).to_string();
        let refused = |problem| Err(CredentialError::new(Part::IssuerAuth, at, problem));
        if self.is_critical {
            // A header we do not know and must not ignore (RFC 9052, 3.1).
            return refused(Problem::Unsupported { what: "crit", found: "in issuerAuth".into() });
        }
        match &self.algorithm {
            None => refused(Problem::Missing("the protected header alg")),
            Some(found) if *found == es256 => Ok(()),
            Some(found) => refused(Problem::Unsupported { what: "alg", found: found.clone() }),
        }
    }
}

/// An algorithm's number in IANA's registry of COSE algorithms.
fn algorithm(cursor: &mut Cursor<'_>) -> Result<String, CredentialError> {
    let number = cursor.value()?.as_integer().map(|number| i128::from(number).to_string());
    Ok(number.unwrap_or_else(|| "(not a number)".to_owned()))
}

/// The signer's certificate: the one, or the first of several (RFC 9360, 2).
fn leaf(cursor: &mut Cursor<'_>) -> Result<Range<usize>, CredentialError> {
    let at = cursor.at();
    if cursor.is_array()? {
        let mut first = None;
        cursor.array("x5chain", |cursor| {
            let certificate = cursor.bytes("a certificate of x5chain")?;
            first.get_or_insert(certificate);
            Ok(())
        })?;
        return first.ok_or_else(|| cursor.refused(at, Problem::Missing("a certificate")));
    }
    cursor.bytes("x5chain")
}
