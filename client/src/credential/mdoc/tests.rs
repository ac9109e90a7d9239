#![allow(clippy::unwrap_used)]

use ciborium::Value as Cbor;

use super::super::forge::{self, MdocForge, cbor};
use super::*;
use crate::credential::{Binding, Credential, Format};

mod refused;
mod vectors;

fn refusal(file: &[u8]) -> CredentialError {
    Mdoc::read(file).unwrap_err()
}

#[test]
fn a_forged_mdoc_reads_back() {
    let mdoc = Mdoc::read(&MdocForge::default().issue()).unwrap();
    let details = mdoc.details();
    assert_eq!(details.credential_type, "org.example.1");
    assert_eq!(details.issuer.as_deref(), Some("Forge"));
    assert_eq!(details.valid_until.unwrap().to_string(), "2030-01-01T00:00:00Z");
    let values: Vec<_> =
        details.claims.iter().map(|claim| (claim.name.as_str(), claim.value.to_string())).collect();
    assert_eq!(values, [("family_name", "Doe".to_owned()), ("portrait", "(3 bytes)".to_owned())]);
    assert!(matches!(details.binding, Binding::Key(_)));
    assert_eq!(details.withheld, 0);
}

#[test]
fn base64url_is_read_as_the_bytes_it_encodes() {
    let file = MdocForge::default().issue();
    let text = crate::credential::encoding::to_base64url(&file);
    let with_newline = format!("{text}\n");
    assert_eq!(Format::detect(with_newline.as_bytes()), Format::Mdoc);
    let read = Mdoc::read(with_newline.as_bytes()).unwrap();
    assert_eq!(read.details(), Mdoc::read(&file).unwrap().details());
    // A wrong character is named in the text, a wrong byte at the character that holds it.
    let refused = refusal(text.replacen(&text[100..101], "!", 1).as_bytes());
    assert!(matches!(refused.problem, Problem::NotBase64 { found: b'!', .. }), "{refused}");
    let mut damaged = file.clone();
    let at = file.len() - 10;
    damaged[at] ^= 1;
    let in_cbor = refusal(&damaged);
    let in_text = refusal(crate::credential::encoding::to_base64url(&damaged).as_bytes());
    assert_eq!((in_text.at, &in_text.problem), (in_cbor.at * 4 / 3, &in_cbor.problem));
}

#[test]
fn lengths_may_be_indefinite_and_the_signature_tagged() {
    let forged = MdocForge { tagged: true, indefinite: true, ..MdocForge::default() }.issue();
    assert_eq!(Mdoc::read(&forged).unwrap().details().claims.len(), 2);
}

#[test]
fn name_spaces_may_be_absent() {
    let forged = MdocForge { name_spaces: false, ..MdocForge::default() }.issue();
    let mdoc = Mdoc::read(&forged).unwrap();
    assert_eq!((mdoc.details().claims.len(), mdoc.details().withheld), (0, 2));
}

#[test]
fn the_bytes_are_hashed_as_they_stand() {
    // An item whose length is written in a longer form than necessary keeps its digest.
    let forged = MdocForge { long_lengths: true, ..MdocForge::default() }.issue();
    assert_eq!(Mdoc::read(&forged).unwrap().details().claims.len(), 2);
}
