//! The trace that a call belongs to: W3C Trace Context in its headers.
//!
//! Promises: what leaves is `traceparent` of the context that is current, if there is one; what comes in
//! is believed as far as an id and whether it is recorded. `tracestate` is neither sent nor read: it is text
//! of a stranger, and nothing here needs it.
//!
//! Not here: when spans begin and end, and where they go.

use http::HeaderMap;
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{SpanContext, TraceContextExt, TraceState},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::metadata::{MetadataMap, MetadataValue};

#[cfg(test)]
mod tests;

const PARENT: &str = "traceparent";

/// The target of all spans, by which subscribers tell them from log lines.
pub const TARGET: &str = "holdfast_trace";

/// Puts the current context into the headers of a call that goes out; nothing if there is none.
pub fn inject(metadata: &mut MetadataMap) {
    TraceContextPropagator::new().inject(&mut Outgoing(metadata));
}

/// The context that a call came with; an empty one if it came with none or with one that cannot be read.
pub fn extract(headers: &HeaderMap) -> Context {
    // Nothing of this thread's own context shines through.
    let found =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Incoming(headers));
    let span = found.span();
    let span = span.span_context();
    let bare = SpanContext::new(
        span.trace_id(),
        span.span_id(),
        span.trace_flags(),
        true,
        TraceState::NONE,
    );
    if bare.is_valid() { Context::new().with_remote_span_context(bare) } else { Context::new() }
}

struct Outgoing<'a>(&'a mut MetadataMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        if key == PARENT
            && let Ok(value) = MetadataValue::try_from(value)
        {
            self.0.insert(PARENT, value);
        }
    }
}

struct Incoming<'a>(&'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        // Two of them contradict each other: the standard has such a request start a new trace.
        let mut values = self.0.get_all(key).iter();
        match (values.next(), values.next()) {
            (Some(value), None) if key == PARENT => value.to_str().ok(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![PARENT]
    }
}
