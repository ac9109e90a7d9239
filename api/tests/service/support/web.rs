//! A caller that speaks HTTP/JSON.

use axum::body::{Body, BodyDataStream, to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt;
use http::{HeaderMap, Request, Response, StatusCode};
use proto::v1;
use serde_json::{Value, json};
use tower::ServiceExt;
use types::{Commit, WalletId};

use super::authority::operator;
use super::caller::Held;
use super::cluster::Cluster;

/// The host that requests name.
pub const HOST: &str = "wallets.example:7600";

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The stable code of a refusal.
    pub fn code(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        self.body["code"].as_str().unwrap()
    }

    /// A header, which must be there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }
}

/// A request that names a host.
pub fn request(verb: &str, path: &str) -> http::request::Builder {
    Request::builder().method(verb).uri(path).header("host", HOST)
}

/// A request with a body.
pub fn with_body(verb: &str, path: &str, body: &Value) -> Request<Body> {
    let request = request(verb, path).header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

/// A request without one.
pub fn plain(verb: &str, path: &str) -> Request<Body> {
    request(verb, path).body(Body::empty()).unwrap()
}

/// A request within a session, with a proof for exactly it.
pub fn in_session(cluster: &Cluster, held: &Held, path: &str, seed: u64) -> Request<Body> {
    let address = format!("https://{HOST}{}", path.split('?').next().unwrap());
    let proof = held.proof("GET", &address, cluster.now_s(), seed);
    let token = format!("DPoP {}", held.session.token);
    request("GET", path)
        .header("authorization", token)
        .header("dpop", proof)
        .body(Body::empty())
        .unwrap()
}

/// The same, as an operator.
pub fn by_operator(mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(operator("ada"));
    request
}

/// Sends a request, and does not wait for the end of its answer.
pub async fn begin(cluster: &Cluster, request: Request<Body>) -> Response<Body> {
    cluster.one().routes.clone().oneshot(request).await.unwrap()
}

/// Sends a request.
pub async fn send(cluster: &Cluster, request: Request<Body>) -> Answer {
    let (parts, body) = begin(cluster, request).await.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    Answer { status: parts.status, headers: parts.headers, body }
}

/// Bytes as they stand in JSON.
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where a wallet is.
pub fn place(wallet: &WalletId) -> String {
    format!("/v1/wallets/{}", b64(wallet.as_bytes()))
}

/// The body that carries a commit.
pub fn body_of(commit: &Commit) -> Value {
    let commit: v1::Commit = commit.into();
    let list = |items: &[bytes::Bytes]| items.iter().map(b64).collect::<Vec<_>>();
    let links = commit.links.iter();
    let links =
        links.map(|link| json!({"link": b64(&link.link), "signatures": list(&link.signatures)}));
    let head = commit.head.unwrap();
    json!({"commit": {
        "head": {"head": b64(&head.head), "signature": b64(&head.signature)},
        "between": list(&commit.between),
        "links": links.collect::<Vec<_>>(),
        "envelopes": list(&commit.envelopes),
        "removed": list(&commit.removed),
    }})
}

/// Server-sent events as they come.
pub struct Events {
    stream: BodyDataStream,
    read: String,
}

impl Events {
    pub fn of(response: Response<Body>) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { stream: response.into_body().into_data_stream(), read: String::new() }
    }

    /// Name, id and data of the next event; none after the last one.
    pub async fn next(&mut self) -> Option<(String, Option<String>, Value)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = event.lines();
                    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                };
                let data = serde_json::from_str(field("data").unwrap()).unwrap();
                let found =
                    (field("event").unwrap().to_owned(), field("id").map(str::to_owned), data);
                self.read = rest.to_owned();
                return Some(found);
            }
            let bytes = self.stream.next().await?.unwrap();
            self.read.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// Reads on to the end of a change: its id.
    pub async fn change(&mut self) -> String {
        loop {
            let (name, id, _) = self.next().await.expect("the events go on");
            if name == "end" {
                return id.expect("the end of a change has an id");
            }
        }
    }
}
