//! Where a command stands in the trace of the request that it came with.
//!
//! Known only on the node that proposed it and only while the entry is in memory: neither the log on disk
//! nor what goes to peers carries it. Spans tell a group and a time, nothing of what the command is.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use proto::trace::TARGET;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use types::GroupId;

/// A place in a trace that is recorded; mostly there is none.
#[derive(Clone, Default)]
pub(crate) struct Trace(Option<Box<SpanContext>>);

impl Trace {
    /// Where the caller stands.
    pub(crate) fn current() -> Trace {
        Trace(Context::map_current(|context| {
            let span = context.span();
            let span = span.span_context();
            (span.is_valid() && span.is_sampled()).then(|| Box::new(span.clone()))
        }))
    }

    /// The same, if anybody follows the command.
    pub(crate) fn followed(&self) -> Option<Trace> {
        self.0.is_some().then(|| self.clone())
    }

    /// A proposal, from the caller's place until it is answered.
    pub(crate) fn proposal(group: GroupId) -> Span {
        tracing::info_span!(target: TARGET, "raft.propose", group = group.0)
    }

    /// The entry's way to this node's disk; none if nobody follows the command.
    pub(crate) fn append(&self, group: GroupId) -> Option<Span> {
        self.below(
            || tracing::info_span!(target: TARGET, parent: None, "raft.append", group = group.0),
        )
    }

    /// The entry's way into this node's state; none if nobody follows the command.
    pub(crate) fn apply(&self, group: GroupId) -> Option<Span> {
        self.below(
            || tracing::info_span!(target: TARGET, parent: None, "raft.apply", group = group.0),
        )
    }

    fn below(&self, make: impl FnOnce() -> Span) -> Option<Span> {
        let parent = self.0.as_ref()?;
        let span = make();
        // Refused only when nobody takes spans.
        let _ = span.set_parent(Context::new().with_remote_span_context((**parent).clone()));
        Some(span)
    }
}
