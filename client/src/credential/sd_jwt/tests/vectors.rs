//! RFC 9901's own examples, and what becomes of them when they are damaged.

use proptest::prelude::*;

use super::*;

const PID: &str = include_str!("../../../../tests/vectors/sd_jwt/issuance_pid.txt");
const PID_SHOWN: &str = include_str!("../../../../tests/vectors/sd_jwt/presentation_pid.txt");
const SIMPLE: &str = include_str!("../../../../tests/vectors/sd_jwt/issuance_simple.txt");
const SIMPLE_SHOWN: &str = include_str!("../../../../tests/vectors/sd_jwt/presentation_simple.txt");
const STRUCTURED_SHOWN: &str =
    include_str!("../../../../tests/vectors/sd_jwt/presentation_structured.txt");
const COMPLEX_SHOWN: &str =
    include_str!("../../../../tests/vectors/sd_jwt/presentation_complex.txt");
const W3C: &str = include_str!("../../../../tests/vectors/sd_jwt/issuance_w3c.txt");

fn holder_jwk() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc",
        "y": "ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ",
    })
}

/// By RFC 9901 alone: most examples are of other types than SD-JWT VC.
fn read(token: &str) -> Result<SdJwt, CredentialError> {
    SdJwt::read(token.as_bytes(), Some(&rfc_9901_key()))
}

/// The token of a presentation, without its key binding.
fn unbound(presentation: &str) -> &str {
    &presentation[..=presentation.rfind('~').unwrap()]
}

#[test]
fn a_3_the_pid() {
    let credential = SdJwtVc::read(PID.as_bytes(), Some(&rfc_9901_key())).unwrap();
    let expected = json!({
        "iss": "https://pid-issuer.bund.de.example", "iat": 1683000000, "exp": 1883000000,
        "vct": "urn:eudi:pid:de:1", "cnf": {"jwk": holder_jwk()},
        "given_name": "Erika", "family_name": "Mustermann", "birthdate": "1963-08-12",
        "address": {
            "street_address": "Heidestraße 17", "locality": "Köln", "postal_code": "51147",
            "country": "DE",
        },
        "nationalities": ["DE"], "sex": 2, "birth_family_name": "Gabler",
        "place_of_birth": {"locality": "Berlin", "country": "DE"},
        "age_equal_or_over": {
            "12": true, "14": true, "16": true, "18": true, "21": true, "65": false,
        },
        "age_in_years": 62, "age_birth_year": 1963, "issuance_date": "2020-03-11",
        "expiry_date": "2030-03-12", "issuing_authority": "DE", "issuing_country": "DE",
    });
    assert_eq!(Value::Object(credential.payload().clone()), expected);
    let details = credential.details();
    assert_eq!(details.credential_type, "urn:eudi:pid:de:1");
    assert_eq!(details.issuer.as_deref(), Some("https://pid-issuer.bund.de.example"));
    assert_eq!(details.valid_until.unwrap().to_string(), "2029-09-01T23:33:20Z");
    assert_eq!((details.checked, details.withheld), (Checked::SuppliedKey, 0));
    // The thumbprint was computed with another program (RFC 7638, 3.1).
    let Binding::Key(key) = details.binding else { panic!("no key") };
    assert_eq!(key.to_string(), "aISfTcr9M_Zd09AXGAAeFxnLbFY6lBa87UN515wm5d4");
}

#[test]
fn a_3_shown_in_part() {
    let credential = SdJwtVc::read(unbound(PID_SHOWN).as_bytes(), Some(&rfc_9901_key())).unwrap();
    let expected = json!({
        "iss": "https://pid-issuer.bund.de.example", "iat": 1683000000, "exp": 1883000000,
        "vct": "urn:eudi:pid:de:1", "cnf": {"jwk": holder_jwk()},
        "age_equal_or_over": {"18": true}, "nationalities": ["DE"],
    });
    assert_eq!(Value::Object(credential.payload().clone()), expected);
    // 13 of the 15 claims and 5 of the 6 ages are not there.
    assert_eq!(credential.details().withheld, 18);
}

#[test]
fn section_5_the_simple_example() {
    let all = read(SIMPLE).unwrap().expanded;
    assert_eq!(all.payload["nationalities"], json!(["US", "DE"]));
    assert_eq!(all.payload["email"], "johndoe@example.com");
    assert_eq!(all.withheld, 0);
    let shown = read(unbound(SIMPLE_SHOWN)).unwrap().expanded;
    let expected = json!({
        "iss": "https://issuer.example.com", "iat": 1683000000, "exp": 1883000000,
        "sub": "user_42", "nationalities": ["US"], "cnf": {"jwk": holder_jwk()},
        "given_name": "John", "family_name": "Doe",
        "address": {
            "street_address": "123 Main St", "locality": "Anytown", "region": "Anystate",
            "country": "US",
        },
    });
    assert_eq!(Value::Object(shown.payload), expected);
}

