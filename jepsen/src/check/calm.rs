//! Times at which nothing was wrong: no fault was active, and none had been for a while; and, for who is tied to one
//! node, that one was a member.

use crate::history::{Fault, History, Phase, State};
use std::collections::BTreeMap;

/// How long the traces of a fault are waited for: nodes start, elect and catch up, clients connect again.
const AFTER_NS: u64 = 10_000_000_000;

/// When faults were active, in order.
#[derive(Debug, Default)]
pub(super) struct Calm {
    /// From when to when, in nanoseconds. What does not end in the history has no end.
    faults: Vec<(u64, u64)>,
    /// When a node was no member, since another one had taken its place.
    away: BTreeMap<String, Vec<(u64, u64)>>,
}

impl Calm {
    /// What a history tells of faults. One that does not say what it is is none; the coverage says so.
    pub(super) fn of(history: &History) -> Calm {
        let mut active: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut faults, mut since) = (Vec::new(), None);
        let mut away: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
        for (_, event) in history.events() {
            let Some(Ok(fault)) = Fault::of(event) else { continue };
            match fault.phase {
                Phase::Start if fault.state != State::Skipped => {
                    *active.entry(&event.op).or_default() += 1;
                    let struck = fault.since.unwrap_or(event.time);
                    since.get_or_insert(fault.from.unwrap_or(struck));
                    for left in fault.targets.iter().filter_map(|target| target.strip_prefix('-')) {
                        away.entry(left.to_owned()).or_default().push((struck, u64::MAX));
                    }
                }
                Phase::Stop => {
                    for came in fault.targets.iter().filter_map(|target| target.strip_prefix('+')) {
                        let times = away.get_mut(came).and_then(|times| times.last_mut());
                        if let Some((_, ended)) = times {
                            *ended = event.time.min(*ended);
                        }
                    }
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
        Calm { faults, away }
    }

    /// Whether nothing was wrong from one time to the other, for who is tied to a node if one is named.
    pub(super) fn holds(&self, node: Option<&str>, from: u64, to: u64) -> bool {
        let touches =
            |(begun, ended): &(u64, u64)| *begun <= to && ended.saturating_add(AFTER_NS) >= from;
        let away = node.and_then(|node| self.away.get(node));
        !self.faults.iter().chain(away.into_iter().flatten()).any(touches)
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
        assert!(calm.holds(None, 0, 19 * SECOND) && !calm.holds(None, 0, 21 * SECOND));
        assert!(
            !calm.holds(None, 32 * SECOND, 33 * SECOND)
                && calm.holds(None, 34 * SECOND, 50 * SECOND)
        );
        assert!(
            !calm.holds(None, 60 * SECOND, 61 * SECOND)
                && calm.holds(None, 65 * SECOND, 66 * SECOND)
        );
    }

    #[test]
    fn what_leads_to_a_fault_is_no_calm() {
        let told = |more: serde_json::Value| {
            let mut start = json!({"phase": "start", "state": "installed"});
            start.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let mut story = Story::of("watch");
            story.later(40 * SECOND).nemesis("power-in-sync", start);
            Calm::of(&story.history()).holds(None, 26 * SECOND, 30 * SECOND)
        };
        assert!(told(json!({"since": 39 * SECOND})));
        assert!(!told(json!({"since": 39 * SECOND, "from": 25 * SECOND})));
    }

    #[test]
    fn a_node_that_was_replaced_owes_nothing_until_it_is_a_member_again() {
        let replaced = |phase: &str, came: &str, left: &str| {
            let targets = [format!("+{came}"), format!("-{left}")];
            json!({"phase": phase, "state": "installed", "targets": targets})
        };
        let mut story = Story::of("watch");
        story.nemesis("replace", replaced("start", "n4", "n3"));
        story.later(SECOND).nemesis("replace", replaced("stop", "n4", "n3"));
        story.later(60 * SECOND).nemesis("replace", replaced("start", "n3", "n4"));
        story.later(SECOND).nemesis("replace", replaced("stop", "n3", "n4"));
        story.later(60 * SECOND).nemesis("heal", json!({"phase": "heal", "state": "installed"}));
        let calm = Calm::of(&story.history());
        let (between, behind) = ((30 * SECOND, 40 * SECOND), (90 * SECOND, 100 * SECOND));
        for (node, (from, to), owes) in [
            ("n1", between, true),
            ("n3", between, false),
            ("n3", behind, true),
            ("n4", between, true),
            ("n4", behind, false),
        ] {
            assert_eq!(calm.holds(Some(node), from, to), owes, "{node} from {from}");
        }
    }
}
