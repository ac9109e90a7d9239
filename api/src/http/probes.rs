//! Plain HTTP for machines that look after machines: `/livez`, `/readyz`, `/metrics`.
//!
//! Nothing here names a wallet, a member or a key.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT, CONTENT_TYPE, VARY};
use http::{HeaderMap, StatusCode};
use raft::ConnectionIdentity;
use raft::registry::Registry;

use crate::Shared;
use crate::auth::Operator;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// For whoever does not ask for the newer one by name, as a person with curl.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Probed {
    inner: Shared,
    registry: Arc<Registry>,
}

/// For the public port: metrics are for operators.
pub(crate) fn public(inner: Shared, registry: Arc<Registry>) -> Router {
    let probed = Probed { inner, registry };
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_for_operators))
        .with_state(probed)
}

/// For a listener that only those reach who may see metrics.
pub(crate) fn plain(inner: Shared, registry: Arc<Registry>) -> Router {
    let probed = Probed { inner, registry };
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(probed)
}

async fn livez(State(probed): State<Probed>) -> (StatusCode, &'static str) {
    match probed.inner.vault.node().failed() {
        None => (StatusCode::OK, "ok\n"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "failed\n"),
    }
}

async fn readyz(State(probed): State<Probed>) -> (StatusCode, String) {
    match probed.inner.ready() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics_for_operators(state: State<Probed>, request: Request) -> Response {
    let identity = request.extensions().get::<ConnectionIdentity>();
    match Operator::of(identity, &state.inner.trust_domain) {
        Ok(_) => metrics(state, request.headers().clone()).await,
        Err(refused) => (StatusCode::FORBIDDEN, format!("{refused}\n")).into_response(),
    }
}

async fn metrics(State(probed): State<Probed>, headers: HeaderMap) -> Response {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let newer = accepted.into_iter().any(|value| value.contains("application/openmetrics-text"));
    let (text, content_type) = match newer {
        true => (probed.registry.open_metrics(), OPENMETRICS),
        false => (probed.registry.prometheus(), PROMETHEUS),
    };
    match text {
        Ok(text) => ([(CONTENT_TYPE, content_type), (VARY, "accept")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "encode metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
