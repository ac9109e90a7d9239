//! What ISO/IEC 18013-5 forbids, signed by an issuer who does it all the same.

use super::*;

#[test]
fn a_signature_by_another_key_is_refused() {
    let forged = MdocForge { sign_with: [9; 32], ..MdocForge::default() }.issue();
    let refusal = refusal(&forged);
    assert_eq!((refusal.part, refusal.problem), (Part::IssuerAuth, Problem::BadSignature));
    assert_eq!(refusal.at, forged.len() - 64);
}

#[test]
fn algorithms_other_than_es256_are_refused() {
    for algorithm in [-35, -8, -257, 5] {
        let forged = MdocForge { algorithm: Some(algorithm), ..MdocForge::default() }.issue();
        let refusal = refusal(&forged);
        assert!(matches!(refusal.problem, Problem::Unsupported { what: "alg", .. }), "{refusal}");
    }
    let forged = MdocForge { algorithm: None, ..MdocForge::default() }.issue();
    assert_eq!(refusal(&forged).problem, Problem::Missing("the protected header alg"));
}

#[test]
fn a_certificate_must_be_there_and_be_one() {
    let forged = MdocForge { certificate: None, ..MdocForge::default() }.issue();
    assert_eq!(refusal(&forged).problem, Problem::Missing("the header x5chain"));
    let forged = MdocForge { certificate: Some(vec![0x30, 0]), ..MdocForge::default() }.issue();
    let refusal = refusal(&forged);
    assert_eq!((refusal.part, refusal.problem), (Part::Certificate, Problem::NotACertificate));
}

#[test]
fn an_unknown_digest_algorithm_or_version_is_refused() {
    let of = |member: &'static str, value: &str| {
        let change = vec![(member, Some(Cbor::from(value)))];
        refusal(&MdocForge { mso: change, ..MdocForge::default() }.issue()).problem
    };
    let problem = |what, found: &str| Problem::Unsupported { what, found: found.to_owned() };
    assert_eq!(of("digestAlgorithm", "MD5"), problem("digestAlgorithm", "\"MD5\""));
    assert_eq!(of("version", "2.0"), problem("version", "\"2.0\""));
}

#[test]
fn what_the_issuer_must_sign_must_be_there() {
    let members =
        ["version", "digestAlgorithm", "valueDigests", "deviceKeyInfo", "docType", "validityInfo"];
    for member in members {
        let forged = MdocForge { mso: vec![(member, None)], ..MdocForge::default() }.issue();
        let refusal = refusal(&forged);
        assert_eq!((refusal.part, refusal.problem), (Part::Mso, Problem::Missing(member)));
    }
}

#[test]
fn validity_is_two_dates() {
    let of = |validity: Cbor| {
        let change = vec![("validityInfo", Some(validity))];
        refusal(&MdocForge { mso: change, ..MdocForge::default() }.issue()).problem
    };
    let date = |text: &str| Cbor::Tag(0, Box::new(text.into()));
    let from = || ("validFrom".into(), date("2020-01-01T00:00:00Z"));
    assert_eq!(of(Cbor::Map(vec![from()])), Problem::Missing("validUntil"));
    for wrong in [date("tomorrow"), "2020-01-01T00:00:00Z".into(), date("0000-13-01T00:00:00Z")] {
        let problem = of(Cbor::Map(vec![from(), ("validUntil".into(), wrong)]));
        assert!(matches!(problem, Problem::Wrong { what: "validUntil", .. }), "{problem}");
    }
}

#[test]
fn an_item_without_its_digest_is_refused() {
    let mut forge = MdocForge::default();
    forge.items.push((7, "given_name".into(), Cbor::from("Jane")));
    forge.unsigned_items = 1;
    let refusal = refusal(&forge.issue());
    assert_eq!(refusal.problem, Problem::DigestMissing(7));
    assert_eq!(refusal.part, Part::Item { space: "\"org.example\"".into(), number: 3 });
}

#[test]
fn an_item_with_another_items_digest_is_refused() {
    let mut forge = MdocForge::default();
    forge.items.push((0, "given_name".into(), Cbor::from("Jane")));
    forge.unsigned_items = 1;
    assert_eq!(refusal(&forge.issue()).problem, Problem::DigestDiffers(0));
}

#[test]
fn an_item_or_an_element_that_occurs_twice_is_refused() {
    let mut forge = MdocForge::default();
    forge.items.push(forge.items[0].clone());
    assert_eq!(refusal(&forge.issue()).problem, Problem::Repeated("its digest id"));
    let mut forge = MdocForge::default();
    forge.items.push((2, "family_name".into(), Cbor::from("Roe")));
    assert_eq!(refusal(&forge.issue()).problem, Problem::Repeated("its element"));
}