#[test]
fn a_1_decoys_and_a_2_nested_disclosures_and_a_4() {
    let structured = read(unbound(STRUCTURED_SHOWN)).unwrap().expanded;
    assert_eq!(structured.payload["address"], json!({"region": "港区", "country": "JP"}));
    let complex = read(unbound(COMPLEX_SHOWN)).unwrap().expanded;
    let address = json!({
        "locality": "Maxstadt", "postal_code": "12344", "country": "DE",
        "street_address": "Weidenstraße 22",
    });
    assert_eq!(complex.payload["verified_claims"]["claims"]["address"], address);
    let w3c = read(W3C).unwrap().expanded;
    assert_eq!(w3c.payload["credentialSubject"]["vaccine"]["atcCode"], "J07BX03");
}

#[test]
fn a_presentation_with_key_binding_is_refused() {
    let refusal = SdJwtVc::read(PID_SHOWN.as_bytes(), Some(&rfc_9901_key())).unwrap_err();
    assert_eq!((refusal.part, refusal.problem), (Part::KeyBinding, Problem::Presentation));
    assert_eq!(refusal.at, PID_SHOWN.rfind('~').unwrap() + 1);
}

/// Every character of every disclosure, changed: the message names that disclosure.
#[test]
fn every_flipped_disclosure_is_named() {
    let mut at = PID.find('~').unwrap() + 1;
    for (index, disclosure) in PID.trim_end().split('~').skip(1).enumerate() {
        for offset in 0..disclosure.len() {
            for replacement in [b'A', b'_', b'!', b'%'] {
                let mut damaged = PID.as_bytes().to_vec();
                if damaged[at + offset] == replacement {
                    continue;
                }
                damaged[at + offset] = replacement;
                let refusal = SdJwtVc::read(&damaged, Some(&rfc_9901_key())).unwrap_err();
                assert_eq!(refusal.part, Part::Disclosure(index + 1), "{refusal}");
                let places = if replacement.is_ascii_punctuation() && replacement != b'_' {
                    at + offset..=at + offset
                } else {
                    at..=at + disclosure.len()
                };
                assert!(places.contains(&refusal.at), "{refusal}");
            }
        }
        at += disclosure.len() + 1;
    }
    assert_eq!(at, PID.trim_end().len() + 1);
}

#[test]
fn every_flipped_character_of_the_signed_part_is_refused() {
    for at in 0..PID.find('~').unwrap() {
        let mut damaged = PID.as_bytes().to_vec();
        damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
        assert!(SdJwtVc::read(&damaged, Some(&rfc_9901_key())).is_err(), "at {at}");
    }
}

/// A cut right behind a `~` is a valid SD-JWT with fewer disclosures; every other one is refused. In
/// this example a further cut is refused too: nested disclosures come before the one that names them.
#[test]
fn a_cut_file_is_refused_unless_it_ends_behind_a_disclosure() {
    for len in 0..PID.trim_end().len() {
        match SdJwtVc::read(&PID.as_bytes()[..len], Some(&rfc_9901_key())) {
            Ok(credential) => {
                assert_eq!(PID.as_bytes()[len - 1], b'~', "cut at {len}");
                assert!(credential.details().withheld > 0);
            }
            Err(refusal) => assert!(refusal.at <= len, "cut at {len}: {refusal}"),
        }
    }
}

#[test]
fn a_damaged_or_cut_pid_is_still_taken_for_one() {
    use crate::credential::Format;
    for len in 10..PID.trim_end().len() {
        let kept = &PID.as_bytes()[..len];
        assert_eq!(Format::detect(kept), Format::SdJwtVc, "cut at {len}");
    }
    for at in 0..PID.trim_end().len() {
        let mut damaged = PID.as_bytes().to_vec();
        damaged[at] ^= 0x15;
        assert_eq!(Format::detect(&damaged), Format::SdJwtVc, "damaged at {at}");
    }
}

proptest! {
    /// Whatever is done to a token, reading it ends, and with the original's content or a refusal.
    #[test]
    fn no_damage_goes_unnoticed(
        at in 0..PID.trim_end().len(),
        bytes in prop::collection::vec(any::<u8>(), 0..8),
        remove in 0..40_usize,
    ) {
        let mut damaged = PID.trim_end().as_bytes().to_vec();
        let end = (at + remove).min(damaged.len());
        damaged.splice(at..end, bytes);
        match SdJwtVc::read(&damaged, Some(&rfc_9901_key())) {
            Err(_) => {}
            // Nothing changed but white space around it, or whole disclosures are gone.
            Ok(_) => {
                let damaged = std::str::from_utf8(&damaged).unwrap().trim();
                let known: Vec<_> = PID.trim_end().split('~').collect();
                prop_assert!(damaged.split('~').all(|piece| known.contains(&piece)));
            }
        }
    }

    /// Arbitrary text does not bring the reader down.
    #[test]
    fn arbitrary_text_never_panics(text in "[A-Za-z0-9_~.{}\\[\\]\":, -]{0,300}") {
        let _ = crate::credential::Credential::read(text.as_bytes());
        let _ = SdJwtVc::read(text.as_bytes(), None);
    }
}
