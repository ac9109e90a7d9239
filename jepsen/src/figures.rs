//! Figures of a run, from its history alone: what was asked and answered, which faults there were, and for how
//! long nobody could write.
//!
//! *Time without writes* after a fault is told twice. `first` lasts from the start of the fault to the first
//! acknowledged write that was begun behind it, on any wallet. `every` lasts until such a write in each group whose
//! wallets had been written before: a leader leads one group and not the others, so this is the one that shows
//! what the fault cost. (Of a history that does not say where a wallet lives, each wallet counts as a group.) Where
//! a fault is about one group, as a transfer of its leadership is, only writes to that one count. Both contain the
//! pace of the clients and their patience with a node that does not answer; the cluster itself is at least as fast.

mod outages;

pub use outages::Outage;

use crate::{
    history::{Event, Fault, History, Leader, Moment, Operation, Phase, Planned, Run, State, Type},
    nemesis::{Act, Role},
};
use outages::{longest, outages, writes};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a run amounts to.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// What was run.
    pub run: Run,
    /// From the first event to the end of all faults.
    pub length_ns: u64,
    /// Operations by workload.
    pub workloads: BTreeMap<String, Count>,
    /// Operations of all workloads.
    pub all: Count,
    /// Acknowledged operations during which a fault was active that was felt.
    pub under_fault: usize,
    /// Faults, in the order of their starts.
    pub faults: Vec<Span>,
    /// What became of each kind that was planned.
    pub kinds: BTreeMap<String, Kind>,
    /// How often all nodes lost power at once.
    pub all_lost_power: usize,
    /// How often a group was led by another node, or by the same one in a later term.
    pub leader_changes: usize,
    /// The longest time without an acknowledged write on any wallet: when it began, and how long it was.
    pub longest: Option<(u64, u64)>,
    /// Time without writes for each fault that was installed and has a role.
    pub outages: Vec<Outage>,
}

/// Operations by their ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Begun.
    pub operations: usize,
    /// Acknowledged.
    pub ok: usize,
    /// Decided against by a rule that the workload counts on.
    pub refused: usize,
    /// Did not happen.
    pub fail: usize,
    /// May have happened.
    pub info: usize,
}

impl Count {
    /// One operation more.
    pub fn add(&mut self, operation: &Operation<'_>) {
        self.operations += 1;
        *match operation.outcome() {
            Type::Ok => &mut self.ok,
            Type::Fail if operation.refused() => &mut self.refused,
            Type::Fail => &mut self.fail,
            Type::Info | Type::Invoke => &mut self.info,
        } += 1;
    }
}

/// A fault from its start to its stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The op of its events.
    pub fault: String,
    /// What has to be felt by itself; its op if the plan does not say more.
    pub kind: String,
    /// With whom or what place it was meant for; the same if the plan does not say.
    pub detail: String,
    /// What was felt of it, of whatever kind.
    pub felt: u64,
    /// What was felt of it that only this kind leaves behind.
    pub of_kind: u64,
    /// Each time that it struck, and which group, where that is more than once.
    pub moments: Vec<Moment>,
    /// Whether it was there.
    pub state: State,
    /// Why it was not.
    pub reason: String,
    /// Whom it met.
    pub targets: Vec<String>,
    /// Whom the plan meant by it.
    pub role: Option<Role>,
    /// The group that it is about, if it leaves the others alone.
    pub group: Option<u64>,
    /// When it began, in nanoseconds since the run did.
    pub start_ns: u64,
    /// From when on something was wrong: before that, where other trouble leads to it.
    pub from_ns: u64,
    /// When it was over.
    pub stop_ns: u64,
}

/// What became of a kind of faults, with whom or what place it was meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// How many there were to be.
    pub planned: usize,
    /// How many were there.
    pub installed: usize,
    /// How many were felt.
    pub felt: usize,
}

