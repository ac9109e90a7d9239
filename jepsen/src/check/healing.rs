//! Healing: once every fault was taken back, the cluster is whole within two minutes, by itself.

#[cfg(test)]
mod tests;

use super::findings::Findings;
use crate::{
    history::{Fault, History, Phase},
    verdict::Verdict,
};

/// How long the cluster may take.
const WITHIN_NS: u64 = 120_000_000_000;

/// Judges the time from the phase `heal` to the phase `healed`.
pub(super) fn check(history: &History) -> Verdict {
    let mut findings = Findings::default();
    let mut heal = None;
    let mut healed = None;
    for (line, event) in history.events() {
        match Fault::of(event).and_then(Result::ok).map(|fault| fault.phase) {
            Some(Phase::Heal) => heal = Some((line, event.time)),
            Some(Phase::Healed) => healed = Some((line, event.time)),
            _ => {}
        }
    }
    let last = history.events().last().map_or(0, |(_, event)| event.time);
    match (heal, healed) {
        (None, _) => {
            findings.unclear("the history does not say when all faults were over".to_owned())
        }
        (Some((line, begun)), Some((at, time))) if at > line && time - begun <= WITHIN_NS => {}
        (Some((line, begun)), healed) => {
            let until = healed.map_or(last, |(_, time)| time).saturating_sub(begun);
            if until > WITHIN_NS {
                findings.fail(format!(
                    "the cluster is not whole {} s after all faults were over (line {line})",
                    until / 1_000_000_000
                ));
            } else {
                findings.unclear(format!(
                    "the history ends before the cluster was whole (line {line})"
                ));
            }
        }
    }
    findings.verdict()
}
