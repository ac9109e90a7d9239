use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

/// RFC 9449, figures 13 (the token) and 14 (the proof), with the thumbprint of figure 9.
#[test]
fn the_example_of_rfc_9449_is_accepted() {
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik\
                 VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR\
                 nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE\
                 QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj\
                 oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z\
                 WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF\
                 c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E\
                 OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    let uri = "https://resource.example.org/protectedresource";
    let request = Request { method: "GET", uri, token };
    let checked = check(proof, &request, 1_562_262_618).unwrap();
    assert_eq!(checked.jti, "e1j3V_bKic8-LAEB");
    let expected = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    assert_eq!(BASE64URL.encode(checked.thumbprint), expected);
}

const NOW_S: u64 = 1_800_000_000;
const REQUEST: Request<'_> =
    Request { method: "POST", uri: "/holdfast.v1.Wallets/Pull", token: "token" };

fn fixture() -> (StdRng, SoftwareKey) {
    let mut rng = StdRng::seed_from_u64(9449);
    let key = SoftwareKey::generate(&mut rng);
    (rng, key)
}

/// A proof of any header and claims, correctly signed.
fn signed(key: &SoftwareKey, rng: &mut StdRng, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
    let signature = key.sign(rng, signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64URL.encode(signature))
}

fn parts(proof: &str) -> [String; 2] {
    let mut parts = proof.split('.').map(|part| {
        String::from_utf8(BASE64URL.decode(part).unwrap_or_default()).unwrap_or_default()
    });
    [parts.next().unwrap(), parts.next().unwrap()]
}

#[test]
fn a_proof_is_accepted_for_its_own_request_only() {
    let (mut rng, key) = fixture();
    let proof = build(&mut rng, &key, &REQUEST, NOW_S).unwrap();
    let checked = check(&proof, &REQUEST, NOW_S).unwrap();
    assert_eq!(checked.thumbprint, thumbprint(key.public()));
    for (request, other) in [
        (Request { method: "GET", ..REQUEST }, "method"),
        (Request { uri: "/holdfast.v1.Wallets/Push", ..REQUEST }, "target"),
        (Request { token: "token2", ..REQUEST }, "token"),
    ] {
        assert_eq!(check(&proof, &request, NOW_S), Err(DpopError::OtherRequest(other)));
    }
}

#[test]
fn query_and_fragment_do_not_count() {
    let (mut rng, key) = fixture();
    let request = Request { uri: "https://node/v1/wallets?since=3#x", ..REQUEST };
    let proof = build(&mut rng, &key, &request, NOW_S).unwrap();
    let request = Request { uri: "https://node/v1/wallets", ..REQUEST };
    assert!(check(&proof, &request, NOW_S).is_ok());
}

#[test]
fn the_time_is_checked_both_ways() {
    let (mut rng, key) = fixture();
    let proof = build(&mut rng, &key, &REQUEST, NOW_S).unwrap();
    for now_s in [NOW_S - 10, NOW_S, NOW_S + 60] {
        assert!(check(&proof, &REQUEST, now_s).is_ok());
    }
    for (now_s, age_s) in [(NOW_S - 11, -11), (NOW_S + 61, 61)] {
        assert_eq!(check(&proof, &REQUEST, now_s), Err(DpopError::Time { age_s }));
    }
    let far = build(&mut rng, &key, &REQUEST, u64::MAX).unwrap();
    assert!(matches!(check(&far, &REQUEST, 0), Err(DpopError::Time { age_s: i64::MIN })));
}

#[test]
fn two_proofs_have_two_ids() {
    let (mut rng, key) = fixture();
    let ids = [(); 2].map(|()| {
        let proof = build(&mut rng, &key, &REQUEST, NOW_S).unwrap();
        check(&proof, &REQUEST, NOW_S).unwrap().jti
    });
    assert_ne!(ids[0], ids[1]);
}

/// Every field of a good proof, changed, and signed again by the same key.
#[test]
fn other_headers_and_claims_are_refused() {
    let (mut rng, key) = fixture();
    let [header, claims] = parts(&build(&mut rng, &key, &REQUEST, NOW_S).unwrap());
    assert!(check(&signed(&key, &mut rng, &header, &claims), &REQUEST, NOW_S).is_ok());
    let in_header = [
        (r#""dpop+jwt""#, r#""JWT""#),
        (r#""ES256""#, r#""ES384""#),
        (r#""ES256""#, r#""none""#),
        (r#""EC""#, r#""OKP""#),
        (r#""P-256""#, r#""P-384""#),
        (r#""kty""#, r#""d":"AA","kty""#),
        (r#""kty""#, r#""kty":"EC","kty""#),
        (r#""typ""#, r#""crit":["b64"],"typ""#),
        (r#""x":""#, r#""x":"A"#),
        (r#""y":""#, r#""z":""#),
    ];
    for (from, to) in in_header {
        assert!(header.contains(from), "{from}");
        let proof = signed(&key, &mut rng, &header.replacen(from, to, 1), &claims);
        assert!(matches!(check(&proof, &REQUEST, NOW_S), Err(DpopError::Malformed(_))), "{to}");
    }
    let jti = serde_json::from_str::<serde_json::Value>(&claims).unwrap()["jti"].to_string();
    let long = format!("\"{}\"", "j".repeat(JTI_MAX + 1));
    for (from, to) in [
        (r#""jti""#, r#""jtj""#),
        (jti.as_str(), r#""""#),
        (jti.as_str(), long.as_str()),
        (r#""iat""#, r#""iau""#),
        (r#""ath""#, r#""ati""#),
        (r#""htm""#, r#""htn""#),
        (r#""htu""#, r#""htv""#),
    ] {
        assert!(claims.contains(from), "{from}");
        let proof = signed(&key, &mut rng, &header, &claims.replacen(from, to, 1));
        assert!(matches!(check(&proof, &REQUEST, NOW_S), Err(DpopError::Malformed(_))), "{to}");
    }
}

#[test]
fn a_proof_by_another_key_than_it_names_is_refused() {
    let (mut rng, key) = fixture();
    let [header, claims] = parts(&build(&mut rng, &key, &REQUEST, NOW_S).unwrap());
    let other = SoftwareKey::generate(&mut rng);
    let proof = signed(&other, &mut rng, &header, &claims);
    assert_eq!(check(&proof, &REQUEST, NOW_S), Err(DpopError::Signature));
}

#[test]
fn a_long_text_is_refused_unread() {
    let long = "a.".repeat(PROOF_MAX);
    let refused = Err(DpopError::Malformed("longer than 4096 bytes"));
    assert_eq!(check(&long, &REQUEST, NOW_S), refused);
}

proptest! {
    #[test]
    fn no_text_panics(text in "[A-Za-z0-9_.-]{0,200}") {
        prop_assert!(check(&text, &REQUEST, NOW_S).is_err());
    }
}
