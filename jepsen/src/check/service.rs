//! `service`: while a fault leaves a majority of the voters whole and connected, every group goes on being
//! written.
//!
//! A history is cut into stretches in which the same faults are in effect. In one that is owed (a fault lasts, and
//! what all of them together leave is more than half of the voters, each hearing each other) no group whose
//! wallets had been written before may be without an acknowledged write for longer than [`BOUND_NS`]; neither at
//! its beginning, where somebody has to be elected, nor later.
//!
//! What a fault leaves is in [`harm`]; why some are never judged, in `semantics.md`. Nothing here is ever unknown:
//! a stretch that proves nothing is not judged, and how many faults were is told.

mod harm;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

use self::harm::Harm;
use super::findings::Findings;
use crate::{
    figures::{self, Span},
    history::{Fault, History, Home, Operation, Phase, Run, State, Type},
    verdict::Verdict,
};

/// The longest time without a write: all of a client's patience (3 s), in which it asks a node that does not
/// answer for 1.5 s and then others, an election (under a second), and a second for a machine with other things to
/// do. Known runs need 1.7 s at most.
const BOUND_NS: u64 = 5_000_000_000;
/// For how long what a fault took away counts as missing when it is over: nodes start and catch up, and a
/// connection on which nothing is acknowledged is given up after three seconds.
const SETTLES_NS: u64 = 5_000_000_000;
/// The same of a disk that refused a write: its node may have to be repaired from others.
const REPAIRED_NS: u64 = 10_000_000_000;
/// Somebody who has asked a group for so long, one attempt, has asked.
const ASKED_NS: u64 = 1_500_000_000;
/// A client that does one request at a time ends it after 3 s. One that takes longer than this had no processor,
/// and neither had any if none wrote anything down for so long.
const STARVED_NS: u64 = 4_000_000_000;

/// What was found, and how many faults it was looked for in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) verdict: Verdict,
    pub(super) judged: usize,
    pub(super) faults: usize,
}

/// A write that somebody asked for.
struct Write {
    group: u64,
    begun: u64,
    /// When its end was told, if it was.
    ended: u64,
    acknowledged: bool,
    /// Whether it is one request and no more.
    single: bool,
}

/// A fault from the first step towards it to its stop.
struct Lasting {
    span: Span,
    harm: Harm,
    line: usize,
    /// Since when it may be there, and since when it is.
    from: u64,
    in_place: u64,
}

/// A time in which the same is in effect.
#[derive(Debug)]
struct Stretch {
    from: u64,
    to: u64,
    /// Faults that last.
    active: Vec<usize>,
    harm: Harm,
}

/// Judges every fault that was installed.
pub(super) fn check(history: &History) -> Service {
    let mut findings = Findings::default();
    let run = history.events().find(|(_, event)| event.workload == "nemesis" && event.op == "run");
    let run = run.and_then(|(_, event)| Run::deserialize(&event.value).ok()).unwrap_or_default();
    let lasting = lasting(history, &run);
    let writes = writes(history);
    let told = told(history);
    let mut judged = BTreeSet::new();
    for stretch in stretches(&lasting) {
        let Some(whole) = stretch.harm.leaves(&run.nodes) else { continue };
        if stretch.active.is_empty() || stretch.to - stretch.from <= BOUND_NS {
            continue;
        }
        let before =
            writes.iter().filter(|write| write.acknowledged && write.ended <= stretch.from);
        let groups: BTreeSet<u64> = before.map(|write| write.group).collect();
        for group in groups {
            let of_group: Vec<&Write> =
                writes.iter().filter(|write| write.group == group).collect();
            judged.extend(stretch.active.iter().copied());
            for gap in gaps(&stretch, &of_group) {
                if was_asked(gap, &of_group) && !was_starved(gap, &writes, &told) {
                    findings.fail(said(&stretch, gap, group, &whole, &lasting));
                }
            }
        }
    }
    let installed = |lasting: &&Lasting| lasting.span.state == State::Installed;
    let faults = lasting.iter().filter(installed).count();
    Service { verdict: findings.verdict(), judged: judged.len(), faults }
}

