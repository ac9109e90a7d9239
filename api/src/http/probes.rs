//! Plain HTTP for machines that look after machines: `/livez`, `/readyz`, `/metrics`.
//!
//! Nothing here names a wallet, a member or a key.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use raft::ConnectionIdentity;

use crate::Shared;
use crate::auth::Operator;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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
        Ok(_) => metrics(state).await,
        Err(refused) => (StatusCode::FORBIDDEN, format!("{refused}\n")).into_response(),
    }
}

async fn metrics(State(probed): State<Probed>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &probed.registry) {
        Ok(()) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "encode metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
