#![allow(clippy::unwrap_used)]
use ::http::{HeaderName, HeaderValue};

use super::*;

fn headers(name: &'static str, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
}

#[test]
fn a_timeout_is_read_in_all_its_units_and_bounded() {
    for (value, expected) in [
        ("0S", Duration::ZERO),
        ("5S", Duration::from_secs(5)),
        ("2M", Duration::from_secs(120)),
        ("1H", Duration::from_secs(3600)),
        ("250m", Duration::from_millis(250)),
        ("99999999u", Duration::from_micros(99_999_999)),
        ("1n", Duration::from_nanos(1)),
        ("99999999H", ASKED_MAX),
    ] {
        assert_eq!(asked_for(&headers("grpc-timeout", value)).unwrap(), Some(expected), "{value}");
    }
    assert_eq!(asked_for(&HeaderMap::new()).unwrap(), None);
}

#[test]
fn only_grpc_counts_as_grpc() {
    for (value, expected) in [
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("application/grpc-web", false),
        ("application/json", false),
        ("", false),
    ] {
        assert_eq!(is_grpc(&headers("content-type", value)), expected, "{value:?}");
    }
    assert!(!is_grpc(&HeaderMap::new()));
}

#[test]
fn a_late_answer_leaves_the_outcome_open_only_if_something_may_have_been_done() {
    let late = |path| Door::late(Method::of(path).expect("a method")).code();
    assert_eq!(late("/holdfast.v1.Wallets/Push"), crate::Code::Unknown);
    assert_eq!(late("/holdfast.v1.Wallets/Pull"), crate::Code::Deadline);
    assert_eq!(late("/holdfast.admin.v1.Admin/Join"), crate::Code::Unknown);
    assert_eq!(late("/holdfast.admin.v1.Admin/Status"), crate::Code::Deadline);
}

#[test]
fn a_streams_deadline_is_its_callers_within_the_most_there_is() {
    let began = Instant::now();
    let deadline = |asked| Deadline { began, answer: began, asked };
    let second = Duration::from_secs(1);
    assert_eq!(deadline(None).for_stream(5 * second), Some(began + 5 * second));
    assert_eq!(deadline(Some(second)).for_stream(5 * second), Some(began + second));
    assert_eq!(deadline(Some(9 * second)).for_stream(5 * second), Some(began + 5 * second));
    assert_eq!(deadline(None).for_watch(), None, "a watch ends with its session");
    assert_eq!(deadline(Some(9 * second)).for_watch(), Some(began + 9 * second));
}
