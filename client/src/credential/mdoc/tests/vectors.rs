//! The example of ISO/IEC 18013-5, D.4.1.2 (its MSO is that of D.5.2), and what becomes of it when it
//! is damaged.

use proptest::prelude::*;

use super::*;

/// `IssuerSigned` of the example.
fn example() -> Vec<u8> {
    let text = include_str!("../../../../tests/vectors/mdoc/issuer_signed_d4.hex");
    hex::decode(text.split_ascii_whitespace().collect::<String>()).unwrap()
}

/// Where the certificate stands: outside of what the issuer signed.
fn certificate(file: &[u8]) -> Range<usize> {
    let start = file.windows(4).position(|head| head == [0x18, 0x21, 0x59, 0x01]).unwrap();
    start..start + 5 + 0x1f3
}

#[test]
fn d_4_1_2() {
    let mdoc = Mdoc::read(&example()).unwrap();
    let details = mdoc.details();
    assert_eq!(details.credential_type, "org.iso.18013.5.1.mDL");
    assert_eq!(details.issuer.as_deref(), Some("utopia ds"));
    assert_eq!(details.valid_from.unwrap().to_string(), "2020-10-01T13:30:02Z");
    assert_eq!(details.valid_until.unwrap().to_string(), "2021-10-01T13:30:02Z");
    assert_eq!(details.checked, Checked::EmbeddedCertificate);
    // The MSO has 13 digests of the mDL's name space and 4 of the US's; 6 elements are in the file.
    assert_eq!(details.withheld, 11);
    let shown: Vec<_> =
        details.claims.iter().map(|claim| format!("{} = {}", claim.name, claim.value)).collect();
    assert_eq!(
        shown,
        [
            "family_name = Doe",
            "issue_date = 2019-10-20",
            "expiry_date = 2024-10-20",
            "document_number = 123456789",
            "portrait = (1042 bytes)",
            "driving_privileges = vehicle_category_code: A; issue_date: 2018-08-09; \
             expiry_date: 2024-10-20, vehicle_category_code: B; issue_date: 2017-02-23; \
             expiry_date: 2024-10-20",
        ]
    );
    assert!(details.claims.iter().all(|claim| claim.space.as_deref() == Some("org.iso.18013.5.1")));
    // The thumbprint of the example's device key, computed with another program.
    let Binding::Key(key) = details.binding else { panic!("no key") };
    assert_eq!(key.to_string(), "0yVOsEv7u3l90lyYSylo0oqZQ3Ijelrj32Ar5Z21moI");
}

#[test]
fn every_flipped_bit_is_refused_outside_of_the_certificate() {
    let file = example();
    let unsigned = certificate(&file);
    for at in (0..file.len()).filter(|at| !unsigned.contains(at)) {
        for bit in [0x01, 0x80] {
            let mut damaged = file.clone();
            damaged[at] ^= bit;
            assert!(Mdoc::read(&damaged).is_err(), "bit {bit:02x} at {at}");
        }
    }
}

#[test]
fn every_flipped_item_is_named() {
    let file = example();
    let space = Outer::read(&file).unwrap().spaces.remove(0);
    assert_eq!(space.items.len(), 6);
    for (number, span) in (1..).zip(space.items) {
        let part = Part::Item { space: shown(space.name), number };
        // From behind the item's own head to its end: still an item, but another.
        for at in span.start + 4..span.end {
            let mut damaged = file.clone();
            damaged[at] ^= 0x04;
            let refusal = refusal(&damaged);
            assert_eq!(refusal.part, part, "at {at}: {refusal}");
            assert!((span.start..=span.end).contains(&refusal.at), "at {at}: {refusal}");
        }
    }
}

#[test]
fn every_cut_is_refused() {
    let file = example();
    for len in 0..file.len() {
        let refusal = Mdoc::read(&file[..len]).unwrap_err();
        assert_eq!((refusal.part, refusal.problem), (Part::IssuerSigned, Problem::Cut), "at {len}");
        assert!(refusal.at <= len);
    }
    let longer = [&file[..], &[0]].concat();
    assert_eq!(refusal(&longer).problem, Problem::Excess);
    assert_eq!(refusal(&longer).at, file.len());
}

#[test]
fn a_damaged_or_cut_example_is_still_taken_for_an_mdoc() {
    let file = example();
    for len in 12..file.len() {
        assert_eq!(Format::detect(&file[..len]), Format::Mdoc, "cut at {len}");
    }
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0xff;
        assert_eq!(Format::detect(&damaged), Format::Mdoc, "damaged at {at}");
    }
}

proptest! {
    /// Whatever is put into an mdoc, reading it ends.
    #[test]
    fn no_damage_panics(
        at in 0..3000_usize,
        bytes in prop::collection::vec(any::<u8>(), 0..24),
        remove in 0..60_usize,
    ) {
        let mut damaged = example();
        damaged.splice(at..at + remove, bytes);
        let _ = Mdoc::read(&damaged);
    }

    /// Arbitrary bytes do not bring the reader down, nor heads that claim more than there is.
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Credential::read(&bytes);
        let _ = Mdoc::read(&bytes);
        let _ = Mdoc::read(&[b"\xa2\x6anameSpaces".as_slice(), &bytes].concat());
        let _ = Mdoc::read(&[b"\xa2\x6aissuerAuth".as_slice(), &bytes].concat());
    }
}
