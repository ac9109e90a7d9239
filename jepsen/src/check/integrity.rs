//! `integrity`: whatever clients are shown verifies, and nothing is refused without a reason.
//!
//! Clients verify every answer. One whose signatures, chain or seals do not hold, or that is older than what
//! the device holds, ends its operation as `broken`: no fault of a network or of a machine explains it. Nor does any
//! explain a refusal for good by a rule that the workload does not count on: what was well formed, signed by a
//! member and on top of the head may be put off, and not be refused.

#[cfg(test)]
mod tests;

use super::findings::Findings;
use crate::{
    history::{History, OF_THE_CLIENT, Operation},
    verdict::Verdict,
};

/// What a node says of a proof or a session that is, by its clock, of another time.
const UNAUTHENTICATED: &str = "unauthenticated";
/// Faults that turn the clock by which nodes judge that.
const CLOCKS: [&str; 2] = ["jump", "drift"];

/// Judges every operation of every workload.
pub(super) fn check(history: &History) -> Verdict {
    let mut findings = Findings::default();
    let clocks_are_turned = history
        .events()
        .any(|(_, event)| event.workload == "nemesis" && CLOCKS.contains(&event.op.as_str()));
    for operation in history.operations() {
        if operation.broken() {
            findings.fail(said(&operation, "broken", "does not verify"));
        }
        match operation.denied() {
            None => {}
            Some(OF_THE_CLIENT) => {
                findings.unclear(said(&operation, "client", "is a fault of the client"));
            }
            Some(UNAUTHENTICATED) if clocks_are_turned => {}
            Some(code) => {
                findings.fail(said(&operation, "denied", &format!("is a refusal ({code})")));
            }
        }
    }
    findings.verdict()
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
