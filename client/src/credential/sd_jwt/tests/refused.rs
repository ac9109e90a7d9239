//! What RFC 9901 and SD-JWT VC forbid, signed by an issuer who does it all the same.

use super::*;

#[test]
fn algorithms_other_than_es256_are_refused_by_name() {
    for found in ["none", "NONE", "HS256", "ES384", "EdDSA", "RS256"] {
        let token = sd_jwt(&json!({"alg": found, "typ": "dc+sd-jwt"}), &payload(&json!({})), &[]);
        let refusal = refusal(&token);
        let problem = Problem::Unsupported { what: "alg", found: format!("\"{found}\"") };
        assert_eq!((refusal.part, refusal.at, refusal.problem), (Part::JwtHeader, 0, problem));
    }
    let refused = refusal(&sd_jwt(&json!({"typ": "dc+sd-jwt"}), &payload(&json!({})), &[]));
    assert_eq!(refused.problem, Problem::Missing("alg"));
    // An unsecured JWT ends with its second dot.
    let token = sd_jwt(&json!({"alg": "none", "typ": "dc+sd-jwt"}), &payload(&json!({})), &[]);
    let unsigned = format!("{}.~", &token[..token.rfind('.').unwrap()]);
    assert!(matches!(refusal(&unsigned).problem, Problem::Unsupported { what: "alg", .. }));
}

#[test]
fn a_foreign_type_and_critical_headers_are_refused() {
    let of = |header: Value| refusal(&sd_jwt(&header, &payload(&json!({})), &[])).problem;
    assert!(matches!(
        of(json!({"alg": "ES256", "typ": "JWT"})),
        Problem::Unsupported { what: "typ", .. }
    ));
    assert_eq!(of(json!({"alg": "ES256"})), Problem::Missing("typ"));
    assert!(matches!(
        of(json!({"alg": "ES256", "typ": "dc+sd-jwt", "crit": ["b64"], "b64": false})),
        Problem::Unsupported { what: "crit", .. }
    ));
}

#[test]
fn an_unknown_hash_is_refused_and_the_larger_ones_are_known() {
    let of = |name: &str| {
        let token = sd_jwt(&header(), &payload(&json!({"_sd_alg": name})), &[]);
        SdJwtVc::read(token.as_bytes(), Some(&issuer_key())).map(|_| ())
    };
    let unknown = of("md5").unwrap_err();
    assert_eq!(unknown.part, Part::JwtPayload);
    assert!(matches!(unknown.problem, Problem::Unsupported { what: "_sd_alg", .. }));
    assert!(of("sha-256").and(of("sha-384")).and(of("sha-512")).is_ok());
}

#[test]
fn a_disclosure_that_nothing_names_is_refused() {
    let name = disclosure(&json!(["family_name", "Doe"]));
    let token = sd_jwt(&header(), &payload(&json!({})), std::slice::from_ref(&name));
    let refusal = refusal(&token);
    assert_eq!((refusal.part, refusal.problem), (Part::Disclosure(1), Problem::NotSigned));
    assert_eq!(refusal.at, token.find('~').unwrap() + 1);
}

#[test]
fn a_disclosure_or_a_digest_that_occurs_twice_is_refused() {
    let name = disclosure(&json!(["family_name", "Doe"]));
    let signed = payload(&json!({"_sd": [digest(&name)]}));
    let twice = refusal(&sd_jwt(&header(), &signed, &[name.clone(), name.clone()]));
    assert_eq!(
        (twice.part, twice.problem),
        (Part::Disclosure(2), Problem::Repeated("this disclosure"))
    );
    // A digest may not occur twice even if nothing discloses it.
    for disclosures in [vec![], vec![name.clone()]] {
        let signed = payload(&json!({"_sd": [digest(&name)], "address": {"_sd": [digest(&name)]}}));
        let refusal = refusal(&sd_jwt(&header(), &signed, &disclosures));
        assert_eq!(
            (refusal.part, refusal.problem),
            (Part::JwtPayload, Problem::Repeated("a digest"))
        );
    }
}

