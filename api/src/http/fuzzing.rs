//! What requests over HTTP/JSON are held to, for libFuzzer. Only in builds with `--cfg fuzzing`.
//!
//! No request makes a parser panic; a message that was read is written as JSON, and read again as the
//! same message.

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use prost_reflect::DescriptorPool;
use prost_reflect::prost::Message;

use super::routes::ROUTES;
use super::{bind, json, request, schema, strict};

/// A byte to choose the route, then a line each for the path, the query and any number of headers, an
/// empty line, and the body.
#[expect(clippy::expect_used, reason = "a finding is a panic")]
pub fn request(data: &[u8]) {
    static SCHEMA: OnceLock<DescriptorPool> = OnceLock::new();
    let Some((choice, rest)) = data.split_first() else { return };
    let pool = SCHEMA.get_or_init(|| schema().expect("the schema that is built in"));
    let bound = bind(pool, &ROUTES[usize::from(*choice) % ROUTES.len()]).expect("a route");
    let end = rest.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&rest[..end], &rest[end + 2..]),
        None => (rest, &[][..]),
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let path = lines.next().unwrap_or_default();
    let query = lines.next().filter(|query| !query.is_empty());
    let headers: HeaderMap = lines
        .filter_map(|line| line.split_once(':'))
        .filter_map(|(name, value)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        })
        .collect();
    let path: Vec<_> = bound
        .route
        .parameters()
        .zip(path.split('/'))
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    let _ = request::patience(&headers);
    let _ = request::is_json(&headers);
    let read = request::read(bound.route, &bound.input, &path, query, &headers, body);
    if let Ok(message) = read {
        let written = json::write(&message).to_string();
        let value = strict::parse(written.as_bytes()).expect("what was written is JSON");
        let again = json::read(&bound.input, &value, &[]).expect("what was written is read");
        // A field that is written may have been left out before: on the wire both are nothing.
        assert_eq!(again.encode_to_vec(), message.encode_to_vec(), "a message comes back");
    }
}
