//! `watch`: every watcher is told of each commit once, in order, and soon.
//!
//! A watcher opens at a number. A delivery covers the commits after the one before it, up to its own number. From
//! there on a watcher's numbers rise, no id comes twice, each comes in the delivery that covers its number, and
//! nothing is left out that was acknowledged or that another watcher was told of. Nothing is invented. While nothing
//! is wrong with the cluster, an acknowledged push comes within [`LATE_NS`]. At the end each watcher has seen the
//! wallet's last commit.
//!
//! Deliveries are *live* where a stream that was open brought them. The others are answers to somebody who asked,
//! and prove nothing of streams.

#[cfg(test)]
mod tests;

use super::{calm::Calm, findings::Findings};
use crate::{
    history::{Event, Fault, History, Operation, Phase, Type},
    verdict::Verdict,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How soon a watcher is told. A client whose stream broke pulls, which it tries for 3 s, opens a session, another
/// 3 s, and a stream, which it waits for 1.5 s: it gets the news within this time although each succeeds at the
/// last moment. A stream that is open takes milliseconds.
pub(super) const LATE_NS: u64 = 8_000_000_000;
/// A watcher that was owed as many pushes, and was told of them by asking only, has no stream.
const OWED_MIN: usize = 10;

#[derive(Deserialize)]
struct Pushed<'a> {
    id: &'a str,
    seq: u64,
}

/// A delivery: the number of the head, and what came since the delivery before.
#[derive(Deserialize)]
struct Delivery<'a> {
    watcher: &'a str,
    seq: u64,
    #[serde(borrow)]
    ids: Vec<&'a str>,
    live: bool,
}

/// A watcher opens: what it knows, and whom it asks.
#[derive(Deserialize)]
struct Opens<'a> {
    watcher: &'a str,
    node: Option<&'a str>,
    seq: u64,
}

#[derive(Deserialize)]
struct Closes<'a> {
    watcher: &'a str,
}

/// The last word of a watcher, or of the wallet if no watcher is named.
#[derive(Deserialize)]
struct Last<'a> {
    watcher: Option<&'a str>,
    seq: u64,
}

/// What a watcher was told.
#[derive(Default)]
struct Told<'a> {
    /// The only node that it asks.
    node: Option<&'a str>,
    /// The number at which it opened first.
    base: u64,
    seq: u64,
    /// Ids, each with the line of its delivery.
    ids: BTreeMap<&'a str, usize>,
    last: Option<u64>,
    /// From when to when it watched; without an end while it does.
    open: Vec<(u64, Option<u64>)>,
    /// When it was told of which number.
    when: Vec<(u64, u64)>,
    /// Whether a stream told it of anything before the cluster healed.
    live: bool,
}

/// Between which numbers the commit of an id is, and which line said so last.
#[derive(Clone, Copy)]
struct Place {
    first: u64,
    last: u64,
    line: usize,
}

/// A wallet.
#[derive(Default)]
struct Wallet<'a> {
    key: &'a str,
    pushes: BTreeMap<&'a str, Operation<'a>>,
    /// Number, time and line of each push that was acknowledged.
    acknowledged: Vec<(u64, u64, usize)>,
    /// Where the ids are that are known to be in the wallet.
    places: BTreeMap<&'a str, Place>,
    watchers: BTreeMap<&'a str, Told<'a>>,
    last: Option<(u64, usize)>,
}

/// Judges every wallet of the workload.
pub(super) fn check(history: &History) -> Verdict {
    let mut findings = Findings::default();
    let mut events: BTreeMap<&str, Vec<(usize, &Event)>> = BTreeMap::new();
    for (line, event) in history.events().filter(|(_, event)| event.workload == "watch") {
        events.entry(&event.key).or_default().push((line, event));
    }
    let operations = history.wallets("watch");
    let calm = Calm::of(history);
    let healing = heals(history);
    let mut live = false;
    for (key, events) in events {
        let mut wallet = Wallet { key, ..Wallet::default() };
        for operation in operations.get(key).into_iter().flatten() {
            wallet.push(operation, &mut findings);
        }
        for (line, event) in events.into_iter().filter(|(_, event)| event.kind == Type::Ok) {
            match event.op.as_str() {
                "open" => wallet.opens(line, event, &mut findings),
                "see" => wallet.see(line, event, healing, &mut findings),
                "close" => wallet.closes(line, event, &mut findings),
                "final" => wallet.ends(line, event, &mut findings),
                _ => {}
            }
        }
        wallet.compare(&mut findings);
        wallet.late(&calm, healing, &mut findings);
        live |= wallet.watchers.values().any(|told| told.live);
    }
    if !live {
        findings.unclear("no watcher was told of anything through an open stream".to_owned());
    }
    findings.verdict()
}

