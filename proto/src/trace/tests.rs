//! What goes out is what comes in; what is none is passed over.

use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use tonic::metadata::MetadataMap;

use super::{extract, inject};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn headers(values: &[&'static str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("traceparent", HeaderValue::from_static(value));
    }
    headers
}

fn found(headers: &HeaderMap) -> SpanContext {
    extract(headers).span().span_context().clone()
}

#[test]
fn a_context_goes_out_as_it_came_in() {
    let mut incoming = headers(&[PARENT]);
    incoming.insert("tracestate", HeaderValue::from_static("vendor=text-of-a-stranger"));
    let context = extract(&incoming);
    let mut outgoing = MetadataMap::new();
    let guard = context.attach();
    inject(&mut outgoing);
    drop(guard);
    assert_eq!(outgoing.into_headers(), headers(&[PARENT]));
}

#[test]
fn without_a_context_nothing_goes_out() {
    let mut outgoing = MetadataMap::new();
    inject(&mut outgoing);
    assert!(outgoing.is_empty());
}

#[test]
fn what_is_no_context_is_passed_over() {
    for values in [
        &[][..],
        &[""],
        &["00-00000000000000000000000000000000-b7ad6b7169203331-01"],
        &["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"],
        &["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
        &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"],
        &["00-zaf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
        &[PARENT, PARENT],
    ] {
        assert!(!found(&headers(values)).is_valid(), "{values:?}");
    }
    assert!(found(&headers(&[PARENT])).is_valid());
}
