#![allow(clippy::unwrap_used)]

use super::*;
use crate::credential::{Credential, Format};

/// The holder's key of RFC 9901's examples.
const JWK: &str = r#"{
  "kty": "EC", "crv": "P-256",
  "d": "5K5SCos8zf9zRemGGUl6yfok-_NiiryNZsvANWMhF-I",
  "x": "TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc",
  "y": "ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ"
}"#;

#[test]
fn a_private_key_is_recognised_and_named() {
    assert_eq!(Format::detect(JWK.as_bytes()), Format::HolderKey);
    let key = HolderKey::read(JWK.as_bytes()).unwrap();
    assert_eq!(key.thumbprint().to_string(), "aISfTcr9M_Zd09AXGAAeFxnLbFY6lBa87UN515wm5d4");
    assert!(!format!("{key:?}").contains("5K5S"));
}

#[test]
fn a_public_key_is_an_opaque_file() {
    let public = JWK.lines().filter(|line| !line.contains("\"d\"")).collect::<String>();
    assert_eq!(Format::detect(public.as_bytes()), Format::Opaque);
}

#[test]
fn halves_that_do_not_belong_together_are_refused() {
    for (from, to) in [("5K5S", "5K5T"), ("TCAE", "TCAF"), ("ZxjiW", "ZxjiX")] {
        let refusal = HolderKey::read(JWK.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(refusal.problem, Problem::NotAKeyPair);
    }
}

#[test]
fn other_keys_and_other_forms_are_refused() {
    let of = |from: &str, to: &str| {
        let damaged = JWK.replace(from, to);
        assert_eq!(Format::detect(damaged.as_bytes()), Format::HolderKey);
        Credential::read(damaged.as_bytes()).unwrap_err().problem
    };
    assert!(matches!(of("\"P-256\"", "\"P-384\""), Problem::Unsupported { what: "crv", .. }));
    assert!(matches!(of("\"EC\"", "\"OKP\""), Problem::Unsupported { what: "kty", .. }));
    assert_eq!(of("\"x\"", "\"z\""), Problem::Missing("x"));
    assert_eq!(of("5K5S", "!"), Problem::Wrong { what: "d", expected: "base64url" });
    assert_eq!(of("TCAE", ""), Problem::NotAKeyPair);
    assert!(matches!(of("\"kty\": \"EC\",", "\"kty\": \"EC\""), Problem::NotJson { .. }));
}
