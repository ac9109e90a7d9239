//! What the door counts. No label ever names a wallet or a caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use raft::registry::Promise::{
    Honest, NeverBackwards, Once, PlainSpeech, Recorded, Sealed, SelfHealing, ZeroLoss,
};
use raft::registry::{About, Registry, Unit};
use types::{ChallengeUse, GroupId};

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

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct GroupLabel {
    group: u32,
}

/// The numbers of one node. Copies count together.
#[derive(Clone)]
pub struct Metrics(Arc<Numbers>);

struct Numbers {
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<MethodLabel, Histogram>,
    pushes: Counter,
    repeated: Counter,
    unopened: Counter,
    sessions: Family<KindLabel, Counter>,
    watches: Gauge<i64, AtomicI64>,
    pulls: Gauge<i64, AtomicI64>,
    forwarded: Family<OutcomeLabel, Counter>,
    locked: Gauge<i64, AtomicI64>,
    self_healing: Gauge<i64, AtomicI64>,
    leaves: Family<GroupLabel, Gauge<i64, AtomicI64>>,
    wallets: Family<GroupLabel, Gauge<i64, AtomicI64>>,
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
        Self(Arc::new(Numbers {
            requests: registry.show(
                About::new("requests", "Requests answered, by gRPC method and error code, or ok")
                    .by(&["method", "code"])
                    .shows(&[Honest, PlainSpeech])
                    .alert("code=\"internal\": any increase; code=\"unavailable\": above 1 % for 5 minutes"),
                Family::default(),
            ),
            request_seconds: registry.show(
                About::new(
                    "request",
                    "From the first byte of a request's headers to its answer; for streams, to their first frame",
                )
                .by(&["method"])
                .in_unit(Unit::Seconds)
                .alert("99th percentile of Push above 0.5 s for 10 minutes"),
                Family::new_with_constructor(latencies),
            ),
            pushes: registry.show(
                About::new(
                    "pushes_acknowledged",
                    "Commits that this node replicated as leader and acknowledged",
                )
                .shows(&[ZeroLoss]),
                Counter::default(),
            ),
            repeated: registry.show(
                About::new(
                    "pushes_repeated",
                    "Commits that came again and were answered from what is stored, without a further effect",
                )
                .shows(&[Once])
                .alert("a steep rise: answers are lost on the way to clients"),
                Counter::default(),
            ),
            unopened: registry.show(
                About::new(
                    "stored_unopened",
                    "Pulls and listings ended because what is stored here does not open or is not there",
                )
                .shows(&[Sealed, Honest])
                .alert("any increase: what is stored here is not what was stored"),
                Counter::default(),
            ),
            sessions: registry.show(
                About::new("sessions_opened", "Sessions opened, by kind of member").by(&["kind"]),
                Family::default(),
            ),
            watches: registry.show(About::new("watches", "Watches open now"), Gauge::default()),
            pulls: registry.show(
                About::new("pulls", "Pulls and listings of links under way now"),
                Gauge::default(),
            ),
            forwarded: registry.show(
                About::new("forwarded", "Requests passed on to another node, by outcome")
                    .by(&["outcome"])
                    .alert("outcome=\"lost\": a rise; nodes do not reach each other"),
                Family::default(),
            ),
            locked: registry.show(
                About::new("locked", "1 while the node lacks its epoch key")
                    .shows(&[Sealed, SelfHealing])
                    .alert("holdfast_locked == 1 for 5 minutes: somebody has to unlock it"),
                Gauge::default(),
            ),
            self_healing: registry.show(
                About::new(
                    "self_healing",
                    "1 while nobody is needed when a node fails, as far as this node sees",
                )
                .shows(&[SelfHealing])
                .alert("holdfast_self_healing == 0 for 15 minutes; admin status says why"),
                Gauge::default(),
            ),
            leaves: registry.show(
                About::new("audit_leaves", "Leaves of the group's audit log")
                    .by(&["group"])
                    .shows(&[Recorded])
                    .alert("it falls, or differs between nodes at rest"),
                Family::default(),
            ),
            wallets: registry.show(
                About::new("wallets", "Wallets of the group").by(&["group"]),
                Family::default(),
            ),
            backup_taken: registry.show(
                About::new(
                    "backup_taken_timestamp",
                    "When the last backup was taken and read back, in Unix time; 0 if none is known",
                )
                .in_unit(Unit::Seconds)
                .shows(&[NeverBackwards])
                .alert("more than 26 hours ago"),
                Gauge::default(),
            ),
            backup_verified: registry.show(
                About::new(
                    "backup_verified_timestamp",
                    "When a backup was last restored elsewhere and compared, in Unix time; 0 if none is known",
                )
                .in_unit(Unit::Seconds)
                .shows(&[NeverBackwards])
                .alert("more than 8 days ago"),
                Gauge::default(),
            ),
        }))
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

    /// A commit came again and was answered from what is stored.
    pub fn push_repeated(&self) {
        self.0.repeated.inc();
    }

    /// Something that is stored here could not be read back.
    pub fn unopened(&self) {
        self.0.unopened.inc();
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

    /// Whether the node lacks its epoch key.
    pub fn locked(&self, locked: bool) {
        self.0.locked.set(locked.into());
    }

    /// When the last backups were taken and compared, in Unix milliseconds.
    pub fn backups(&self, [taken, verified]: [Option<u64>; 2]) {
        let seconds = |time_ms: Option<u64>| time_ms.unwrap_or_default() as f64 / 1_000.0;
        self.0.backup_taken.set(seconds(taken));
        self.0.backup_verified.set(seconds(verified));
    }

    /// Whether nobody is needed when a node fails.
    pub fn self_healing(&self, held: bool) {
        self.0.self_healing.set(held.into());
    }

    /// How much a group holds here.
    pub fn holds(&self, group: GroupId, leaves: u64, wallets: u64) {
        let (label, most) = (GroupLabel { group: group.0 }, i64::MAX);
        self.0.leaves.get_or_create(&label).set(leaves.try_into().unwrap_or(most));
        self.0.wallets.get_or_create(&label).set(wallets.try_into().unwrap_or(most));
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
