//! What a run must have contained to prove anything: `semantics.md` has the list.
//!
//! Nothing here is a failure of the product: what is missing makes the verdict unknown.

mod owed;
#[cfg(test)]
mod tests;

use super::findings::Findings;
use crate::{
    figures::{self, Active, Span},
    history::{Fault, History, Operation, Phase, Run, State, Type},
    verdict::Verdict,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Fewer acknowledged operations of a workload than these prove nothing.
const ACKNOWLEDGED_MIN: usize = 10;

/// A share of a whole.
#[derive(Clone, Copy, Default)]
struct Share {
    acknowledged: usize,
    all: usize,
}

impl Share {
    fn count(&mut self, operation: &Operation<'_>) {
        self.all += 1;
        self.acknowledged += usize::from(operation.outcome() == Type::Ok);
    }

    /// Whether at least `of` in `whole` are acknowledged.
    fn reaches(self, of: usize, whole: usize) -> bool {
        self.acknowledged * whole >= self.all * of
    }
}

/// What became of the planned faults of one name.
#[derive(Default)]
struct Injected {
    planned: usize,
    installed: usize,
    /// Why some were not.
    reasons: Vec<String>,
}

/// Judges what the history contains.
pub(super) fn check(history: &History) -> Verdict {
    let mut findings = Findings::default();
    for operation in history.operations().filter(|operation| operation.ended.is_none()) {
        findings.unclear(format!("the operation of line {} has no end", operation.begun));
    }
    let Some(run) = run(history, &mut findings) else { return findings.verdict() };
    let spans = figures::faults(history, &run);
    if run.nemesis != "none" {
        faults(&run, history, &spans, &mut findings);
    }
    owed::check(&run, history, &mut findings);
    operations(&run, history, &Active::of(&spans), &mut findings);
    findings.verdict()
}

fn run(history: &History, findings: &mut Findings) -> Option<Run> {
    let of_the_run = |(_, event): &(usize, &crate::history::Event)| {
        event.workload == "nemesis" && event.op == "run"
    };
    let Some((line, event)) = history.events().find(of_the_run) else {
        findings.unclear("no event says what was run; the first has the op `run`".to_owned());
        return None;
    };
    match Run::deserialize(&event.value) {
        Ok(run) => Some(run),
        Err(error) => {
            findings.unclear(format!(
                "line {line}: the value of `run` is not what history.md says: {error}"
            ));
            None
        }
    }
}

/// At least half of the planned faults were installed, and each kind of them was felt.
fn faults(run: &Run, history: &History, spans: &[Span], findings: &mut Findings) {
    let mut injected: BTreeMap<String, Injected> = BTreeMap::new();
    for planned in &run.plan {
        injected.entry(planned.fault.clone()).or_default().planned += 1;
    }
    if injected.is_empty() {
        findings.unclear(format!("the plan of the nemesis {} has no fault", run.nemesis));
    }
    for (line, event) in history.events() {
        let fault = match Fault::of(event) {
            None => continue,
            Some(Ok(fault)) => fault,
            Some(Err(error)) => {
                findings.unclear(format!("line {line}: no fault as history.md has it: {error}"));
                continue;
            }
        };
        let kind = injected.entry(event.op.clone()).or_default();
        match (fault.phase, fault.state) {
            (Phase::Start, State::Installed) => kind.installed += 1,
            (Phase::Start, state) => kind.reasons.push(format!(
                "{} at line {line} ({})",
                state.word(),
                fault.reason
            )),
            (Phase::Stop, State::Unclear) => findings.unclear(format!(
                "line {line}: nobody can say whether the fault {} was there, or was taken back ({})",
                event.op, fault.reason
            )),
            _ => {}
        }
    }
    let planned: usize = injected.values().map(|kind| kind.planned).sum();
    let installed: usize = injected.values().map(|kind| kind.installed).sum();
    if installed == 0 || installed * 2 < planned {
        let reasons = injected.values().flat_map(|kind| kind.reasons.iter().map(String::as_str));
        let reasons: Vec<&str> = reasons.collect();
        let why = if reasons.is_empty() {
            "the rest has no `start`".to_owned()
        } else {
            reasons.join(", ")
        };
        findings.unclear(format!(
            "{installed} of {planned} planned faults were installed, less than half: {why}"
        ));
    }
    let mut felt: BTreeMap<&str, u64> = BTreeMap::new();
    for span in spans.iter().filter(|span| span.state == State::Installed) {
        *felt.entry(&span.kind).or_default() += span.of_kind;
    }
    for (kind, _) in felt.into_iter().filter(|(_, felt)| *felt == 0) {
        findings.unclear(format!("the fault {kind} was installed and nothing felt it"));
    }
}

/// Each workload had enough operations acknowledged.
fn operations(run: &Run, history: &History, active: &Active, findings: &mut Findings) {
    let mut shares: BTreeMap<&str, (Share, Share)> = BTreeMap::new();
    for workload in &run.workloads {
        shares.entry(workload).or_default();
    }
    for operation in history.operations().filter(|operation| !operation.refused()) {
        let (all, undisturbed) = shares.entry(&operation.invoke.workload).or_default();
        all.count(&operation);
        if let Some((begun, ended)) = operation.times()
            && !active.meets(begun, ended)
        {
            undisturbed.count(&operation);
        }
    }
    if shares.is_empty() {
        findings.unclear("the run had no workload".to_owned());
    }
    for (workload, (all, undisturbed)) in shares {
        let mut few = |what: &str, share: Share| {
            findings.unclear(format!(
                "{workload}: {what}; {} of {} are acknowledged",
                share.acknowledged, share.all
            ));
        };
        if all.acknowledged < ACKNOWLEDGED_MIN {
            few(&format!("fewer than {ACKNOWLEDGED_MIN} operations are acknowledged"), all);
        }
        if run.nemesis == "none" {
            if !all.reaches(9, 10) {
                few("less than nine in ten operations without any fault", all);
            }
            continue;
        }
        if !all.reaches(1, 20) {
            few("less than one in twenty operations", all);
        }
        if undisturbed.all == 0 || !undisturbed.reaches(1, 2) {
            few("less than one in two operations while no fault was active", undisturbed);
        }
    }
}
