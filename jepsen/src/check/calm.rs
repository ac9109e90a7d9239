//! Times at which nothing was wrong: no fault was active, and none had been for a while.

use crate::history::{Fault, History, Phase, State};
use std::collections::BTreeMap;

/// How long the traces of a fault are waited for: nodes start, elect and catch up, clients connect again.
const AFTER_NS: u64 = 10_000_000_000;

/// When faults were active, in order.
#[derive(Debug, Default)]
pub(super) struct Calm {
    /// From when to when, in nanoseconds. What does not end in the history has no end.
    faults: Vec<(u64, u64)>,
}

impl Calm {
    /// What a history tells of faults. One that does not say what it is is none; the coverage says so.
    pub(super) fn of(history: &History) -> Calm {
        let mut active: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut faults, mut since) = (Vec::new(), None);
        for (_, event) in history.events() {
            let Some(Ok(fault)) = Fault::of(event) else { continue };
            match fault.phase {
                Phase::Start if fault.state != State::Skipped => {
                    *active.entry(&event.op).or_default() += 1;
                    since.get_or_insert(fault.since.unwrap_or(event.time));
                }
                Phase::Stop => {
                    if let Some(count) = active.get_mut(event.op.as_str()) {
                        *count = count.saturating_sub(1);
                    }
                }
                Phase::Heal => active.clear(),
                Phase::Start | Phase::Healed => {}
            }
            if active.values().all(|count| *count == 0)
                && let Some(since) = since.take()
            {
                faults.push((since, event.time));
            }
        }
        faults.extend(since.map(|since| (since, u64::MAX)));
        Calm { faults }
    }

    /// Whether nothing was wrong from one time to the other.
    pub(super) fn holds(&self, from: u64, to: u64) -> bool {
        let touches =
            |(begun, ended): &(u64, u64)| *begun <= to && ended.saturating_add(AFTER_NS) >= from;
        !self.faults.iter().any(touches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::story::Story;
    use serde_json::json;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn it_is_calm_while_no_fault_is_active_and_some_time_after() {
        let phase = |phase: &str| json!({"phase": phase, "state": "installed"});
        let mut story = Story::of("watch");
        story.nemesis("skip", json!({"phase": "start", "state": "skipped"}));
        story.later(20 * SECOND).nemesis("kill", phase("start"));
        story.later(SECOND).nemesis("kill", phase("start")).nemesis("pause", phase("start"));
        story.later(SECOND).nemesis("kill", phase("stop")).nemesis("pause", phase("stop"));
        story.later(SECOND).nemesis("kill", phase("stop"));
        story.later(30 * SECOND).nemesis("kill", phase("start"));
        story.later(SECOND).nemesis("heal", phase("heal"));
        let calm = Calm::of(&story.history());
        assert_eq!(calm.faults.len(), 2);
        assert!(calm.holds(0, 19 * SECOND) && !calm.holds(0, 21 * SECOND));
        assert!(!calm.holds(32 * SECOND, 33 * SECOND) && calm.holds(34 * SECOND, 50 * SECOND));
        assert!(!calm.holds(60 * SECOND, 61 * SECOND) && calm.holds(65 * SECOND, 66 * SECOND));
    }
}