#[test]
fn members_that_occur_twice_or_are_unknown_are_refused_in_the_outer_map() {
    let file = MdocForge::default().issue();
    let Cbor::Map(members) = ciborium::from_reader::<Cbor, _>(&file[..]).unwrap() else { panic!() };
    let with = |extra: (Cbor, Cbor)| {
        let mut members = members.clone();
        members.push(extra);
        refusal(&cbor(&Cbor::Map(members))).problem
    };
    assert_eq!(with(members[0].clone()), Problem::Repeated("a member"));
    assert_eq!(with(members[1].clone()), Problem::Repeated("a member"));
    assert!(matches!(
        with(("nameSpacez".into(), Cbor::Null)),
        Problem::Unsupported { what: "the member", .. }
    ));
    let only_items = cbor(&Cbor::Map(vec![members[0].clone()]));
    assert_eq!(refusal(&only_items).problem, Problem::Missing("issuerAuth"));
}

#[test]
fn the_wrong_kind_of_cbor_is_refused() {
    assert!(matches!(refusal(&[0x80]).problem, Problem::Wrong { what: "IssuerSigned", .. }));
    let auth = |value: Cbor| refusal(&cbor(&Cbor::Map(vec![("issuerAuth".into(), value)])));
    assert!(matches!(auth(Cbor::Null).problem, Problem::Wrong { what: "issuerAuth", .. }));
    let empty = || Cbor::Bytes(Vec::new());
    let short = Cbor::Array(vec![empty(), Cbor::Map(vec![]), empty(), Cbor::Bytes(vec![0; 63])]);
    assert!(matches!(auth(short).problem, Problem::Wrong { what: "the signature", .. }));
    let three = Cbor::Array(vec![empty(), Cbor::Map(vec![]), empty()]);
    assert!(matches!(auth(three).problem, Problem::Wrong { what: "issuerAuth", .. }));
}

#[test]
fn elements_nested_beyond_reason_are_refused() {
    let mut value = Cbor::Null;
    for _ in 0..40 {
        value = Cbor::Array(vec![value]);
    }
    let mut forge = MdocForge::default();
    forge.items.push((2, "deep".into(), value));
    let refusal = refusal(&forge.issue());
    assert_eq!(refusal.problem, Problem::TooDeep(32));
}

#[test]
fn a_message_names_the_item_and_the_byte_and_no_value() {
    let file = MdocForge::default().issue();
    let at = file.windows(3).position(|text| text == b"Doe").unwrap();
    let mut damaged = file.clone();
    damaged[at] = b'R';
    let text = refusal(&damaged).to_string();
    let start = Outer::read(&file).unwrap().spaces[0].items[0].start;
    assert_eq!(
        text,
        format!(
            "item 1 of \"org.example\", at byte {start}: digest 0 differs from the one the issuer signed: \
             altered, or of another credential"
        )
    );
}

#[test]
fn headers_that_nest_without_end_are_passed_over() {
    // Counter signatures (label 7) of counter signatures, each in the protected header of the last.
    let mut protected = Vec::new();
    for _ in 0..6000 {
        let len = (protected.len() as u32).to_be_bytes();
        protected = [&[0xa1, 7, 0x83, 0x5a][..], &len, &protected, &[0xa0, 0x41, 0]].concat();
    }
    let signature = vec![Cbor::Bytes(protected), Cbor::Map(vec![]), Cbor::Bytes(vec![0])];
    let unprotected = vec![(7.into(), Cbor::Array(signature))];
    assert!(Mdoc::read(&MdocForge { unprotected, ..MdocForge::default() }.issue()).is_ok());
}

#[test]
fn critical_headers_are_refused() {
    let critical = (2.into(), Cbor::Array(vec![33.into()]));
    let forged = MdocForge { protected: vec![critical], ..MdocForge::default() }.issue();
    let problem = refusal(&forged).problem;
    assert!(matches!(problem, Problem::Unsupported { what: "crit", .. }), "{problem}");
}

#[test]
fn a_name_longer_than_any_is_refused() {
    let mut forge = MdocForge::default();
    forge.items.push((2, "n".repeat(257), Cbor::Null));
    assert_eq!(refusal(&forge.issue()).problem, Problem::TooLarge(256));
    forge.items[2].1.pop();
    assert!(Mdoc::read(&forge.issue()).is_ok());
}

#[test]
fn a_chain_of_certificates_begins_with_the_signers() {
    let leaf = Cbor::Bytes(forge::certificate(&forge::issuer_key()));
    let of = |chain: Vec<Cbor>| {
        let unprotected = vec![(33.into(), Cbor::Array(chain))];
        Mdoc::read(&MdocForge { certificate: None, unprotected, ..MdocForge::default() }.issue())
            .map_err(|refusal| refusal.problem)
    };
    assert!(of(vec![leaf.clone(), Cbor::Bytes(vec![1, 2, 3])]).is_ok());
    assert_eq!(of(vec![]).unwrap_err(), Problem::Missing("a certificate"));
    let wrong = Problem::Wrong { what: "a certificate of x5chain", expected: "a byte string" };
    assert_eq!(of(vec![leaf, Cbor::Null]).unwrap_err(), wrong);
}
