//! Why a file was refused: which part of it, where in the file, and what is wrong there.

use std::fmt;

/// How much of an untrusted text a message repeats.
const SHOWN_CHARS: usize = 40;

/// A file that is not what it claims to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part}, at byte {at}: {problem}")]
pub struct CredentialError {
    /// The part of the file that is wrong.
    pub part: Part,
    /// Where it is: bytes from the beginning of the file.
    pub at: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

impl CredentialError {
    pub(super) const fn new(part: Part, at: usize, problem: Problem) -> Self {
        Self { part, at, problem }
    }

    /// What its owner can do about it.
    pub fn advice(&self) -> &'static str {
        match self.problem {
            Problem::Unsupported { .. } | Problem::TooDeep(_) => {
                "this version cannot check it; it can be kept unread, as an opaque file"
            }
            Problem::Presentation => "import the credential it was made from",
            Problem::TooLarge(_) => "split the file or keep it elsewhere",
            _ => {
                "get the file again from where it came; what is damaged can be kept only unread, as an opaque file"
            }
        }
    }
}

/// The parts that a message can point at. Claim names and values never appear here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole.
    File,
    /// The first segment of the issuer-signed JWT.
    JwtHeader,
    /// The second segment.
    JwtPayload,
    /// The third segment.
    JwtSignature,
    /// A disclosure; the first one is number 1.
    Disclosure(usize),
    /// What stands behind the last `~`.
    KeyBinding,
    /// A certificate that came with the credential.
    Certificate,
    /// The outer map of an mdoc.
    IssuerSigned,
    /// An item of an mdoc: the name space made safe to show, and its number there, from 1.
    Item {
        /// The name space.
        space: String,
        /// Its number in the name space.
        number: usize,
    },
    /// The `COSE_Sign1` of an mdoc.
    IssuerAuth,
    /// The mobile security object of an mdoc.
    Mso,
    /// A private key in JWK form.
    HolderKey,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the file"),
            Self::JwtHeader => f.write_str("the JWT's header"),
            Self::JwtPayload => f.write_str("the JWT's payload"),
            Self::JwtSignature => f.write_str("the JWT's signature"),
            Self::Disclosure(number) => write!(f, "disclosure {number}"),
            Self::KeyBinding => f.write_str("the part behind the last '~'"),
            Self::Certificate => f.write_str("the issuer's certificate"),
            Self::IssuerSigned => f.write_str("IssuerSigned"),
            Self::Item { space, number } => write!(f, "item {number} of {space}"),
            Self::IssuerAuth => f.write_str("issuerAuth"),
            Self::Mso => f.write_str("the mobile security object"),
            Self::HolderKey => f.write_str("the holder's key"),
        }
    }
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing where something must be.
    #[error("there is nothing")]
    Empty,
    /// More bytes than a record may hold; the limit.
    #[error("more than {0} bytes")]
    TooLarge(usize),
    /// The file ends inside this part.
    #[error("the file is cut")]
    Cut,
    /// Bytes that belong to nothing.
    #[error("something stands behind the end")]
    Excess,
    /// A character outside the alphabet.
    #[error("'{}' is not a {alphabet} character", .found.escape_ascii())]
    NotBase64 {
        /// Which alphabet.
        alphabet: &'static str,
        /// The character.
        found: u8,
    },
    /// A number of characters that encodes no whole number of bytes.
    #[error("{0} characters are missing or too many")]
    Base64Length(&'static str),
    /// JSON that does not parse; line and column within the decoded text.
    #[error("not JSON, from line {line} column {column} of the decoded text: {reason}")]
    NotJson {
        /// Line in the decoded text, from 1.
        line: usize,
        /// Column in the decoded text, from 1.
        column: usize,
        /// The parser's words.
        reason: String,
    },
    /// CBOR that does not parse.
    #[error("not well-formed CBOR")]
    NotCbor,
    /// More levels than the reader follows; the limit.
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    /// A member that must be there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A member with the wrong type, length or form.
    #[error("{what} is not {expected}")]
    Wrong {
        /// The member.
        what: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// A form of the standard that this reader does not accept.
    #[error("{what} {found} is not supported")]
    Unsupported {
        /// The member.
        what: &'static str,
        /// Its value, made safe to show.
        found: String,
    },
    /// Something that may occur once occurs twice.
    #[error("{0} occurs twice")]
    Repeated(&'static str),
    /// A disclosure without a digest in the signed part.
    #[error("matches no digest that the issuer signed: altered, or of another credential")]
    NotSigned,
    /// A disclosure named by a digest of the other kind of place.
    #[error("a disclosure for {0} where the issuer signed another")]
    WrongDisclosure(&'static str),
    /// A claim that must stand in the signed part itself.
    #[error("discloses {0}, which must not be selectively disclosable")]
    NotDisclosable(&'static str),
    /// A disclosure whose name is there already.
    #[error("discloses a claim that is there already")]
    NameTaken,
    /// A name that the format keeps for itself.
    #[error("discloses a claim named \"_sd\" or \"...\"")]
    ReservedName,
    /// An item whose digest differs from the signed one.
    #[error("digest {0} differs from the one the issuer signed: altered, or of another credential")]
    DigestDiffers(u64),
    /// An item with a digest id that the issuer did not sign.
    #[error("the issuer signed no digest {0}")]
    DigestMissing(u64),
    /// The signature does not stand.
    #[error("the issuer's signature does not match")]
    BadSignature,
    /// A presentation made for one verifier.
    #[error(
        "a presentation with key binding, made for one verifier, is not a credential (RFC 9901, 7.2)"
    )]
    Presentation,
    /// A certificate that does not parse.
    #[error("not an X.509 certificate")]
    NotACertificate,
    /// A key that is no point of the curve, or whose halves do not belong together.
    #[error("not a key pair of P-256")]
    NotAKeyPair,
}

/// An untrusted text in quotes, fit for one line of a terminal.
pub(super) fn shown(text: &str) -> String {
    let head: String = text.chars().take(SHOWN_CHARS).collect();
    let more = if head.len() < text.len() { "…" } else { "" };
    format!("\"{}{more}\"", head.escape_debug())
}
