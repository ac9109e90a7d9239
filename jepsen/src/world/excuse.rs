//! Why a node may end by itself: while a fault lasts, and just behind it what it had met before.

use super::SIGKILL;
use std::{
    collections::BTreeMap,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    time::{Duration, Instant},
};

/// The exit code of a node that the system refused to write or open something.
const REFUSED: i32 = 3;
/// How long a node that cannot go on may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Why a node may end while a step of the plan lasts, and how it ends then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// What it writes or opens is refused, because its disk is full or fails, or it may have no file more: it ends
    /// and says so.
    Refused,
    /// It has too little memory: the kernel ends it, or refuses what it writes.
    Memory,
    /// It learns that it was removed.
    Removed,
}

impl Excuse {
    fn covers(self, status: ExitStatus) -> bool {
        let refused = status.code() == Some(REFUSED);
        match self {
            Excuse::Refused => refused,
            Excuse::Memory => refused || status.signal() == Some(SIGKILL),
            Excuse::Removed => status.code().is_some(),
        }
    }

    /// What the system says to whoever meets it. Whoever repeats that has met it.
    fn words(self) -> &'static [&'static str] {
        match self {
            Excuse::Refused => {
                &["No space left on device", "Input/output error", "Too many open files"]
            }
            Excuse::Memory => &["Cannot allocate memory"],
            Excuse::Removed => &[],
        }
    }
}

/// What excuses a node that ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Excuses {
    /// By the step of the plan.
    lasting: BTreeMap<usize, Excuse>,
    /// Those whose step is over, and since when.
    over: Vec<(Excuse, Instant)>,
}

impl Excuses {
    pub(super) fn begin(&mut self, step: usize, excuse: Excuse) {
        self.lasting.insert(step, excuse);
    }

    pub(super) fn end(&mut self, step: usize, now: Instant) {
        self.over.retain(|(_, ended)| now.duration_since(*ended) <= ENDS_WITHIN);
        self.over.extend(self.lasting.remove(&step).map(|excuse| (excuse, now)));
    }

    /// Whether a fault lasts that may end the node.
    pub(super) fn lasts(&self) -> bool {
        !self.lasting.is_empty()
    }

    /// Whether a node may end like this, which said that at last. When its fault is over it may if it had met that
    /// before, and was about to end.
    pub(super) fn cover(&self, status: ExitStatus, said: &str, now: Instant) -> bool {
        let met = |excuse: Excuse| excuse.words().iter().any(|words| said.contains(words));
        let mut just_over =
            self.over.iter().filter(|(_, ended)| now.duration_since(*ended) <= ENDS_WITHIN);
        self.lasting.values().any(|excuse| excuse.covers(status))
            || just_over.any(|(excuse, _)| excuse.covers(status) && met(*excuse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str =
        "error: this node cannot go on: flush: No space left on device; start it again";

    fn exit(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn an_excuse_covers_only_the_ends_that_it_causes() {
        let (killed, aborted) = (ExitStatus::from_raw(9), ExitStatus::from_raw(6));
        for (excuse, covered) in [
            (Excuse::Refused, vec![exit(3)]),
            (Excuse::Memory, vec![exit(3), killed]),
            (Excuse::Removed, vec![exit(0), exit(1), exit(3), exit(4)]),
        ] {
            for status in [exit(0), exit(1), exit(3), exit(4), killed, aborted] {
                assert_eq!(excuse.covers(status), covered.contains(&status), "{excuse:?} {status}");
            }
        }
    }

    #[test]
    fn a_node_that_had_met_a_full_disk_may_end_when_it_has_room_again() {
        let begun = Instant::now();
        let mut excuses = Excuses::default();
        excuses.begin(7, Excuse::Refused);
        assert!(excuses.lasts() && excuses.cover(exit(3), "anything", begun));
        excuses.end(7, begun);
        assert!(!excuses.lasts());
        let soon = begun + Duration::from_secs(1);
        assert!(excuses.cover(exit(3), FULL, soon));
        assert!(!excuses.cover(exit(3), "it cannot apply an entry", soon), "it names no disk");
        assert!(!excuses.cover(exit(4), FULL, soon), "not how such a node ends");
        assert!(!excuses.cover(exit(3), FULL, begun + ENDS_WITHIN + Duration::from_millis(1)));
        excuses.begin(8, Excuse::Removed);
        excuses.end(8, begun + Duration::from_secs(60));
        assert_eq!(excuses.over.len(), 1, "what is long over is forgotten");
    }
}
