//! `integrity`: whatever clients are shown verifies.
//!
//! Clients verify every answer. One whose signatures, chain or seals do not hold, or that is older than what
//! the device holds, ends its operation as `broken`: no fault of a network or of a machine explains it.

#[cfg(test)]
mod tests;

use super::findings::Findings;
use crate::{history::History, verdict::Verdict};

/// Judges every operation of every workload.
pub(super) fn check(history: &History) -> Verdict {
    let mut findings = Findings::default();
    for operation in history.operations().filter(|operation| operation.broken()) {
        let (invoke, said) = (operation.invoke, operation.answer.map(|answer| &answer.error));
        findings.fail(format!(
            "{}: broken: the answer to `{}` of {} does not verify: {}",
            invoke.key,
            invoke.op,
            operation.lines(),
            said.map_or("", String::as_str)
        ));
    }
    findings.verdict()
}
