#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::super::forge::{
    digest, disclosure, header, issuer_key, rfc_9901_key, sd_jwt, sd_jwt_of_text,
};
use super::*;

mod refused;
mod vectors;

/// What is said of a token that must be refused.
fn refusal(token: &str) -> CredentialError {
    SdJwtVc::read(token.as_bytes(), Some(&issuer_key())).unwrap_err()
}

/// A payload with these members beside what every SD-JWT VC has.
fn payload(members: &Value) -> Value {
    let mut payload = json!({"iss": "https://issuer.example", "vct": "urn:example:1"});
    payload.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    payload
}

#[test]
fn an_expired_credential_is_shown_as_expired_and_read() {
    let token = sd_jwt(&header(), &payload(&json!({"nbf": 1000, "exp": 2000})), &[]);
    let credential = SdJwtVc::read(token.as_bytes(), Some(&issuer_key())).unwrap();
    let standing = |seconds| credential.details().standing(Moment::from_unix_s(seconds).unwrap());
    use crate::credential::Standing;
    assert_eq!(standing(999), Standing::NotYetValid);
    assert_eq!(standing(1000), Standing::Valid);
    assert_eq!(standing(2000), Standing::Valid);
    assert_eq!(standing(2001), Standing::Expired);
}

#[test]
fn white_space_around_the_token_is_forgiven() {
    let token = format!("\n {}\r\n", sd_jwt(&header(), &payload(&json!({})), &[]));
    assert!(SdJwtVc::read(token.as_bytes(), Some(&issuer_key())).is_ok());
}

#[test]
fn without_a_key_the_signature_is_said_to_be_unchecked() {
    let token = sd_jwt(&header(), &payload(&json!({})), &[]);
    let credential = SdJwtVc::read(token.as_bytes(), None).unwrap();
    assert_eq!(credential.details().checked, Checked::NoKey);
    let other = rfc_9901_key();
    let refusal = SdJwtVc::read(token.as_bytes(), Some(&other)).unwrap_err();
    assert_eq!((refusal.part, refusal.problem), (Part::JwtSignature, Problem::BadSignature));
}

#[test]
fn the_older_name_of_the_type_is_accepted() {
    let header = json!({"alg": "ES256", "typ": "vc+sd-jwt"});
    let token = sd_jwt(&header, &payload(&json!({})), &[]);
    assert!(SdJwtVc::read(token.as_bytes(), Some(&issuer_key())).is_ok());
}

#[test]
fn fractions_of_a_second_are_dropped_and_absurd_times_refused() {
    let read = |exp: Value| {
        let token = sd_jwt(&header(), &payload(&json!({"exp": exp})), &[]);
        SdJwtVc::read(token.as_bytes(), Some(&issuer_key()))
            .map(|credential| credential.details().valid_until.unwrap().to_string())
    };
    assert_eq!(read(json!(1883000000.75)).unwrap(), "2029-09-01T23:33:20Z");
    let wrong = Problem::Wrong { what: "exp", expected: "a number of seconds until the year 9999" };
    for absurd in
        [json!(1e300), json!(-1e300), json!("soon"), json!(null), json!(253_402_300_800_u64)]
    {
        assert_eq!(read(absurd).unwrap_err().problem, wrong);
    }
}

#[test]
fn claims_know_whether_they_can_be_left_out() {
    let street = disclosure(&json!(["street_address", "Main Street 1"]));
    let name = disclosure(&json!(["family_name", "Doe"]));
    let members = json!({
        "_sd": [digest(&name)],
        "address": {"_sd": [digest(&street)], "country": "DE"},
        "issuing_country": "DE",
    });
    let token = sd_jwt(&header(), &payload(&members), &[name, street]);
    let credential = SdJwtVc::read(token.as_bytes(), Some(&issuer_key())).unwrap();
    let claims: Vec<_> = credential
        .details()
        .claims
        .iter()
        .map(|claim| (claim.name.as_str(), claim.value.to_string(), claim.disclosable))
        .collect();
    assert_eq!(
        claims,
        [
            ("address", "country: DE; street_address: Main Street 1".to_owned(), true),
            ("family_name", "Doe".to_owned(), true),
            ("issuing_country", "DE".to_owned(), false),
        ]
    );
}

#[test]
fn debug_shows_no_value() {
    let token = sd_jwt(&header(), &payload(&json!({"family_name": "Hunter"})), &[]);
    let credential = SdJwtVc::read(token.as_bytes(), Some(&issuer_key())).unwrap();
    let shown = format!("{credential:?}");
    assert!(shown.contains("family_name") && !shown.contains("Hunter"), "{shown}");
}