#[test]
fn claims_that_only_the_signed_part_may_hold_are_refused_in_disclosures() {
    for name in SIGNED_ONLY {
        let hidden = disclosure(&json!([name, "x"]));
        let mut signed = payload(&json!({"_sd": [digest(&hidden)]}));
        signed.as_object_mut().unwrap().remove(name);
        let refusal = refusal(&sd_jwt(&header(), &signed, &[hidden]));
        assert_eq!(
            (refusal.part, refusal.problem),
            (Part::Disclosure(1), Problem::NotDisclosable(name))
        );
    }
}

#[test]
fn disclosures_of_the_wrong_shape_are_refused() {
    let of = |content: Value, place: fn(String) -> Value| {
        let text = to_text(&content);
        refusal(&sd_jwt(&header(), &payload(&place(digest(&text))), &[text])).problem
    };
    let member: fn(String) -> Value = |digest| json!({"_sd": [digest]});
    let element: fn(String) -> Value = |digest| json!({"list": [{"...": digest}]});
    let shape = Problem::Wrong {
        what: "the decoded text",
        expected: "[salt, name, value] or [salt, value]",
    };
    assert_eq!(of(json!(["salt", "name", 1, 2]), member), shape);
    assert_eq!(of(json!(["salt"]), member), shape);
    assert_eq!(of(json!([]), member), shape);
    assert_eq!(of(json!([1, "name", 2]), member), shape);
    assert_eq!(of(json!(["salt", 1, 2]), member), shape);
    assert_eq!(of(json!({"salt": "name"}), member), shape);
    assert_eq!(of(json!(["salt", "_sd", []]), member), Problem::ReservedName);
    assert_eq!(of(json!(["salt", "...", "x"]), member), Problem::ReservedName);
    assert_eq!(of(json!(["salt", "x"]), member), Problem::WrongDisclosure("an array's element"));
    assert_eq!(
        of(json!(["salt", "name", "x"]), element),
        Problem::WrongDisclosure("an object's member")
    );
    assert_eq!(of(json!(["salt", "vct", "x"]), member), Problem::NameTaken);
}

fn to_text(content: &Value) -> String {
    crate::credential::encoding::to_base64url(content.to_string())
}

#[test]
fn two_disclosures_of_one_name_are_refused() {
    let (one, two) = (disclosure(&json!(["name", 1])), disclosure(&json!(["name", 2])));
    let signed = payload(&json!({"_sd": [digest(&one), digest(&two)]}));
    let refusal = refusal(&sd_jwt(&header(), &signed, &[one, two]));
    assert_eq!((refusal.part, refusal.problem), (Part::Disclosure(2), Problem::NameTaken));
}

#[test]
fn digests_in_the_wrong_form_are_refused() {
    for wrong in [
        json!({"_sd": "x"}),
        json!({"_sd": [1]}),
        json!({"address": {"_sd": {}}}),
        json!({"...": "x"}),
        json!({"address": {"...": "x"}}),
        json!({"list": [{"...": "x", "more": 1}]}),
        json!({"list": [{"...": 1}]}),
    ] {
        let refusal = refusal(&sd_jwt(&header(), &payload(&wrong), &[]));
        assert_eq!(refusal.part, Part::JwtPayload);
        assert!(matches!(refusal.problem, Problem::Wrong { .. }), "{refusal}");
    }
}

