//! Spans of requests: where they come in, and where they are passed on.
//!
//! A request goes on with the trace that its caller names, or begins one. Spans tell the method, how it was
//! asked and how it was answered; never who asked, nor for which wallet. While nobody takes spans, none is
//! made.

use ::http::HeaderMap;
use proto::trace::{TARGET, extract};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::methods::Method;

/// How a request came.
#[derive(Clone, Copy)]
pub(crate) enum Surface {
    /// gRPC on the public port.
    Grpc,
    /// HTTP/JSON on the public port.
    Http,
    /// From another node, which passed it on.
    Peer,
}

/// A request that has come in.
pub(crate) fn incoming(surface: Surface, method: &Method, headers: &HeaderMap) -> Span {
    let surface = match surface {
        Surface::Grpc => "grpc",
        Surface::Http => "http",
        Surface::Peer => "peer",
    };
    let span = tracing::info_span!(
        target: TARGET, parent: None, "request", otel.name = method.name(), otel.kind = "server",
        rpc.system = surface, rpc.method = method.path, code = tracing::field::Empty
    );
    if !span.is_disabled() {
        // Refused only when nobody takes spans.
        let _ = span.set_parent(extract(headers));
    }
    span
}

/// A request on its way to another node.
pub(crate) fn outgoing(method: &Method) -> Span {
    tracing::info_span!(
        target: TARGET, "forward", otel.name = method.name(), otel.kind = "client",
        rpc.system = "peer", rpc.method = method.path
    )
}
