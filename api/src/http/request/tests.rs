#![allow(clippy::unwrap_used)]
//! What requests ask for, and what of it is refused.

use http::HeaderValue;
use proto::v1::PullRequest;

use super::*;
use crate::http::routes::ROUTES;
use crate::http::schema;

const WALLET: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn ask(
    path: &str,
    query: Option<&str>,
    given: &[(&'static str, &str)],
    body: &str,
) -> Result<DynamicMessage, VaultError> {
    let route = ROUTES.iter().find(|route| route.path == path).unwrap();
    let (service, name) = route.method.trim_start_matches('/').split_once('/').unwrap();
    let service = schema().unwrap().get_service_by_name(service).unwrap();
    let input = service.methods().find(|method| method.name() == name).unwrap().input();
    let values = [("wallet", WALLET), ("name", "n4"), ("group", "2")];
    let path: Vec<_> = route
        .parameters()
        .map(|name| (name, values.iter().find(|value| value.0 == name).unwrap().1))
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    read(route, &input, &path, query, &headers(given), body.as_bytes())
}

fn refused(outcome: Result<DynamicMessage, VaultError>) -> String {
    outcome.unwrap_err().to_string()
}

#[test]
fn path_and_query_become_a_message() {
    let head = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
    let query = format!("seq=7&head={head}&at_least=true");
    let message = ask("/v1/wallets/{wallet}", Some(&query), &[], "").unwrap();
    let expected = PullRequest {
        wallet: vec![1; 32].into(),
        seq: 7,
        head: vec![2; 32].into(),
        links: 0,
        at_least: true,
    };
    assert_eq!(message.transcode_to::<PullRequest>().unwrap(), expected);
}

#[test]
fn nothing_is_said_twice() {
    let pull = |query| refused(ask("/v1/wallets/{wallet}", Some(query), &[], ""));
    assert!(pull("seq=1&seq=2").ends_with("seq stands there twice"));
    assert!(pull("seq=1&s%65q=2").ends_with("seq stands there twice"));
    let named = format!("wallet={WALLET}");
    assert!(pull(&named).contains("no field \"wallet\""));
    assert!(pull("SEQ=1").contains("no field \"SEQ\""));
    let drain = "/v1/admin/nodes/{name}/drain";
    let key = [("idempotency-key", "k")];
    assert!(refused(ask(drain, None, &key, r#"{"name": "n1"}"#)).contains("no field \"name\""));
    let id = r#"{"request_id": ""}"#;
    assert!(refused(ask(drain, None, &key, id)).contains("no field \"request_id\""));
    assert!(refused(ask(drain, Some("x=1"), &key, "{}")).contains("no query"));
    assert!(refused(ask("/v1/wallets/{wallet}", None, &[], "{}")).contains("no body"));
}

#[test]
fn numbers_in_a_query_are_digits() {
    for number in ["", "-1", "+1", "1.0", "1e3", "0x1", " 1", "18446744073709551616"] {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("seq", number).finish();
        let said = refused(ask("/v1/wallets/{wallet}", Some(&query), &[], ""));
        assert!(said.ends_with("seq: must be a whole number from 0 on"), "{number:?}: {said}");
    }
}

#[test]
fn a_key_names_an_act_and_another_key_another() {
    let drain = |keys: &[(&'static str, &str)]| {
        let message = ask("/v1/admin/nodes/{name}/drain", None, keys, "{}")?;
        let request = message.transcode_to::<proto::admin::NodeRequest>().unwrap();
        assert_eq!(request.name, "n4");
        Ok::<_, VaultError>(request.request_id)
    };
    let first = drain(&[("idempotency-key", "one")]).unwrap();
    assert_eq!(first.len(), 32);
    assert_eq!(drain(&[("idempotency-key", "one")]).unwrap(), first);
    assert_ne!(drain(&[("idempotency-key", "two")]).unwrap(), first);
    let long = "x".repeat(256);
    for keys in [
        &[][..],
        &[("idempotency-key", "")],
        &[("idempotency-key", "a"), ("idempotency-key", "a")],
        &[("idempotency-key", long.as_str())],
    ] {
        assert!(drain(keys).unwrap_err().to_string().contains("send one idempotency-key"));
    }
}

#[test]
fn a_cursor_comes_back_as_it_was_and_in_one_form_only() {
    let cursor = Cursor { seq: 12, head: HeadHash::from_bytes([7; 32]), links: 3 };
    let text = cursor.to_string();
    assert_eq!(Cursor::parse(&text), Some(cursor));
    for other in [format!("0{text}"), format!("{text}.1"), format!("{text}="), String::new()] {
        assert_eq!(Cursor::parse(&other), None, "{other}");
    }
    let watch = "/v1/wallets/{wallet}/watch";
    let message = ask(watch, Some("seq=1"), &[("last-event-id", &text)], "").unwrap();
    assert_eq!(message.transcode_to::<PullRequest>().unwrap().seq, 12, "it is the newer one");
    assert!(ask(watch, None, &[("last-event-id", "1")], "").is_err());
}

#[test]
fn entity_tags_are_strong_and_whole() {
    let tag = HeadTag(HeadHash::from_bytes([9; 32]));
    assert_eq!(HeadTag::parse(&tag.to_string()), Some(tag));
    for other in [format!("W/{tag}"), tag.to_string().replace('"', ""), "\"\"".to_owned()] {
        assert_eq!(HeadTag::parse(&other), None, "{other}");
    }
    let other = HeadTag(HeadHash::from_bytes([8; 32]));
    let asked = headers(&[("if-none-match", &format!("{other}, {tag}"))]);
    assert!(tag.is_held(&asked));
    assert!(!tag.is_held(&headers(&[("if-none-match", "*")])));
}

#[test]
fn only_json_is_a_body() {
    for (kind, taken) in [
        ("application/json", true),
        ("Application/JSON; charset=UTF-8", true),
        ("text/plain", false),
        ("application/x-www-form-urlencoded", false),
        ("application/jsonx", false),
        ("application/json; charset=utf-16", false),
        ("", false),
    ] {
        assert_eq!(is_json(&headers(&[("content-type", kind)])), taken, "{kind}");
    }
    assert!(!is_json(&HeaderMap::new()));
    let twice = [("content-type", "application/json"), ("content-type", "text/plain")];
    assert!(!is_json(&headers(&twice)));
}

#[test]
fn patience_is_whole_seconds() {
    assert_eq!(patience(&HeaderMap::new()).unwrap(), None);
    let asked = headers(&[("prefer", "respond-async, wait=5")]);
    assert_eq!(patience(&asked).unwrap(), Some(Duration::from_secs(5)));
    for wait in ["wait=", "wait=-1", "wait=+1", "wait=1.5", "wait=99999999999"] {
        assert!(patience(&headers(&[("prefer", wait)])).is_err(), "{wait}");
    }
}
