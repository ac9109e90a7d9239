//! What clients were told beside what the nodes wrote down: a write that was acknowledged was answered by some
//! node, in the time in which it was asked for. Where nobody wrote that down, the promise was looked for in too
//! little.
//!
//! Not each one has a line of its own: nodes answer many at once, and what is sent again when its answer was lost
//! is answered from its receipt.

use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Instant};

use crate::{
    history::{History, Home, Operation, Recorder},
    verdict::Verdict,
};

/// Of a hundred acknowledged writes of a group so many have to be found answered.
const OF_HUNDRED: usize = 90;

/// An acknowledged write: the group of its wallet, and from when to when somebody waited for its answer, on the
/// clock of the nodes' lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(super) group: u64,
    pub(super) asked_ns: u64,
    pub(super) told_ns: u64,
}

/// Of all wallets of which it is known where they live.
///
/// # Errors
/// The verdict where the history cannot be read.
pub(crate) fn all(recorder: &Recorder) -> Result<Vec<Told>, Verdict> {
    let history = recorder.so_far().map_err(|error| Verdict::unknown(error.to_string()))?;
    let now = clock_gettime(ClockId::Monotonic);
    let ran_ns = recorder.ns_of(Instant::now());
    let (seconds, nanos) = (now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned());
    let now_ns = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Ok(of(&history, now_ns.saturating_sub(ran_ns)))
}

fn of(history: &History, began_ns: u64) -> Vec<Told> {
    let homes = history.events().filter_map(|(_, event)| {
        let about = event.workload == "nemesis" && event.op == "wallet";
        about.then(|| Home::deserialize(&event.value).ok())?
    });
    let homes: BTreeMap<String, u64> = homes.map(|home| (home.key, home.group)).collect();
    let told = |operation: Operation<'_>| {
        let (_, answer) = operation.ok()?;
        operation.writes_records().then_some(())?;
        Some(Told {
            group: *homes.get(&operation.invoke.key)?,
            asked_ns: began_ns.saturating_add(operation.invoke.time),
            told_ns: began_ns.saturating_add(answer.time),
        })
    };
    history.operations().filter_map(told).collect()
}

/// Judges whether the nodes wrote down what they answered: the groups and times of their lines, in any order.
pub(super) fn check(told: &[Told], answers: impl IntoIterator<Item = (u64, u64)>) -> Verdict {
    let mut answered: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (group, at_ns) in answers {
        answered.entry(group).or_default().push(at_ns);
    }
    answered.values_mut().for_each(|times| times.sort_unstable());
    let mut counts: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for Told { group, asked_ns, told_ns } in told {
        let times = answered.get(group).map_or(&[][..], Vec::as_slice);
        let first = times.partition_point(|time| time < asked_ns);
        let (found, all) = counts.entry(*group).or_default();
        *found += usize::from(times.get(first).is_some_and(|time| time <= told_ns));
        *all += 1;
    }
    let few = counts.into_iter().filter(|(_, (found, all))| found * 100 < all * OF_HUNDRED);
    let said = few.map(|(group, (found, all))| {
        format!(
            "of {all} writes to group {group} that clients were told are done, nodes wrote down an answer in the time \
             of {found} only"
        )
    });
    match said.collect::<Vec<_>>() {
        said if said.is_empty() => Verdict::Pass,
        said => Verdict::Unknown(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Phase;

    fn ten(group: u64) -> Vec<Told> {
        (1..=10).map(|n| Told { group, asked_ns: n * 100, told_ns: n * 100 + 10 }).collect()
    }

    fn unknown(verdict: &Verdict, word: &str) {
        let named = |said: &[String]| said.len() == 1 && said[0].contains(word);
        assert!(matches!(verdict, Verdict::Unknown(said) if named(said)), "{verdict:?}");
    }

    #[test]
    fn what_clients_were_told_was_answered_in_that_time() {
        let lines = |of: std::ops::RangeInclusive<u64>| of.map(|n| (2, n * 100 + 5));
        assert_eq!(check(&ten(2), lines(1..=10)), Verdict::Pass);
        assert_eq!(
            check(&ten(2), lines(1..=9)),
            Verdict::Pass,
            "one was answered from its receipt"
        );
        unknown(&check(&ten(2), lines(1..=8)), "of 10 writes to group 2");
        unknown(&check(&ten(2), lines(1..=1)), "in the time of 1 only");
        unknown(&check(&ten(2), []), "in the time of 0 only");
        let late = (1..=10).map(|n| (2, n * 100 + 11));
        unknown(&check(&ten(2), late), "in the time of 0 only");
    }

    #[test]
    fn every_group_is_counted_by_itself() {
        let told: Vec<Told> = ten(2).into_iter().chain(ten(3)).collect();
        let of_one = (1..=10).map(|n| (2, n * 100));
        unknown(&check(&told, of_one), "group 3");
    }

    #[test]
    fn a_run_is_read_back_on_the_clock_of_the_nodes() {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(&directory.path().join("history.jsonl")).unwrap();
        let clock = || {
            let now = clock_gettime(ClockId::Monotonic);
            now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
        };
        recorder.wallet(&Home { key: "set-0".to_owned(), group: 3 });
        let mut client = recorder.client("set");
        let before = clock();
        client.invoke("add", "set-0", "a").done();
        let after = clock();
        client.invoke("add", "set-0", "b").fail("late");
        client.invoke("final", "set-0", "c").done();
        client.invoke("add", "set-1", "d").done();
        recorder.fault("kill", &crate::history::Fault::of_phase(Phase::Start));
        let told = all(&recorder).unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        // The two clocks are read one after the other.
        let slack = 1_000_000;
        let Told { group, asked_ns, told_ns } = told[0];
        assert_eq!(group, 3);
        assert!(before <= asked_ns + slack && asked_ns <= told_ns && told_ns <= after + slack);
    }
}