#[test]
fn a_name_that_occurs_twice_is_refused_wherever_it_stands() {
    let valid = payload(&json!({})).to_string();
    let twice = r#"{"iss":"https://a.example","vct":"urn:example:1","vct":"urn:example:2"}"#;
    let deep = r#"{"vct":"urn:example:1","address":{"country":"DE","country":"FR"}}"#;
    for (header, payload, part) in [
        (r#"{"alg":"ES256","typ":"dc+sd-jwt","typ":"JWT"}"#, valid.as_str(), Part::JwtHeader),
        (r#"{"alg":"ES256","typ":"dc+sd-jwt"}"#, twice, Part::JwtPayload),
        (r#"{"alg":"ES256","typ":"dc+sd-jwt"}"#, deep, Part::JwtPayload),
    ] {
        let refusal = refusal(&sd_jwt_of_text(header, payload, &[]));
        assert_eq!(refusal.part, part);
        let Problem::NotJson { reason, .. } = refusal.problem else { panic!("{refusal}") };
        assert_eq!(reason, "a name occurs twice in one object");
    }
}

#[test]
fn nesting_is_limited_in_json_and_across_disclosures() {
    let brackets = format!(r#"{{"vct":"x","deep":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let text = r#"{"alg":"ES256","typ":"dc+sd-jwt"}"#;
    assert!(matches!(
        refusal(&sd_jwt_of_text(text, &brackets, &[])).problem,
        Problem::NotJson { .. }
    ));
    let mut disclosures = vec![disclosure(&json!(["n", 0]))];
    for _ in 0..1000 {
        let inner = digest(disclosures.last().unwrap());
        disclosures.push(disclosure(&json!(["n", {"_sd": [inner]}])));
    }
    let outer = digest(disclosures.last().unwrap());
    let refusal = refusal(&sd_jwt(&header(), &payload(&json!({"_sd": [outer]})), &disclosures));
    assert_eq!(refusal.problem, Problem::TooDeep(64));
    assert!(matches!(refusal.part, Part::Disclosure(_)));
}

#[test]
fn segments_are_counted() {
    let token = sd_jwt(&header(), &payload(&json!({})), &[]);
    let jwt = token.trim_end_matches('~');
    let two = &jwt[..jwt.rfind('.').unwrap()];
    assert_eq!(refusal("").problem, Problem::Empty);
    assert_eq!(refusal("~").problem, Problem::Empty);
    assert_eq!(refusal(jwt).problem, Problem::Cut);
    let missing = refusal(&format!("{two}~"));
    assert_eq!((missing.part, missing.at), (Part::JwtSignature, two.len()));
    let four = refusal(&format!("{jwt}.x~"));
    assert_eq!((four.part, four.problem), (Part::JwtSignature, Problem::Excess));
    let hole = refusal(&format!("{token}~"));
    assert_eq!((hole.part, hole.problem), (Part::Disclosure(1), Problem::Empty));
    assert_eq!(refusal(&format!("{token}WyJ")).problem, Problem::Cut);
}

#[test]
fn the_type_of_the_credential_must_be_there() {
    let refusal = refusal(&sd_jwt(&header(), &json!({"iss": "https://issuer.example"}), &[]));
    assert_eq!((refusal.part, refusal.problem), (Part::JwtPayload, Problem::Missing("vct")));
}

#[test]
fn an_x5c_header_that_is_no_list_of_certificates_is_refused() {
    for (chain, part) in [
        (json!("x"), Part::JwtHeader),
        (json!([]), Part::JwtHeader),
        (json!([1]), Part::JwtHeader),
        (json!(["%"]), Part::Certificate),
        (json!(["AAAA"]), Part::Certificate),
    ] {
        let header = json!({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": chain});
        assert_eq!(refusal(&sd_jwt(&header, &payload(&json!({})), &[])).part, part);
    }
}

#[test]
fn a_message_says_what_and_where_and_shows_no_claim() {
    let name = disclosure(&json!(["family_name", "Hunter"]));
    let token = sd_jwt(&header(), &payload(&json!({"_sd": [digest(&name)]})), &[name]);
    let damaged = token.replacen("~W", "~X", 1);
    assert_eq!(
        refusal(&damaged).to_string(),
        format!(
            "disclosure 1, at byte {}: matches no digest that the issuer signed: altered, or of another credential",
            token.find('~').unwrap() + 1
        )
    );
    let at = token.len() - 5;
    let damaged = format!("{}!{}", &token[..at], &token[at + 1..]);
    assert_eq!(
        refusal(&damaged).to_string(),
        format!("disclosure 1, at byte {at}: '!' is not a base64url character")
    );
}
