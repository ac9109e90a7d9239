//! What the nemesis saw for itself: operators get what they ask for while nothing else is wrong, and no node goes
//! on where it must end.
//!
//! Changes of members, and damage to files, begin on a cluster of which nothing is missing, and nothing else goes
//! wrong then: whatever they do not get is a finding. Leaders may fail to hand over while something else is wrong;
//! in a run in which nothing is, few may.

#[cfg(test)]
mod tests;

use super::findings::Findings;
use crate::{
    history::{Fault, History, Phase, Run, State},
    verdict::Verdict,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The op of hand-overs, and the nemesis that does nothing else.
const TRANSFER: &str = "transfer";
/// One hand-over in so many may fail where nothing else is wrong, and one in all.
const ONE_IN: u64 = 20;
/// Reasons that are told.
const TOLD: usize = 10;

/// Judges what faults say of themselves.
pub(super) fn check(history: &History) -> Verdict {
    let mut findings = Findings::default();
    let mut refused: BTreeMap<String, u64> = BTreeMap::new();
    let mut handed: u64 = 0;
    for (line, event) in history.events() {
        let Some(Ok(fault)) = Fault::of(event) else { continue };
        let transfer = event.op == TRANSFER;
        if fault.phase == Phase::Start && fault.state == State::Refused {
            match transfer {
                true => *refused.entry(fault.reason).or_default() += 1,
                false => findings.fail(format!(
                    "{} at line {line}, and nothing else was wrong: {}",
                    event.op, fault.reason
                )),
            }
        }
        for wrong in fault.wrong {
            findings.fail(format!("{} at line {line}: {wrong}", event.op));
        }
        if transfer {
            handed += fault.felt.values().sum::<u64>();
            for (reason, count) in fault.refused {
                *refused.entry(reason).or_default() += count;
            }
        }
    }
    let failed: u64 = refused.values().sum();
    if alone(history) && failed > 1 && failed * ONE_IN > failed + handed {
        findings.fail(format!(
            "{failed} of {} hand-overs failed, and nothing else was wrong",
            failed + handed
        ));
        for (reason, count) in refused.into_iter().take(TOLD) {
            findings.fail(format!("hand-over, {count} times: {reason}"));
        }
    }
    findings.verdict()
}

/// Whether hand-overs are all that happens.
fn alone(history: &History) -> bool {
    let run = history.events().find(|(_, event)| event.workload == "nemesis" && event.op == "run");
    let run = run.and_then(|(_, event)| Run::deserialize(&event.value).ok());
    run.is_some_and(|run| run.nemesis == TRANSFER)
}