/// When all faults were over.
fn heals(history: &History) -> u64 {
    let heals = |event: &Event| {
        Fault::of(event).and_then(Result::ok).is_some_and(|fault| fault.phase == Phase::Heal)
    };
    let heal = history.events().find(|(_, event)| heals(event));
    heal.map_or(u64::MAX, |(_, event)| event.time)
}

impl<'a> Wallet<'a> {
    fn push(&mut self, operation: &Operation<'a>, findings: &mut Findings) {
        match operation.invoke.op.as_str() {
            "push" => {}
            // A watch that broke off.
            "final" | "watch" => return,
            other => {
                return findings.unclear(format!(
                    "line {}: `{other}` is no operation of watch",
                    operation.begun
                ));
            }
        }
        let Some(id) = findings.value::<&str>(operation.begun, operation.invoke) else { return };
        if let Some(earlier) = self.pushes.insert(id, *operation) {
            findings.unclear(format!(
                "{}: {} pushes an id again that {} pushed; ids are unique",
                self.key,
                operation.lines(),
                earlier.lines()
            ));
        }
        let Some((line, answer)) = operation.ok() else { return };
        let Some(pushed) = findings.value::<Pushed<'a>>(line, answer) else { return };
        if pushed.id == id {
            self.places.insert(id, Place { first: pushed.seq, last: pushed.seq, line });
            self.acknowledged.push((pushed.seq, answer.time, line));
        } else {
            findings.fail(format!("{}: line {line} answers {:?} to {id:?}", self.key, pushed.id));
        }
    }

    fn opens(&mut self, line: usize, event: &'a Event, findings: &mut Findings) {
        let Some(Opens { watcher, node, seq }) = findings.value(line, event) else { return };
        let told = self.watchers.entry(watcher).or_insert_with(|| Told {
            node,
            base: seq,
            seq,
            ..Told::default()
        });
        told.open.push((event.time, None));
    }

    fn closes(&mut self, line: usize, event: &'a Event, findings: &mut Findings) {
        let Some(Closes { watcher }) = findings.value(line, event) else { return };
        let told = self.watchers.get_mut(watcher);
        match told.and_then(|told| told.open.last_mut()).filter(|(_, end)| end.is_none()) {
            Some((_, end)) => *end = Some(event.time),
            None => findings.unclear(format!(
                "{}: watcher {watcher} closes at line {line} and has not opened",
                self.key
            )),
        }
    }

    fn see(&mut self, line: usize, event: &'a Event, healing: u64, findings: &mut Findings) {
        let Some(Delivery { watcher, seq, ids, live }) = findings.value(line, event) else {
            return;
        };
        let key = self.key;
        let Some(told) = self.watchers.get_mut(watcher) else {
            return findings.unclear(format!(
                "{key}: watcher {watcher} has a delivery at line {line} and has not opened"
            ));
        };
        let before = told.seq;
        if seq <= before {
            findings.fail(format!(
                "{key}: order: watcher {watcher} is told of number {seq} at line {line} after number {before}"
            ));
        }
        if told.last.is_some() {
            findings.unclear(format!(
                "{key}: watcher {watcher} has a delivery at line {line} after its `final`"
            ));
        }
        told.when.push((event.time, seq));
        told.live |= live && event.time < healing;
        told.seq = seq.max(before);
        for id in ids {
            if let Some(earlier) = told.ids.insert(id, line) {
                findings.fail(format!(
                    "{key}: twice: watcher {watcher} is told of {id:?} at lines {earlier} and {line}"
                ));
                continue;
            }
            if let Some(why) = invented(self.pushes.get(id), line) {
                findings.fail(format!(
                    "{key}: invented: watcher {watcher} is told of {id:?} at line {line}; {why}"
                ));
                continue;
            }
            let covered = Place { first: before.saturating_add(1), last: seq, line };
            let place = self.places.entry(id).or_insert(covered);
            if place.first > covered.last || place.last < covered.first {
                findings.fail(format!(
                    "{key}: order: watcher {watcher} is told of {id:?} at line {line} between numbers {before} and \
                     {seq}; it is not there (line {})",
                    place.line
                ));
                continue;
            }
            let (first, last) = (place.first.max(covered.first), place.last.min(covered.last));
            if (first, last) != (place.first, place.last) {
                *place = Place { first, last, line };
            }
        }
    }

