#![allow(clippy::unwrap_used)]

use client::credential::{Binding, Checked, Credential, Format, HolderKey, Portability, Standing};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

/// 21 November 2026.
const NOW_S: i64 = 1_795_219_200;

fn issued() -> Vec<Issued> {
    let mut rng = StdRng::seed_from_u64(1);
    Issuer::new(&mut rng, NOW_S).unwrap().issue_all(&mut rng).unwrap()
}

#[test]
fn everything_it_issues_is_whole_and_signed_and_valid() {
    for file in issued() {
        let credential = Credential::read(&file.bytes)
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", file.file_name));
        let Some(details) = credential.details() else {
            assert_eq!(credential.format(), Format::HolderKey);
            continue;
        };
        assert_eq!(details.checked, Checked::EmbeddedCertificate, "{}", file.file_name);
        assert_eq!(details.standing(Moment::from_unix_s(NOW_S).unwrap()), Standing::Valid);
        assert_eq!(details.withheld, 0);
    }
}

#[test]
fn what_is_bound_to_the_software_key_or_to_none_is_portable() {
    let issued = issued();
    let key = HolderKey::read(&issued[0].bytes).unwrap();
    let portable: Vec<_> = issued[1..]
        .iter()
        .map(|file| {
            let credential = Credential::read(&file.bytes).unwrap();
            let details = credential.details().unwrap();
            let holds = |thumbprint: &_| thumbprint == key.thumbprint();
            let portability = Portability::of(credential.format(), details, holds);
            (file.file_name, portability == Portability::Portable)
        })
        .collect();
    assert_eq!(
        portable,
        [
            ("pid.sd-jwt", true),
            ("pid-device.sd-jwt", false),
            ("licence.sd-jwt", true),
            ("card.sd-jwt", true),
            ("mdl.mdoc", false),
        ]
    );
}

#[test]
fn the_pid_has_what_the_rulebook_demands() {
    let issued = issued();
    let Credential::SdJwtVc(pid) = Credential::read(&issued[1].bytes).unwrap() else { panic!() };
    let payload = pid.payload();
    assert_eq!(payload["vct"], "urn:eudi:pid:1");
    assert_eq!(payload["nationalities"], json!([attributes::COUNTRY, "FR"]));
    assert_eq!(payload["address"]["house_number"], "7b");
    for mandatory in [
        "family_name",
        "given_name",
        "birthdate",
        "place_of_birth",
        "nationalities",
        "date_of_expiry",
        "issuing_authority",
        "issuing_country",
    ] {
        assert!(payload.contains_key(mandatory), "{mandatory}");
    }
    assert!(matches!(pid.details().binding, Binding::Key(_)));
}

#[test]
fn the_photo_is_a_jpeg_of_about_40_kib_and_fits_a_record() {
    let jpeg = portrait::jpeg(40 << 10);
    assert!(jpeg.len().abs_diff(40 << 10) < 2048, "{} bytes", jpeg.len());
    assert_eq!((&jpeg[..4], &jpeg[jpeg.len() - 2..]), (&b"\xff\xd8\xff\xe0"[..], &b"\xff\xd9"[..]));
    // Behind the last header there is one scan without markers in it.
    let scan = jpeg.windows(2).position(|marker| marker == b"\xff\xda").unwrap() + 10;
    let markers = jpeg[scan..].windows(2).filter(|pair| pair[0] == 0xff && pair[1] != 0);
    assert_eq!(markers.count(), 1);
    assert_eq!(jpeg, portrait::jpeg(40 << 10));
    let card = &issued()[4];
    assert!(card.bytes.len() > 40 << 10 && card.bytes.len() < 128 << 10, "{}", card.bytes.len());
}

#[test]
fn two_holders_get_different_salts_and_keys() {
    let mut rng = StdRng::seed_from_u64(2);
    let issuer = Issuer::new(&mut rng, NOW_S).unwrap();
    let (one, two) = (issuer.issue_all(&mut rng).unwrap(), issuer.issue_all(&mut rng).unwrap());
    for (one, two) in one.iter().zip(&two) {
        assert_ne!(one.bytes, two.bytes, "{}", one.file_name);
    }
}
