//! The compact serialisation: `header.payload.signature~disclosure~…~disclosure~` (RFC 9901, 4).

use crate::credential::encoding::base64url;
use crate::credential::error::{CredentialError, Part, Problem};

/// A piece of the file.
pub(super) struct Segment<'f> {
    /// What it is.
    pub(super) part: Part,
    /// Where it begins, in bytes from the beginning of the file.
    pub(super) at: usize,
    /// Its characters.
    pub(super) text: &'f [u8],
}

impl Segment<'_> {
    /// What it encodes.
    pub(super) fn decode(&self) -> Result<Vec<u8>, CredentialError> {
        base64url(&self.part, self.at, self.text)
    }
}

/// The pieces, not yet decoded.
pub(super) struct Compact<'f> {
    pub(super) header: Segment<'f>,
    pub(super) payload: Segment<'f>,
    pub(super) signature: Segment<'f>,
    /// What the signature is over: header, dot, payload.
    pub(super) signed: &'f [u8],
    pub(super) disclosures: Vec<Segment<'f>>,
}

impl<'f> Compact<'f> {
    /// Splits a file. White space around the token is forgiven: editors and shells add it.
    pub(super) fn split(file: &'f [u8]) -> Result<Self, CredentialError> {
        let start = file.len() - file.trim_ascii_start().len();
        let token = file.trim_ascii();
        let end = start + token.len();
        let mut pieces = pieces(start, token, b'~');
        let (jwt_at, jwt) = pieces.next().unwrap_or((start, &[]));
        if jwt.is_empty() {
            return Err(CredentialError::new(Part::JwtHeader, jwt_at, Problem::Empty));
        }
        let mut tail: Vec<(usize, &[u8])> = pieces.collect();
        match tail.pop() {
            // A KB-JWT has dots, a disclosure that lost its end has none.
            Some((at, last)) if last.contains(&b'.') => {
                return Err(CredentialError::new(Part::KeyBinding, at, Problem::Presentation));
            }
            Some((_, [])) => {}
            Some(_) | None => return Err(CredentialError::new(Part::File, end, Problem::Cut)),
        }
        let disclosures = tail.iter().enumerate().map(|(index, &(at, text))| Segment {
            part: Part::Disclosure(index + 1),
            at,
            text,
        });
        let mut segments = pieces_of_jwt(jwt_at, jwt)?;
        let [header, payload, signature] = &mut segments;
        let signed = &jwt[..payload.at + payload.text.len() - jwt_at];
        let take = |segment: &mut Segment<'f>| Segment { part: segment.part.clone(), ..*segment };
        Ok(Self {
            header: take(header),
            payload: take(payload),
            signature: take(signature),
            signed,
            disclosures: disclosures.collect(),
        })
    }
}

fn pieces_of_jwt(at: usize, jwt: &[u8]) -> Result<[Segment<'_>; 3], CredentialError> {
    let parts = [Part::JwtHeader, Part::JwtPayload, Part::JwtSignature];
    let mut pieces = pieces(at, jwt, b'.');
    let mut segment = |part: Part| match pieces.next() {
        Some((at, text)) => Ok(Segment { part, at, text }),
        None => Err(CredentialError::new(part, at + jwt.len(), Problem::Missing("this segment"))),
    };
    let [header, payload, signature] = parts;
    let segments = [segment(header)?, segment(payload)?, segment(signature)?];
    match pieces.next() {
        None => Ok(segments),
        Some((at, _)) => Err(CredentialError::new(Part::JwtSignature, at, Problem::Excess)),
    }
}

/// `text` at `start`, split at every `separator`, each piece with its place.
fn pieces(start: usize, text: &[u8], separator: u8) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = start;
    text.split(move |byte| *byte == separator).map(move |piece| {
        let here = at;
        at += piece.len() + 1;
        (here, piece)
    })
}
