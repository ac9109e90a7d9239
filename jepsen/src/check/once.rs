//! `once`: a push that is sent again with the same request id happens once.
//!
//! One device writes each wallet. An unknown outcome is asked for again until it is known; then the numbers of the
//! acknowledged pushes fill the range from the first to the last head without gap or repeat, in the order of the
//! pushes, each answer to the same id names the same number, and the wallet holds every id once. Nobody is told
//! that the head has moved on: only the same request can have moved it, and whoever sends that again is given the
//! answer of the first time.

#[cfg(test)]
mod tests;

use super::findings::Findings;
use crate::{
    history::{History, Operation, Type},
    verdict::Verdict,
};
use serde::Deserialize;
use std::collections::{BTreeMap, btree_map::Entry};

/// The code of a refusal because of another head. A wallet with one device that knows what it wrote has no other:
/// the head that such a refusal speaks of is that of the same request, whose answer is its receipt.
const MOVED_ON: &str = "conflict";

/// What an acknowledged push says.
#[derive(Deserialize)]
struct Pushed<'a> {
    id: &'a str,
    seq: u64,
}

/// What the final read shows: the ids, the number of the head, and that of the head before all pushes.
#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(borrow)]
    elements: Vec<&'a str>,
    seq: u64,
    first: u64,
}

/// What is known of an id.
#[derive(Default)]
struct Known {
    /// The number that was acknowledged, and where first.
    acknowledged: Option<(u64, usize)>,
    /// Whether an attempt has an unknown outcome.
    unknown: bool,
    /// The greatest number that was acknowledged before the first attempt.
    above: u64,
}

/// Judges every wallet of the workload.
pub(super) fn check(history: &History) -> Verdict {
    let mut findings = Findings::default();
    for (key, operations) in history.wallets("once") {
        let known = attempts(key, &operations, &mut findings);
        for (id, known) in &known {
            if known.unknown && known.acknowledged.is_none() {
                findings.unclear(format!("{key}: {id:?} was not asked for until it was known"));
            }
        }
        let finals = operations.iter().filter(|operation| operation.invoke.op == "final");
        let mut shown = false;
        for (line, answer) in finals.filter_map(Operation::ok) {
            shown = true;
            if let Some(answer) = findings.value::<Shown<'_>>(line, answer) {
                numbers(key, line, &known, &answer, &mut findings);
                elements(key, line, &known, &answer, &mut findings);
            }
        }
        if !shown {
            findings.unclear(format!("{key}: no `final` read shows what is in the wallet"));
        }
    }
    findings.verdict()
}

/// Goes over all attempts in order.
fn attempts<'a>(
    key: &str,
    operations: &[Operation<'a>],
    findings: &mut Findings,
) -> BTreeMap<&'a str, Known> {
    let mut known: BTreeMap<&str, Known> = BTreeMap::new();
    let mut greatest = 0;
    for operation in operations {
        match operation.invoke.op.as_str() {
            "push" | "retry" => {}
            "final" => continue,
            other => {
                findings.unclear(format!(
                    "line {}: `{other}` is no operation of once",
                    operation.begun
                ));
                continue;
            }
        }
        let Some(id) = findings.value::<&str>(operation.begun, operation.invoke) else { continue };
        let known = match known.entry(id) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Known { above: greatest, ..Known::default() }),
        };
        known.unknown |= operation.outcome() == Type::Info;
        if operation.denied() == Some(MOVED_ON) {
            findings.fail(format!(
                "{key}: forgotten: {id:?} is told that the head has moved on ({}), and nobody else writes here",
                operation.lines()
            ));
        }
        let Some((line, answer)) = operation.ok() else { continue };
        let Some(pushed) = findings.value::<Pushed<'_>>(line, answer) else { continue };
        if pushed.id != id {
            findings.fail(format!("{key}: line {line} answers {:?} to {id:?}", pushed.id));
        }
        match known.acknowledged {
            Some((seq, first)) if seq != pushed.seq => findings.fail(format!(
                "{key}: twice: {id:?} is number {seq} at line {first} and number {} at line {line}",
                pushed.seq
            )),
            Some(_) => {}
            None => {
                if pushed.seq <= known.above {
                    findings.fail(format!(
                        "{key}: {id:?} is number {} at line {line}; number {} was acknowledged before it was sent",
                        pushed.seq, known.above
                    ));
                }
                known.acknowledged = Some((pushed.seq, line));
                greatest = greatest.max(pushed.seq);
            }
        }
    }
    known
}

/// The numbers fill the range, each once, but for those of pushes that nobody knows.
fn numbers(
    key: &str,
    line: usize,
    known: &BTreeMap<&str, Known>,
    shown: &Shown<'_>,
    findings: &mut Findings,
) {
    let mut by_number: BTreeMap<u64, &str> = BTreeMap::new();
    for (id, known) in known {
        let Some((seq, at)) = known.acknowledged else { continue };
        if let Some(other) = by_number.insert(seq, id) {
            findings.fail(format!("{key}: {other:?} and {id:?} are both number {seq}"));
        }
        if seq <= shown.first || seq > shown.seq {
            findings.fail(format!(
                "{key}: lost: {id:?} is number {seq} at line {at}; line {line} shows {} to {}",
                shown.first.saturating_add(1),
                shown.seq
            ));
        }
    }
    let unknown = known.values().filter(|known| known.unknown && known.acknowledged.is_none());
    let inside = |seq: u64| seq > shown.first && seq <= shown.seq;
    let given = by_number.keys().filter(|seq| inside(**seq)).count() as u64;
    let gaps = shown.seq.saturating_sub(shown.first) - given;
    if gaps > unknown.count() as u64 {
        let gap =
            (shown.first..shown.seq).map(|seq| seq + 1).find(|seq| !by_number.contains_key(seq));
        findings.fail(format!(
            "{key}: twice: {gaps} commits up to line {line} belong to no push, the first is number {}",
            gap.unwrap_or(shown.seq)
        ));
    }
}

/// The wallet holds every acknowledged id once, and none that was refused or not asked for.
fn elements(
    key: &str,
    line: usize,
    known: &BTreeMap<&str, Known>,
    shown: &Shown<'_>,
    findings: &mut Findings,
) {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for id in &shown.elements {
        *times.entry(id).or_default() += 1;
    }
    for (id, times) in &times {
        if *times > 1 {
            findings.fail(format!("{key}: twice: line {line} shows {id:?} {times} times"));
        }
        if !known.get(id).is_some_and(|known| known.acknowledged.is_some() || known.unknown) {
            findings.fail(format!(
                "{key}: invented: line {line} shows {id:?}, which was refused or never sent"
            ));
        }
    }
    for (id, known) in known {
        if let (Some((_, at)), false) = (known.acknowledged, times.contains_key(id)) {
            findings.fail(format!(
                "{key}: lost: {id:?} was acknowledged at line {at} and line {line} does not show it"
            ));
        }
    }
}
