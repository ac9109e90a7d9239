//! What an operator signed, as a file: the content, the operator's certificates, the signature.
//!
//! ```text
//! file = "HFbs" ‖ fmt 01 ‖ kind u8 ‖ length u32 ‖ content
//!        ‖ certificates u8 × ( length u16 ‖ DER ), the operator's first ‖ signature 64           big-endian
//! kind: 1 manifest, 2 segment of a journal, 3 reach of a journal
//! signature = Sig("holdfast/1 archive", all before it)
//! ```
//!
//! Not here: whether the signature stands and whose it is (`server` asks `seal` and the authority).

use types::layout::{FORMAT, FormatError, Problem, Reader, Writer};

const MAGIC: &[u8; 4] = b"HFbs";
const WHAT: &str = "signed file of a backup";
/// More certificates than anybody's authorities are deep.
const CERTIFICATES_MAX: u8 = 8;
const SIGNATURE: usize = 64;

/// What was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedKind {
    /// A [`super::Manifest`].
    Manifest,
    /// A [`super::Segment`].
    Segment,
    /// A [`super::Reach`].
    Reach,
}

/// A signed file, laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedFile<'a> {
    /// What was signed.
    pub content: &'a [u8],
    /// What the signature covers: the file before it.
    pub covered: &'a [u8],
    /// The operator's certificate, DER.
    pub certificate: &'a [u8],
    /// Those between it and the authority, as they stand in the file.
    rest: &'a [u8],
    /// The signature, `r ‖ s`.
    pub signature: &'a [u8; SIGNATURE],
}

impl SignedKind {
    const fn number(self) -> u8 {
        match self {
            SignedKind::Manifest => 1,
            SignedKind::Segment => 2,
            SignedKind::Reach => 3,
        }
    }
}

impl<'a> SignedFile<'a> {
    /// What a signature has to cover, and stands before in the file.
    ///
    /// # Errors
    /// There is no certificate, there are too many, or one is too long.
    pub fn to_cover(
        kind: SignedKind,
        content: &[u8],
        certificates: &[impl AsRef<[u8]>],
    ) -> Result<Vec<u8>, FormatError> {
        let count = u8::try_from(certificates.len()).unwrap_or(u8::MAX);
        let length = u32::try_from(content.len());
        let (Ok(length), 1..=CERTIFICATES_MAX) = (length, count) else {
            return Err(too_many());
        };
        let writer = Writer::with_capacity(content.len() + 1024)
            .bytes(MAGIC)
            .u8(FORMAT)
            .u8(kind.number())
            .u32(length)
            .bytes(content)
            .u8(count);
        let mut writer = writer;
        for certificate in certificates {
            let certificate = certificate.as_ref();
            let length = u16::try_from(certificate.len()).map_err(|_| too_many())?;
            writer = writer.bytes(length.to_be_bytes()).bytes(certificate);
        }
        Ok(writer.finish())
    }

    /// The file of these bytes, all of them.
    ///
    /// # Errors
    /// They are no signed file, one of a newer format, or one of another kind.
    pub fn parse(kind: SignedKind, bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(WHAT, bytes);
        if reader.fixed::<4>("magic")? != *MAGIC {
            return Err(reader.error(Problem::Magic));
        }
        let format = reader.u8("format")?;
        if format != FORMAT {
            return Err(reader.unknown("format", format.into(), FORMAT.into()));
        }
        let found = reader.u8("kind")?;
        reader.require(found == kind.number(), "kind", "that of the place where it stands")?;
        let length = reader.u32("length")?;
        let content = reader.bytes("content", length as usize)?;
        let count = reader.u8("certificates")?;
        let allowed = (1..=CERTIFICATES_MAX).contains(&count);
        reader.require(allowed, "certificates", "the operator's, and at most seven more")?;
        let certificate = next(&mut reader)?;
        let begin = bytes.len() - reader.remaining();
        for _ in 1..count {
            next(&mut reader)?;
        }
        let end = bytes.len() - reader.remaining();
        let signature = reader.array("signature")?;
        reader.finish()?;
        let (covered, rest) = (&bytes[..end], &bytes[begin..end]);
        Ok(SignedFile { content, covered, certificate, rest, signature })
    }

    /// The certificates between the operator's and the authority.
    pub fn intermediates(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut reader = Reader::new(WHAT, self.rest);
        std::iter::from_fn(move || next(&mut reader).ok())
    }
}

fn next<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], FormatError> {
    let length = reader.u16("length of a certificate")?;
    reader.bytes("certificate", length.into())
}

const fn too_many() -> FormatError {
    let max = CERTIFICATES_MAX as usize;
    FormatError::new(WHAT, 0, Problem::TooMany { field: "certificates", max })
}
