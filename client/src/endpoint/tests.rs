#![allow(clippy::unwrap_used)]

use super::*;

fn leaders() -> Leaders {
    Leaders::new(
        (1..=3).map(|n| Endpoint::parse(&format!("https://10.0.0.{n}:7000")).unwrap()).collect(),
    )
}

#[test]
fn endpoints_are_read_or_refused_with_the_reason() {
    for (url, shown) in [
        ("https://127.0.0.1:7000", "https://127.0.0.1:7000"),
        (" https://node.example:443/ ", "https://node.example:443"),
        ("https://[::1]:7000", "https://[::1]:7000"),
    ] {
        assert_eq!(Endpoint::parse(url).unwrap().to_string(), shown);
    }
    for url in [
        "",
        "http://a:1",
        "https://a",
        "https://a:0",
        "https://a:99999",
        "https://a b:1",
        "https://a:1/path",
        "https://:1",
    ] {
        assert!(Endpoint::parse(url).is_err(), "{url}");
    }
}

#[test]
fn a_leader_is_remembered_for_its_slot_until_it_fails() {
    let (leaders, wallet) = (leaders(), WalletId::from_bytes([7; 32]));
    assert_eq!(leaders.first(Some(&wallet)), 0);
    leaders.answered(0, Some(&wallet), "https://10.0.0.3:7000");
    assert_eq!(leaders.first(Some(&wallet)), 2);
    assert_eq!(leaders.first(None), 0, "the hint is about one slot");
    assert_eq!(leaders.failed(2, Some(&wallet)), 0, "the next in the list");
    assert_eq!(leaders.first(Some(&wallet)), 0);
}

#[test]
fn hints_lead_nowhere_but_to_configured_endpoints() {
    let (leaders, wallet) = (leaders(), WalletId::from_bytes([7; 32]));
    for hint in ["https://169.254.169.254:80", "http://10.0.0.2:7000", "", "https://10.0.0.2:7001"]
    {
        leaders.answered(1, Some(&wallet), hint);
        assert_eq!(leaders.first(Some(&wallet)), 1, "{hint}");
    }
}