    fn ends(&mut self, line: usize, event: &'a Event, findings: &mut Findings) {
        let Some(Last { watcher, seq }) = findings.value(line, event) else { return };
        let key = self.key;
        let Some(watcher) = watcher else {
            if self.last.is_some_and(|(last, _)| last != seq) {
                findings.unclear(format!("{key}: line {line} is a second `final` of the wallet"));
            }
            self.last = Some((seq, line));
            return;
        };
        match self.watchers.get_mut(watcher).filter(|told| !told.when.is_empty()) {
            Some(told) => {
                told.last = Some(seq);
                if told.seq != seq {
                    findings.unclear(format!(
                        "{key}: line {line} says that watcher {watcher} ends at number {seq}; its last delivery is number {}",
                        told.seq
                    ));
                }
            }
            None => findings.fail(format!(
                "{key}: missed: watcher {watcher} ends at line {line} and was never told of anything"
            )),
        }
    }

    /// What was acknowledged was delivered, and everybody has come to the end.
    fn compare(&self, findings: &mut Findings) {
        let key = self.key;
        if self.watchers.is_empty() {
            findings.unclear(format!("{key}: nobody watched"));
        }
        if self.last.is_none() {
            findings.unclear(format!("{key}: no `final` says where the wallet ends"));
        }
        for (watcher, told) in &self.watchers {
            let Some(last) = told.last else {
                findings.unclear(format!("{key}: watcher {watcher} has no `final`"));
                continue;
            };
            for (id, place) in &self.places {
                let covered = place.first > told.base && place.last <= last;
                if covered && !told.ids.contains_key(id) {
                    findings.fail(format!(
                        "{key}: missed: watcher {watcher} went from number {} to {last} and was not told of {id:?} \
                         (line {})",
                        told.base, place.line
                    ));
                }
            }
            if let Some((end, line)) = self.last.filter(|(end, _)| *end != last) {
                findings.fail(format!(
                    "{key}: missed: watcher {watcher} ends at number {last}, the wallet at number {end} (line {line})"
                ));
            }
        }
    }

    /// What was acknowledged while nothing was wrong came soon, to everybody who watched. How soon a cluster heals
    /// is another question.
    fn late(&self, calm: &Calm, healing: u64, findings: &mut Findings) {
        let key = self.key;
        for (watcher, told) in &self.watchers {
            let mut owed = 0;
            for (seq, time, line) in &self.acknowledged {
                let due = time.saturating_add(LATE_NS);
                let watched = told
                    .open
                    .iter()
                    .any(|(from, to)| from <= time && to.is_none_or(|to| to >= due));
                if *seq <= told.base
                    || !watched
                    || due >= healing
                    || !calm.holds(told.node, *time, due)
                {
                    continue;
                }
                owed += 1;
                let came = told.when.partition_point(|(_, reached)| reached < seq);
                if told.when.get(came).is_none_or(|(came, _)| *came > due) {
                    findings.fail(format!(
                        "{key}: late: watcher {watcher} was not told of number {seq} within {} s (line {line}), and \
                         nothing was wrong",
                        LATE_NS / 1_000_000_000
                    ));
                    break;
                }
            }
            if owed >= OWED_MIN && !told.live {
                findings.unclear(format!(
                    "{key}: watcher {watcher} was owed {owed} pushes, and no open stream told it of anything"
                ));
            }
        }
    }
}

/// Why nobody can have been told of a push at this line.
fn invented(push: Option<&Operation<'_>>, line: usize) -> Option<String> {
    match push {
        None => Some("nobody pushed it".to_owned()),
        Some(push) if push.outcome() == Type::Fail => {
            Some(format!("its push failed ({})", push.lines()))
        }
        Some(push) if push.begun > line => {
            Some(format!("its push had not begun ({})", push.lines()))
        }
        Some(_) => None,
    }
}