impl Figures {
    /// Reads them from a history. What it does not say is left empty.
    pub fn of(history: &History) -> Figures {
        let mut figures = Figures { run: run(history), ..Figures::default() };
        figures.length_ns = over_ns(history);
        figures.faults = faults(history, &figures.run);
        figures.kinds = kinds(&figures.run, &figures.faults);
        let active = Active::felt(&figures.faults);
        for operation in history.operations() {
            let of_workload = figures.workloads.entry(operation.invoke.workload.clone());
            of_workload.or_default().add(&operation);
            figures.all.add(&operation);
            if let Some((_, answer)) = operation.ok()
                && active.meets(operation.invoke.time, answer.time)
            {
                figures.under_fault += 1;
            }
        }
        let nodes: BTreeSet<&str> = figures.run.nodes.iter().map(String::as_str).collect();
        let of_all = |span: &&Span| {
            let targets: BTreeSet<&str> = span.targets.iter().map(String::as_str).collect();
            ["power", "power-in-sync"].contains(&&*span.fault)
                && span.state == State::Installed
                && targets == nodes
        };
        figures.all_lost_power = figures.faults.iter().filter(of_all).count();
        figures.leader_changes = leader_changes(history);
        let mut writes = writes(history);
        writes.sort_by_key(|write| write.ended_ns);
        figures.longest = longest(&writes, figures.length_ns);
        figures.outages = figures.faults.iter().flat_map(|span| outages(span, &writes)).collect();
        figures
    }
}

fn run(history: &History) -> Run {
    let written = history.events().map(|(_, event)| event);
    let mut runs = written.filter(|event| event.workload == "nemesis" && event.op == "run");
    runs.next().and_then(|event| Run::deserialize(&event.value).ok()).unwrap_or_default()
}

fn kinds(run: &Run, faults: &[Span]) -> BTreeMap<String, Kind> {
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    for planned in &run.plan {
        let act = act(planned, &planned.fault);
        let name = act.map_or_else(|| planned.fault.clone(), |act| act.detail());
        kinds.entry(name).or_default().planned += 1;
    }
    for span in faults.iter().filter(|span| span.state == State::Installed) {
        let kind = kinds.entry(span.detail.clone()).or_default();
        kind.installed += 1;
        kind.felt += usize::from(span.of_kind > 0);
    }
    kinds
}

/// Events of faults that can be read. Whether all can be is the checkers' to say.
fn faults_in(history: &History) -> impl Iterator<Item = (&Event, Fault)> {
    history.events().filter_map(|(_, event)| Some((event, Fault::of(event)?.ok()?)))
}

/// When all faults were over.
fn over_ns(history: &History) -> u64 {
    let last = history.events().last().map_or(0, |(_, event)| event.time);
    let heal = faults_in(history).find(|(_, fault)| fault.phase == Phase::Heal);
    heal.map_or(last, |(event, _)| event.time)
}

