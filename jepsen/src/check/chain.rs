//! `chain`: the heads of a wallet form one line.
//!
//! Many devices push and pull on different nodes. Each number has one head, on every node and for ever;
//! each push has a number of its own, above everything that was seen before it began; a pull shows at least
//! what was seen before it began, by whomever; and no device is ever shown an earlier head than it saw.

#[cfg(test)]
mod tests;

use super::findings::Findings;
use crate::{
    history::{History, Operation},
    verdict::Verdict,
};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Asker<'a> {
    device: &'a str,
}

#[derive(Deserialize)]
struct Seen<'a> {
    seq: u64,
    head: &'a str,
}

/// What is known of a wallet, line by line.
#[derive(Default)]
struct Line<'a> {
    /// By number: the head, and where it was seen first.
    heads: BTreeMap<u64, (&'a str, usize)>,
    /// By number: where it was given to a push.
    pushes: BTreeMap<u64, usize>,
    /// By device: the greatest number that it saw, and where.
    devices: BTreeMap<&'a str, (u64, usize)>,
    /// After the line: the greatest number that anybody saw so far.
    greatest: Vec<(usize, u64)>,
}

/// Judges every wallet of the workload.
pub(super) fn check(history: &History) -> Verdict {
    let mut findings = Findings::default();
    for (key, operations) in history.wallets("chain") {
        let mut answered: Vec<_> = operations
            .iter()
            .filter_map(|operation| operation.ok().map(|(ended, _)| (ended, operation)))
            .collect();
        answered.sort_unstable_by_key(|(ended, _)| *ended);
        let mut line = Line::default();
        for (_, operation) in answered {
            line.add(key, operation, &mut findings);
        }
        if !operations.iter().any(|found| found.invoke.op == "final" && found.ok().is_some()) {
            findings.unclear(format!("{key}: no `final` pull shows where the line ends"));
        }
    }
    findings.verdict()
}

impl<'a> Line<'a> {
    /// Takes the answers in the order in which they came.
    fn add(&mut self, key: &str, operation: &Operation<'a>, findings: &mut Findings) {
        let Some((at, answer)) = operation.ok() else { return };
        let pushed = match operation.invoke.op.as_str() {
            "push" => true,
            "pull" | "final" => false,
            other => {
                return findings.unclear(format!(
                    "line {}: `{other}` is no operation of chain",
                    operation.begun
                ));
            }
        };
        let asker = findings.value::<Asker<'_>>(operation.begun, operation.invoke);
        let seen = findings.value::<Seen<'_>>(at, answer);
        let (Some(Asker { device }), Some(Seen { seq, head })) = (asker, seen) else { return };

        let (known, first) = *self.heads.entry(seq).or_insert((head, at));
        if known != head {
            findings.fail(format!(
                "{key}: fork: number {seq} is head {known} at line {first} and head {head} at line {at}"
            ));
        }
        if pushed && let Some(other) = self.pushes.insert(seq, at) {
            findings.fail(format!(
                "{key}: fork: number {seq} was given to the pushes of lines {other} and {at}"
            ));
        }
        let (greatest, when) = self.devices.get(device).copied().unwrap_or((0, 0));
        if seq < greatest {
            findings.fail(format!(
                "{key}: back: device {device} saw number {greatest} at line {when} and number {seq} at line {at}"
            ));
        } else {
            self.devices.insert(device, (seq, at));
        }
        let before = self.before(operation.begun);
        if pushed && seq <= before {
            findings.fail(format!(
                "{key}: stale: the push of {} has number {seq}; number {before} was seen before it began",
                operation.lines()
            ));
        }
        if !pushed && seq < before {
            findings.fail(format!(
                "{key}: stale: the pull of {} shows number {seq}; number {before} was seen before it began",
                operation.lines()
            ));
        }
        if self.greatest.last().is_none_or(|(_, greatest)| seq > *greatest) {
            self.greatest.push((at, seq));
        }
    }

    /// The greatest number that anybody saw before a line.
    fn before(&self, line: usize) -> u64 {
        let later = self.greatest.partition_point(|(at, _)| *at < line);
        later.checked_sub(1).map_or(0, |last| self.greatest[last].1)
    }
}
