//! For how long nobody could write.

use super::Span;
use crate::{
    history::{Event, History, Home, Operation, State},
    nemesis::Role,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// How long nobody, or not everybody, could write after a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The fault.
    pub fault: String,
    /// Whom it was meant for.
    pub role: Role,
    /// To the first acknowledged write on any wallet. None if there was none any more.
    pub first_ns: Option<u64>,
    /// Until there was one in each group again.
    pub every_ns: Option<u64>,
}

/// Where a wallet lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place<'a> {
    Group(u64),
    Wallet(&'a str),
}

/// An acknowledged write.
pub(super) struct Write<'a> {
    /// The group of its wallet; the wallet where that is not known.
    place: Place<'a>,
    begun_ns: u64,
    pub(super) ended_ns: u64,
}

pub(super) fn writes(history: &History) -> Vec<Write<'_>> {
    let of_records = |operation: &Operation<'_>| {
        matches!(
            (operation.invoke.workload.as_str(), operation.invoke.op.as_str()),
            ("register", "cas") | ("set", "add") | ("once" | "chain" | "watch", "push" | "retry")
        )
    };
    let homes = history.events().filter_map(|(_, event)| {
        let about = event.workload == "nemesis" && event.op == "wallet";
        about.then(|| Home::deserialize(&event.value).ok())?
    });
    let homes: BTreeMap<String, u64> = homes.map(|home| (home.key, home.group)).collect();
    let acknowledged = history.operations().filter(of_records).filter_map(|operation| {
        let (_, answer) = operation.ok()?;
        let Event { key, time, .. } = operation.invoke;
        let place = homes.get(key).map_or(Place::Wallet(key), |group| Place::Group(*group));
        Some(Write { place, begun_ns: *time, ended_ns: answer.time })
    });
    acknowledged.collect()
}

pub(super) fn longest(writes: &[Write<'_>], until_ns: u64) -> Option<(u64, u64)> {
    let first = writes.first()?.ended_ns;
    let ends = writes.iter().map(|write| write.ended_ns).filter(|end| *end <= until_ns);
    let mut gap = (first, 0);
    let mut before = first;
    for end in ends.chain([until_ns.max(first)]) {
        if end - before > gap.1 {
            gap = (before, end - before);
        }
        before = end;
    }
    Some(gap)
}

/// One for each time that a fault struck.
pub(super) fn outages(span: &Span, writes: &[Write<'_>]) -> Vec<Outage> {
    let Some(role) = span.role.filter(|_| span.state == State::Installed) else {
        return Vec::new();
    };
    let mut times: Vec<(u64, Option<u64>)> =
        span.moments.iter().map(|moment| (moment.since, Some(moment.group))).collect();
    if times.is_empty() {
        times.push((span.start_ns, span.group));
    }
    let each = times.into_iter().filter_map(|(start, group)| outage(start, group, writes));
    each.map(|(first_ns, every_ns)| Outage { fault: span.fault.clone(), role, first_ns, every_ns })
        .collect()
}

/// To the first write, and until there was one in each group. None if nothing was written before. `writes` stand
/// in the order of their ends.
fn outage(
    start: u64,
    group: Option<u64>,
    writes: &[Write<'_>],
) -> Option<(Option<u64>, Option<u64>)> {
    let met = |write: &&Write<'_>| match (group, write.place) {
        (Some(group), Place::Group(place)) => group == place,
        (Some(_), Place::Wallet(_)) | (None, _) => true,
    };
    let behind = writes.partition_point(|write| write.ended_ns <= start);
    let written: BTreeSet<Place<'_>> =
        writes[..behind].iter().filter(met).map(|write| write.place).collect();
    if written.is_empty() {
        return None;
    }
    let mut again: BTreeMap<Place<'_>, u64> = BTreeMap::new();
    let mut first = None;
    for write in writes[behind..].iter().filter(met).filter(|write| write.begun_ns >= start) {
        first.get_or_insert(write.ended_ns - start);
        if written.contains(&write.place) {
            again.entry(write.place).or_insert(write.ended_ns - start);
        }
    }
    // A wallet of which nobody knows where it lives may just not have been written again.
    let never = |place: &&Place<'_>| matches!(place, Place::Group(_)) && !again.contains_key(place);
    let every = match written.iter().find(never) {
        Some(_) => None,
        None => again.values().copied().max(),
    };
    Some((first, every))
}
