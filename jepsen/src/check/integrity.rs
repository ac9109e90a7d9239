//! `integrity`: whatever clients are shown verifies, and nothing is refused without a reason.
//!
//! Clients verify every answer. One whose signatures, chain or seals do not hold, or that is older than what the
//! device holds, ends its operation as `broken`: no fault of a network or of a machine explains it. Nor does any
//! explain a refusal for good by a rule that the workload does not count on: what was well formed, signed by a
//! member and on top of the head may be put off, and not be refused. Only whoever asks while a clock is wrong, or
//! just behind that, may be told that its proof or its session is of another time.

#[cfg(test)]
mod tests;

use super::findings::Findings;
use crate::{
    figures,
    history::{History, OF_THE_CLIENT, Operation, Run, State},
    verdict::Verdict,
};

/// What a node says of a proof or a session that is, by its clock, of another time.
const UNAUTHENTICATED: &str = "unauthenticated";
/// Faults that turn the clock by which nodes judge that.
const CLOCKS: [&str; 2] = ["jump", "drift"];
/// For how long a clock that is right again excuses: a session that a node gave by the wrong one is over
/// everywhere else, which its holder, a device that lives for some seconds, learns when it next asks.
const AFTER_NS: u64 = 10_000_000_000;

/// Judges every operation of every workload.
pub(super) fn check(history: &History) -> Verdict {
    let mut findings = Findings::default();
    let turned = turned(history);
    for operation in history.operations() {
        if operation.broken() {
            findings.fail(said(&operation, "broken", "does not verify"));
        }
        match operation.denied() {
            None => {}
            Some(OF_THE_CLIENT) => {
                findings.unclear(said(&operation, "client", "is a fault of the client"));
            }
            Some(UNAUTHENTICATED) if turned.iter().any(|times| meets(&operation, *times)) => {}
            Some(code) => {
                findings.fail(said(&operation, "denied", &format!("is a refusal ({code})")));
            }
        }
    }
    findings.verdict()
}

/// When clocks were turned, and some time behind that.
fn turned(history: &History) -> Vec<(u64, u64)> {
    let faults = figures::faults(history, &Run::default()).into_iter();
    let clocks = faults.filter(|span| CLOCKS.contains(&span.fault.as_str()));
    // One that came half way was there as well.
    let there = clocks.filter(|span| span.state != State::Skipped);
    there.map(|span| (span.start_ns, span.stop_ns.saturating_add(AFTER_NS))).collect()
}

fn meets(operation: &Operation<'_>, (from, to): (u64, u64)) -> bool {
    operation.times().is_some_and(|(begun, ended)| begun <= to && ended >= from)
}

fn said(operation: &Operation<'_>, rule: &str, what: &str) -> String {
    let (invoke, said) = (operation.invoke, operation.answer.map(|answer| &answer.error));
    format!(
        "{}: {rule}: the answer to `{}` of {} {what}: {}",
        invoke.key,
        invoke.op,
        operation.lines(),
        said.map_or("", String::as_str)
    )
}
