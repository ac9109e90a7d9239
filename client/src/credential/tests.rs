#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::filing::{PORTABLE, REISSUE};
use super::forge::{MdocForge, header, issuer_key, sd_jwt};
use super::*;

const HOLDER_JWK: &str = r#"{"kty":"EC","crv":"P-256","d":"5K5SCos8zf9zRemGGUl6yfok-_NiiryNZsvANWMhF-I","x":"TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc","y":"ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ"}"#;

/// A credential that is bound to the key of [`HOLDER_JWK`], or to none.
fn credential(bound: bool) -> Vec<u8> {
    let mut jwk: Value = serde_json::from_str(HOLDER_JWK).unwrap();
    jwk.as_object_mut().unwrap().remove("d");
    let mut payload = json!({
        "iss": "https://issuer.example", "vct": "urn:example:1", "exp": 1883000000,
        "family_name": "Doe",
    });
    if bound {
        payload["cnf"] = json!({"jwk": jwk});
    }
    sd_jwt(&header(), &payload, &[]).into_bytes()
}

fn file(bytes: &[u8], holds: bool) -> Filing {
    Filing::new("it", bytes, &Credential::read(bytes).unwrap(), |_| holds)
}

#[test]
fn files_of_other_kinds_are_opaque() {
    let letter = "Dear Sir,\nplease find attached ~ as agreed. Yours".repeat(10);
    // An archive with an mdoc in it is not an mdoc.
    let archive = [&[0; 512][..], &MdocForge::default().issue()].concat();
    for file in [
        b"".as_slice(),
        b" \n",
        b"\x89PNG\r\n\x1a\n",
        letter.as_bytes(),
        b"foo.bar~",
        br#"{"hello": "world"}"#,
        // A JWT of another type.
        b"eyJhbGciOiJFUzI1NiJ9.eyJ2Y3QiOiJ4In0.AAAA",
        // CBOR: {"name": 1}
        b"\xa1\x64name\x01",
        &archive,
    ] {
        assert_eq!(Format::detect(file), Format::Opaque, "{}", file.escape_ascii());
        assert!(matches!(Credential::read(file).unwrap(), Credential::Opaque));
    }
}

#[test]
fn a_file_larger_than_a_record_is_refused_whatever_it_is() {
    let mut file = vec![b'x'; RECORD_DATA_MAX];
    assert!(Credential::read(&file).is_ok());
    file.push(b'x');
    let refusal = Credential::read_as(Format::Opaque, &file).unwrap_err();
    assert_eq!(refusal.problem, Problem::TooLarge(RECORD_DATA_MAX));
}

#[test]
fn a_credential_bound_to_no_key_is_portable() {
    let bytes = credential(false);
    let filing = file(&bytes, false);
    assert_eq!(filing.record.policy, PORTABLE);
    assert_eq!((filing.record.body.as_slice(), filing.kept_here), (bytes.as_slice(), None));
}

#[test]
fn a_credential_bound_to_a_key_in_the_wallet_is_portable() {
    let bytes = credential(true);
    let key = HolderKey::read(HOLDER_JWK.as_bytes()).unwrap();
    let read = Credential::read(&bytes).unwrap();
    let filing = Filing::new("pid", &bytes, &read, |thumbprint| thumbprint == key.thumbprint());
    assert_eq!(filing.record.policy, PORTABLE);
    assert_eq!(filing.record.kind, "dc+sd-jwt");
    assert_eq!(filing.record.body.as_slice(), bytes);
    let fields: Vec<_> =
        filing.record.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        fields,
        [
            ("holder_key", "aISfTcr9M_Zd09AXGAAeFxnLbFY6lBa87UN515wm5d4"),
            ("issuer", "https://issuer.example"),
            ("signature", "not checked: no key"),
            ("type", "urn:example:1"),
            ("valid_until", "2029-09-01T23:33:20Z"),
        ]
    );
}

