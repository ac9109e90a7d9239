//! What everything in a simulated run shares: the seed's random numbers, the trace, the judge, and the
//! count of what happened.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::invariants::{Cluster, Event, Judge};

/// Lines of the trace that are kept to be shown when a run fails.
const LAST_LINES: usize = 200;

/// The stage of one run.
pub(super) struct Stage {
    began: Instant,
    random: Mutex<StdRng>,
    trace: Mutex<Trace>,
    judge: Mutex<Judge>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    violation: Mutex<Option<String>>,
}

/// Everything that happened, in order, as one number and as its last lines.
struct Trace {
    hash: u64,
    lines: u64,
    last: std::collections::VecDeque<String>,
    aloud: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let trace = Trace {
            hash: 0xcbf2_9ce4_8422_2325,
            lines: 0,
            last: Default::default(),
            aloud: std::env::var_os(super::TRACE).is_some(),
        };
        Arc::new(Stage {
            began: Instant::now(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            trace: Mutex::new(trace),
            judge: Mutex::default(),
            counts: Mutex::default(),
            violation: Mutex::default(),
        })
    }

    /// Since the run began, in simulated time.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Draws from the seed.
    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut lock(&self.random))
    }

    /// Whether something with this probability happens now.
    pub(super) fn chance(&self, probability: f64) -> bool {
        self.draw(|random| random.random_bool(probability))
    }

    /// A time between the two, in milliseconds.
    pub(super) fn time(&self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(self.draw(|random| random.random_range(from_ms..=to_ms)))
    }

    /// One of these; none where there is none.
    pub(super) fn pick<T: Clone>(&self, from: &[T]) -> Option<T> {
        if from.is_empty() {
            return None;
        }
        from.get(self.draw(|random| random.random_range(0..from.len()))).cloned()
    }

    /// Adds a line to the trace.
    pub(super) fn note(&self, what: fmt::Arguments<'_>) {
        let mut line = String::new();
        let _ = write!(line, "{:>9.3} {what}", self.elapsed().as_secs_f64());
        let mut trace = lock(&self.trace);
        for byte in line.bytes() {
            trace.hash = (trace.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        trace.lines += 1;
        if trace.aloud {
            super::say(&line);
        }
        if trace.last.len() == LAST_LINES {
            trace.last.pop_front();
        }
        trace.last.push_back(line);
    }

    /// The trace as one number, and how many lines it has.
    pub(super) fn trace(&self) -> (u64, u64) {
        let trace = lock(&self.trace);
        (trace.hash, trace.lines)
    }

    /// The end of the trace.
    pub(super) fn last_lines(&self) -> Vec<String> {
        lock(&self.trace).last.iter().cloned().collect()
    }

    /// Counts something that happened.
    pub(super) fn count(&self, what: &'static str, times: u64) {
        *lock(&self.counts).entry(what).or_default() += times;
    }

    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = lock(&self.counts).clone();
        let judge = lock(&self.judge);
        counts.insert("voters changed", judge.cluster.voters_changed);
        counts.insert("joint voters", judge.cluster.joint_voters);
        counts
    }

    /// Who the nodes are: from then on the judge can ask them.
    pub(super) fn cast(&self, cluster: Cluster) {
        lock(&self.judge).cluster = cluster;
    }

    /// Has the judge look at something that happened.
    pub(super) fn happened(&self, event: &Event<'_>) {
        let verdict = lock(&self.judge).see(event);
        if let Err(reason) = verdict {
            self.violated(reason);
        }
    }

    /// Something that must not be. The first one counts.
    pub(super) fn violated(&self, reason: String) {
        self.note(format_args!("VIOLATED {reason}"));
        lock(&self.violation).get_or_insert(reason);
    }

    pub(super) fn violation(&self) -> Option<String> {
        lock(&self.violation).clone()
    }
}