/// Every fault from its start to its stop. Starts stand in the order of the plan, each once, so that a start's place
/// tells what the plan meant.
pub(crate) fn faults(history: &History, run: &Run) -> Vec<Span> {
    let until_ns = over_ns(history);
    let mut spans: Vec<Span> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for (event, fault) in faults_in(history) {
        match fault.phase {
            Phase::Start => {
                let planned = run.plan.get(spans.len());
                let act = planned.and_then(|planned| act(planned, &event.op));
                let lasts = fault.state != State::Skipped;
                if lasts {
                    open.push(spans.len());
                }
                let start_ns = fault.since.filter(|_| lasts).unwrap_or(event.time);
                spans.push(Span {
                    kind: act.map_or_else(|| event.op.clone(), |act| act.kind()),
                    detail: act.map_or_else(|| event.op.clone(), |act| act.detail()),
                    felt: sum(&fault.felt),
                    of_kind: of_kind(act, &fault.felt),
                    moments: fault.moments,
                    fault: event.op.clone(),
                    state: fault.state,
                    reason: fault.reason,
                    targets: fault.targets,
                    role: act.and_then(|act| act.role()),
                    group: fault.group,
                    start_ns,
                    from_ns: fault.from.filter(|_| lasts).unwrap_or(start_ns),
                    stop_ns: if lasts { until_ns.max(event.time) } else { event.time },
                });
            }
            Phase::Stop => {
                let same = |number: &usize| {
                    spans[*number].fault == event.op && spans[*number].targets == fault.targets
                };
                if let Some(place) = open.iter().position(same) {
                    let number = open.remove(place);
                    let span = &mut spans[number];
                    span.stop_ns = event.time;
                    let planned = run.plan.get(number);
                    let act = planned.and_then(|planned| act(planned, &event.op));
                    span.felt = span.felt.saturating_add(sum(&fault.felt));
                    span.of_kind = span.of_kind.saturating_add(of_kind(act, &fault.felt));
                    span.moments.extend(fault.moments);
                    if span.state == State::Installed && fault.state == State::Unclear {
                        span.state = fault.state;
                        span.reason = fault.reason;
                    }
                }
            }
            Phase::Heal | Phase::Healed => {}
        }
    }
    spans
}

/// What the plan says of a fault of this name.
fn act(planned: &Planned, name: &str) -> Option<Act> {
    let same = planned.fault == name;
    same.then(|| Act::deserialize(planned.more.get("act")?).ok())?
}

fn sum(felt: &BTreeMap<String, u64>) -> u64 {
    felt.values().fold(0, |sum, felt| sum.saturating_add(*felt))
}

/// What only this kind leaves behind: some are more than another kind, and felt by less.
fn of_kind(act: Option<Act>, felt: &BTreeMap<String, u64>) -> u64 {
    match act.and_then(|act| act.counter()) {
        Some(counter) => felt.get(counter).copied().unwrap_or(0),
        None => sum(felt),
    }
}

/// When at least one fault was active: spans that do not overlap, in order.
pub(crate) struct Active(Vec<(u64, u64)>);

impl Active {
    /// Of all faults that may have been there.
    pub(crate) fn of(faults: &[Span]) -> Active {
        Active::among(faults.iter().filter(|span| span.state != State::Skipped))
    }

    /// Of those that were felt.
    fn felt(faults: &[Span]) -> Active {
        let felt = |span: &&Span| span.state == State::Installed && span.felt > 0;
        Active::among(faults.iter().filter(felt))
    }

    fn among<'a>(faults: impl Iterator<Item = &'a Span>) -> Active {
        let mut merged: Vec<(u64, u64)> = Vec::new();
        let mut spans: Vec<&Span> = faults.collect();
        spans.sort_by_key(|span| span.start_ns);
        for span in spans {
            match merged.last_mut() {
                Some((_, end)) if *end >= span.start_ns => *end = (*end).max(span.stop_ns),
                _ => merged.push((span.start_ns, span.stop_ns)),
            }
        }
        Active(merged)
    }

    /// Whether one was at some time between these.
    pub(crate) fn meets(&self, begun_ns: u64, ended_ns: u64) -> bool {
        let next = self.0.partition_point(|(_, end)| *end < begun_ns);
        self.0.get(next).is_some_and(|(start, _)| *start <= ended_ns)
    }
}

/// Nodes answer at different moments, so that an earlier term may be told behind a later one.
fn leader_changes(history: &History) -> usize {
    let mut terms: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for (_, event) in history.events() {
        if event.workload == "nemesis"
            && event.op == "leader"
            && let Ok(Leader { group, node: Some(_), term }) = Leader::deserialize(&event.value)
        {
            terms.entry(group).or_default().insert(term);
        }
    }
    terms.values().map(|terms| terms.len() - 1).sum()
}

/// Of sorted values the one that so many hundredths of them do not exceed.
pub fn percentile(sorted: &[u64], hundredths: usize) -> Option<u64> {
    let rank = (sorted.len() * hundredths).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests;
