//! What the door counts. Every name begins with `holdfast_`; no label ever names a wallet or a caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use types::ChallengeUse;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MethodLabel {
    method: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// The numbers of one node. Copies count together.
#[derive(Clone)]
pub struct Metrics(Arc<Numbers>);

struct Numbers {
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<MethodLabel, Histogram>,
    pushes: Counter,
    sessions: Family<KindLabel, Counter>,
    watches: Gauge<i64, AtomicI64>,
    pulls: Gauge<i64, AtomicI64>,
    forwarded: Family<OutcomeLabel, Counter>,
    locked: Gauge<i64, AtomicI64>,
    backup_taken: Gauge<f64, AtomicU64>,
    backup_verified: Gauge<f64, AtomicU64>,
}

/// Counts a stream while it lives.
pub struct StreamCount(Gauge<i64, AtomicI64>);

/// 100 µs to about 13 s.
fn latencies() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.0, 18))
}

impl Metrics {
    /// Registers everything, at zero.
    pub fn register(registry: &mut Registry) -> Self {
        let numbers = Numbers {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(latencies),
            pushes: Counter::default(),
            sessions: Family::default(),
            watches: Gauge::default(),
            pulls: Gauge::default(),
            forwarded: Family::default(),
            locked: Gauge::default(),
            backup_taken: Gauge::default(),
            backup_verified: Gauge::default(),
        };
        registry.register(
            "holdfast_requests",
            "Requests answered, by gRPC method and error code (ok for none)",
            numbers.requests.clone(),
        );
        registry.register_with_unit(
            "holdfast_request",
            "From the first byte of a request's headers to its answer; for streams, to their first frame",
            Unit::Seconds,
            numbers.request_seconds.clone(),
        );
        registry.register(
            "holdfast_pushes_acknowledged",
            "Commits that this node replicated as leader and acknowledged",
            numbers.pushes.clone(),
        );
        registry.register(
            "holdfast_sessions_opened",
            "Sessions opened, by kind of member",
            numbers.sessions.clone(),
        );
        registry.register("holdfast_watches", "Watches open now", numbers.watches.clone());
        registry.register(
            "holdfast_pulls",
            "Pulls and listings of links under way now",
            numbers.pulls.clone(),
        );
        registry.register(
            "holdfast_forwarded",
            "Requests passed on to another node, by outcome",
            numbers.forwarded.clone(),
        );
        registry.register(
            "holdfast_locked",
            "1 while the node lacks its epoch key",
            numbers.locked.clone(),
        );
        registry.register_with_unit(
            "holdfast_backup_taken_timestamp",
            "When the last backup was taken and read back, in Unix time; 0 if none is known",
            Unit::Seconds,
            numbers.backup_taken.clone(),
        );
        registry.register_with_unit(
            "holdfast_backup_verified_timestamp",
            "When a backup was last restored elsewhere and compared, in Unix time; 0 if none is known",
            Unit::Seconds,
            numbers.backup_verified.clone(),
        );
        Self(Arc::new(numbers))
    }

    /// A request was answered: with an error code, or `ok`.
    pub fn answered(&self, method: &'static str, code: String, took: Duration) {
        self.0.requests.get_or_create(&RequestLabels { method, code }).inc();
        self.0.request_seconds.get_or_create(&MethodLabel { method }).observe(took.as_secs_f64());
    }

    /// A commit was replicated and is about to be acknowledged.
    pub fn push_acknowledged(&self) {
        self.0.pushes.inc();
    }

    /// A session was opened.
    pub fn session_opened(&self, usage: ChallengeUse) {
        let kind = match usage {
            ChallengeUse::Session => "device",
            ChallengeUse::Recovery => "recovery",
        };
        self.0.sessions.get_or_create(&KindLabel { kind }).inc();
    }

    /// A watch is open for as long as this is kept.
    pub fn watch(&self) -> StreamCount {
        StreamCount::of(&self.0.watches)
    }

    /// A pull or a listing is under way for as long as this is kept.
    pub fn pull(&self) -> StreamCount {
        StreamCount::of(&self.0.pulls)
    }

    /// A request was passed on to another node.
    pub fn forwarded(&self, answered: bool) {
        let outcome = if answered { "answered" } else { "lost" };
        self.0.forwarded.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// When the last backups were taken and compared, in Unix milliseconds.
    pub fn backups(&self, [taken, verified]: [Option<u64>; 2]) {
        let seconds = |time_ms: Option<u64>| time_ms.unwrap_or_default() as f64 / 1_000.0;
        self.0.backup_taken.set(seconds(taken));
        self.0.backup_verified.set(seconds(verified));
    }

    /// Whether the node lacks its epoch key.
    pub fn locked(&self, locked: bool) {
        self.0.locked.set(locked.into());
    }
}

impl StreamCount {
    fn of(gauge: &Gauge<i64, AtomicI64>) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for StreamCount {
    fn drop(&mut self) {
        self.0.dec();
    }
}
