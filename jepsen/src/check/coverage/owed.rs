//! Whether the rules that hold only while nothing is wrong had anything to judge.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::{
    check::{calm::Calm, findings::Findings, watch::LATE_NS},
    history::{Fault, History, Phase, Planned, Run, Type},
    nemesis::CALM,
};

#[derive(Deserialize)]
struct Watches<'a> {
    watcher: &'a str,
    node: Option<&'a str>,
}

/// Where a watcher watches, and from when to when.
struct Watched<'a> {
    key: &'a str,
    node: Option<&'a str>,
    from: u64,
    to: u64,
}

/// A run whose plan has a time of calm owes something to a watcher in it.
pub(super) fn check(run: &Run, history: &History, findings: &mut Findings) {
    let watches = run.workloads.iter().any(|workload| workload == "watch");
    if watches && has_calm(&run.plan) && !is_owed(history) {
        findings.unclear(
            "the plan has times of calm, and no watcher was owed anything while nothing was wrong"
                .to_owned(),
        );
    }
}

/// Whether there is a time of calm between two faults of a plan.
fn has_calm(plan: &[Planned]) -> bool {
    let ms = |planned: &Planned, field: &str| planned.more.get(field)?.as_u64();
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for planned in plan {
        if let (Some(at), Some(lasts)) = (ms(planned, "at_ms"), ms(planned, "lasts_ms")) {
            spans.push((at, at + lasts));
        }
    }
    spans.sort_unstable();
    let mut over = spans.first().map_or(0, |(_, end)| *end);
    spans.into_iter().any(|(at, end)| {
        let calm = u128::from(at.saturating_sub(over)) >= CALM.as_millis();
        over = over.max(end);
        calm
    })
}

/// Whether an acknowledged push was owed to somebody by the rule *late*.
fn is_owed(history: &History) -> bool {
    let calm = Calm::of(history);
    let heal = history.events().find(|(_, event)| {
        Fault::of(event).and_then(Result::ok).is_some_and(|fault| fault.phase == Phase::Heal)
    });
    let heal = heal.map_or(u64::MAX, |(_, event)| event.time);
    let watched = watched(history);
    let pushes = history
        .operations()
        .filter(|operation| operation.invoke.workload == "watch" && operation.invoke.op == "push");
    pushes.filter_map(|push| Some((push.invoke.key.as_str(), push.ok()?.1.time))).any(
        |(key, told)| {
            let due = told.saturating_add(LATE_NS);
            let mut of_key = watched.iter().filter(|watched| watched.key == key);
            due < heal
                && of_key.any(|watched| {
                    watched.from <= told && watched.to >= due && calm.holds(watched.node, told, due)
                })
        },
    )
}

fn watched(history: &History) -> Vec<Watched<'_>> {
    let mut all: Vec<Watched<'_>> = Vec::new();
    let mut open: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (_, event) in history.events() {
        if event.workload != "watch" || event.kind != Type::Ok {
            continue;
        }
        let key = event.key.as_str();
        match (event.op.as_str(), Watches::deserialize(&event.value)) {
            ("open", Ok(Watches { watcher, node })) => {
                open.insert((key, watcher), all.len());
                all.push(Watched { key, node, from: event.time, to: u64::MAX });
            }
            ("close", Ok(Watches { watcher, .. })) => {
                if let Some(place) = open.remove(&(key, watcher)) {
                    all[place].to = event.time;
                }
            }
            _ => {}
        }
    }
    all
}