fn said(
    stretch: &Stretch,
    (from, to): (u64, u64),
    group: u64,
    whole: &[&str],
    lasting: &[Lasting],
) -> String {
    let fault = |number: &usize| {
        let Lasting { span, line, .. } = &lasting[*number];
        format!("{} of {} (line {line})", span.kind, span.targets.join(", "))
    };
    let faults: Vec<String> = stretch.active.iter().map(fault).collect();
    format!(
        "group {group}: not served: no write is acknowledged for {:.1} s from second {:.1} on, while {} leaves {} whole",
        seconds(to - from),
        seconds(from),
        faults.join(" and "),
        whole.join(", ")
    )
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Every fault that was there, or may have been.
fn lasting(history: &History, run: &Run) -> Vec<Lasting> {
    let starts = history.events().filter_map(|(line, event)| {
        let phase = Fault::of(event)?.ok()?.phase;
        (phase == Phase::Start).then_some((line, event.time))
    });
    let spans = figures::faults(history, run).into_iter().zip(starts);
    let there = spans.filter(|(span, _)| span.state != State::Skipped);
    let each = there.map(|(span, (line, in_place))| {
        let (harm, from) = (Harm::of(&span), span.from_ns);
        Lasting { harm, span, line, from, in_place }
    });
    each.collect()
}

impl Lasting {
    /// When the last trace of it is gone.
    fn gone(&self) -> u64 {
        let settles = match self.span.fault.as_str() {
            "disk-full" | "fail-sync" => REPAIRED_NS,
            _ => SETTLES_NS,
        };
        self.span.stop_ns.saturating_add(settles)
    }
}

/// From change to change. What goes on as before is one stretch.
fn stretches(lasting: &[Lasting]) -> Vec<Stretch> {
    let times =
        lasting.iter().flat_map(|one| [one.from, one.in_place, one.span.stop_ns, one.gone()]);
    let times: Vec<u64> = times.collect::<BTreeSet<_>>().into_iter().collect();
    let mut stretches: Vec<Stretch> = Vec::new();
    for (from, to) in times.iter().copied().zip(times.iter().copied().skip(1)) {
        let mut next = Stretch { from, to, active: Vec::new(), harm: Harm::default() };
        for (number, one) in lasting.iter().enumerate() {
            if (one.from..one.in_place).contains(&from) {
                next.harm.join(&Harm::unsure());
            } else if (one.in_place..one.gone()).contains(&from) {
                next.harm.join(&one.harm);
            }
            if (one.in_place..one.span.stop_ns).contains(&from) {
                next.active.push(number);
            }
        }
        match stretches.last_mut() {
            Some(last) if last.active == next.active && last.harm == next.harm => last.to = to,
            _ => stretches.push(next),
        }
    }
    stretches
}

/// Times in a stretch in which no write that was begun in it was acknowledged, if they are too long.
fn gaps(stretch: &Stretch, of_group: &[&Write]) -> Vec<(u64, u64)> {
    let inside = |write: &&&Write| {
        write.acknowledged && write.begun >= stretch.from && write.ended <= stretch.to
    };
    let mut ends: Vec<u64> = of_group.iter().filter(inside).map(|write| write.ended).collect();
    ends.push(stretch.to);
    ends.sort_unstable();
    let begins = std::iter::once(stretch.from).chain(ends.iter().copied());
    begins.zip(ends.iter().copied()).filter(|(from, to)| to - from > BOUND_NS).collect()
}

fn was_asked((from, to): (u64, u64), of_group: &[&Write]) -> bool {
    let meanwhile = |write: &&Write| write.ended.min(to).saturating_sub(write.begun.max(from));
    of_group.iter().any(|write| meanwhile(write) >= ASKED_NS)
}

/// Whether the harness itself stood still.
fn was_starved((from, to): (u64, u64), writes: &[Write], told: &[u64]) -> bool {
    let late = |write: &Write| {
        let meets = write.begun < to && write.ended > from;
        write.single && meets && write.ended - write.begun > STARVED_NS
    };
    let first = told.partition_point(|time| *time <= from);
    let inside = told[first..].iter().copied().take_while(|time| *time < to);
    let mut before = from;
    let silent = inside.chain([to]).any(|time| {
        let since = time - before;
        before = time;
        since > STARVED_NS
    });
    silent || writes.iter().any(late)
}

/// When a client wrote something down.
fn told(history: &History) -> Vec<u64> {
    let clients = history.events().filter(|(_, event)| event.workload != "nemesis");
    clients.map(|(_, event)| event.time).collect()
}

/// Writes of records, of wallets of which it is known where they live.
fn writes(history: &History) -> Vec<Write> {
    let homes = history.events().filter_map(|(_, event)| {
        let about = event.workload == "nemesis" && event.op == "wallet";
        about.then(|| Home::deserialize(&event.value).ok())?
    });
    let homes: BTreeMap<String, u64> = homes.map(|home| (home.key, home.group)).collect();
    let write = |operation: Operation<'_>| {
        let invoke = operation.invoke;
        let group = homes.get(&invoke.key).filter(|_| operation.writes_records())?;
        // The others merge, which takes requests of its own.
        let single = ["register", "once"].contains(&invoke.workload.as_str());
        let ended = operation.answer.map(|answer| answer.time);
        Some(Write {
            group: *group,
            begun: invoke.time,
            ended: ended.unwrap_or(u64::MAX),
            acknowledged: operation.outcome() == Type::Ok,
            // Of an operation without an end nobody knows how long it took.
            single: single && ended.is_some(),
        })
    };
    history.operations().filter_map(write).collect()
}