#[test]
fn of_a_device_bound_credential_only_the_pointer_travels() {
    let bytes = credential(true);
    let filing = file(&bytes, false);
    assert_eq!(filing.record.policy, REISSUE);
    let pointer: Value = serde_json::from_slice(&filing.record.body).unwrap();
    let expected = json!({
        "format": "dc+sd-jwt", "vct": "urn:example:1", "credential_issuer": "https://issuer.example",
    });
    assert_eq!(pointer, expected);
    assert_eq!(filing.kept_here.unwrap(), bytes);

    let bytes = MdocForge::default().issue();
    let filing = file(&bytes, false);
    assert_eq!((filing.record.kind.as_str(), filing.record.policy.as_str()), ("mso_mdoc", REISSUE));
    let pointer: Value = serde_json::from_slice(&filing.record.body).unwrap();
    let expected =
        json!({"format": "mso_mdoc", "doctype": "org.example.1", "credential_issuer": "Forge"});
    assert_eq!(pointer, expected);
    assert_eq!(file(&bytes, true).record.body.as_slice(), bytes);
}

#[test]
fn a_key_named_by_reference_only_counts_as_a_devices() {
    let payload = json!({"vct": "urn:example:1", "cnf": {"kid": "did:example:1#key"}});
    let token = sd_jwt(&header(), &payload, &[]);
    assert_eq!(file(token.as_bytes(), true).record.policy, REISSUE);
}

#[test]
fn keys_and_opaque_files_are_kept_whole() {
    let filing = file(HOLDER_JWK.as_bytes(), false);
    assert_eq!(
        (filing.record.kind.as_str(), filing.record.policy.as_str()),
        ("holder-key", PORTABLE)
    );
    assert_eq!(filing.record.body.as_slice(), HOLDER_JWK.as_bytes());
    assert_eq!(filing.record.fields["holder_key"], "aISfTcr9M_Zd09AXGAAeFxnLbFY6lBa87UN515wm5d4");
    let filing = file(b"anything", false);
    assert_eq!((filing.record.kind.as_str(), filing.record.policy.as_str()), ("opaque", ""));
    assert_eq!(filing.record.body.as_slice(), b"anything");
}

#[test]
fn a_configuration_id_travels_if_it_is_known() {
    let read = Credential::read(&credential(true)).unwrap();
    let portability = Portability::of(read.format(), read.details().unwrap(), |_| false);
    let Portability::ReissueNeeded(mut pointer) = portability else { panic!("portable") };
    pointer.configuration = Some("pid-sd-jwt".to_owned());
    assert!(pointer.to_json().contains(r#""credential_configuration_id":"pid-sd-jwt""#));
}

#[test]
fn what_a_terminal_would_obey_is_not_shown() {
    let payload = json!({"iss": "https://a.example/\u{1b}[2J", "vct": "urn:x\ny"});
    let token = sd_jwt(&header(), &payload, &[]);
    let fields = file(token.as_bytes(), false).record.fields;
    assert!(fields.values().all(|value| !value.chars().any(char::is_control)), "{fields:?}");
    let token = sd_jwt(&json!({"alg": "\u{1b}[2J", "typ": "dc+sd-jwt"}), &json!({}), &[]);
    let refusal = SdJwtVc::read(token.as_bytes(), Some(&issuer_key())).unwrap_err().to_string();
    assert!(!refusal.chars().any(char::is_control), "{refusal}");
}

#[test]
fn moments_are_shown_as_rfc_3339_or_not_at_all() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        (-62_135_596_800, "0001-01-01T00:00:00Z"),
    ] {
        let moment = Moment::from_unix_s(seconds).unwrap();
        assert_eq!(moment.to_string(), text);
        assert_eq!(Moment::parse(text), Some(moment));
    }
    assert_eq!(Moment::from_unix_s(253_402_300_800), None);
    assert_eq!(Moment::from_unix_s(-62_135_596_801), None);
    assert_eq!(Moment::parse("2020-10-01T15:30:02.9+02:00").unwrap().unix_s(), 1_601_559_002);
    assert_eq!(Moment::parse("2020-10-01"), None);
}
