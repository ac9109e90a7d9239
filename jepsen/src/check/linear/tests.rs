//! Against another's tester of linearizability, on runs that are true by their making, and on the same
//! runs after one lie.

use super::{Budget, Call, Outcome, check};
use crate::check::register::{Step, Wallet};
use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestCaseError},
};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use std::collections::BTreeMap;

/// A register as the other tester wants it.
#[derive(Clone, Debug)]
struct Register(Option<&'static str>);

#[derive(Clone, Debug, PartialEq)]
enum Shown {
    Read(Option<&'static str>),
    Replaced(bool),
}

impl SequentialSpec for Register {
    type Op = Step<'static>;
    type Ret = Shown;

    fn invoke(&mut self, step: &Step<'static>) -> Shown {
        match *step {
            Step::Read(_) => Shown::Read(self.0),
            Step::Cas { old, new } => {
                let fits = old == self.0;
                self.0 = if fits { new } else { self.0 };
                Shown::Replaced(fits)
            }
        }
    }
}

/// What the other tester says.
fn other(calls: &[Call<Step<'static>>]) -> bool {
    let mut places = BTreeMap::new();
    for (index, call) in calls.iter().enumerate() {
        let ends = call.end.map(|end| (end, (index, false)));
        for (place, point) in [(call.begin, (index, true))].into_iter().chain(ends) {
            assert_eq!(places.insert(place, point), None, "two points of a history at one place");
        }
    }
    let mut tester = LinearizabilityTester::new(Register(None));
    for (index, begins) in places.into_values() {
        let op = calls[index].op;
        if begins {
            tester.on_invoke(index, op).unwrap();
        } else {
            let shown = match op {
                Step::Read(shown) => Shown::Read(shown),
                Step::Cas { .. } => Shown::Replaced(true),
            };
            tester.on_return(index, shown).unwrap();
        }
    }
    tester.is_consistent()
}

fn accepts(calls: &[Call<Step<'_>>]) -> bool {
    match check(&Wallet::EMPTY, calls, Budget::default()) {
        Outcome::Linear => true,
        Outcome::Stuck(_) => false,
        Outcome::Exhausted(place) => panic!("exhausted at {place}"),
    }
}

fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(4), ..ProptestConfig::default() }
}

/// Any few operations, each at any place: most have no order.
fn any_calls(most: usize, ends: f64) -> impl Strategy<Value = Vec<Call<Step<'static>>>> {
    let held = prop::sample::select(vec![None, Some("a"), Some("b")]);
    let step = prop_oneof![
        held.clone().prop_map(Step::Read),
        (held.clone(), held).prop_map(|(old, new)| Step::Cas { old, new }),
    ];
    let call = (step, 0..20_usize, 1..8_usize, prop::bool::weighted(ends));
    prop::collection::vec(call, 1..=most).prop_map(|calls| {
        let calls = calls.into_iter().enumerate().map(|(index, (op, begin, length, ends))| Call {
            op,
            begin: begin * 32 + index,
            end: ends.then_some((begin + length) * 32 + 16 + index),
        });
        calls.collect()
    })
}

proptest! {
    #![proptest_config(seeded(10_000))]

    /// On any few operations both say the same.
    #[test]
    fn another_tester_agrees(calls in any_calls(8, 0.8)) {
        prop_assert_eq!(accepts(&calls), other(&calls));
    }

    #[test]
    fn another_tester_agrees_where_most_outcomes_are_unknown(calls in any_calls(6, 0.4)) {
        prop_assert_eq!(accepts(&calls), other(&calls));
    }
}

/// A run of a true register by processes that do one thing at a time.
#[derive(Debug)]
struct Run {
    calls: Vec<Call<Step<'static>>>,
    /// Everything that the register held, the last last.
    held: Vec<Option<&'static str>>,
    /// What failed to be written.
    failed: Vec<&'static str>,
    place: usize,
}

/// What a process does.
#[derive(Clone, Copy)]
enum Doing {
    Nothing,
    /// Has begun, at this place.
    Asked(usize, Step<'static>),
    /// Has taken its step; whether it did anything.
    Stepped(usize, Step<'static>, bool),
}

/// Each choice lets one process go on by one point of its operation.
fn run(choices: &[(u8, u8)], processes: usize) -> Run {
    let mut run = Run { calls: Vec::new(), held: vec![None], failed: Vec::new(), place: 0 };
    let mut doing = vec![Doing::Nothing; processes];
    let mut lost = Vec::new();
    for (count, &(who, what)) in choices.iter().enumerate() {
        // One that lost its client may still take its step.
        if what % 16 == 0
            && let Some(step) = lost.pop()
        {
            run.step(step);
        }
        let process = usize::from(who) % processes;
        run.place += 1;
        doing[process] = match doing[process] {
            Doing::Nothing => Doing::Asked(run.place, run.asks(count, what)),
            Doing::Asked(begin, step @ Step::Cas { .. }) if what < 16 => {
                run.calls.push(Call { op: step, begin, end: None });
                lost.push(step);
                Doing::Nothing
            }
            Doing::Asked(begin, step) => {
                let (step, done) = run.step(step);
                Doing::Stepped(begin, step, done)
            }
            Doing::Stepped(begin, op, true) => {
                let unknown = what < 16 && matches!(op, Step::Cas { .. });
                let end = (!unknown).then_some(run.place);
                run.calls.push(Call { op, begin, end });
                Doing::Nothing
            }
            Doing::Stepped(_, op, false) => {
                if let Step::Cas { new: Some(new), .. } = op {
                    run.failed.push(new);
                }
                Doing::Nothing
            }
        };
    }
    for (process, doing) in doing.into_iter().enumerate() {
        if let Doing::Asked(begin, op @ Step::Cas { .. }) | Doing::Stepped(begin, op, true) = doing
        {
            let ends = matches!(op, Step::Read(_));
            run.calls.push(Call { op, begin, end: ends.then_some(run.place + 1 + process) });
        }
    }
    run.place += processes + 1;
    run
}

impl Run {
    fn now(&self) -> Option<&'static str> {
        self.held.last().copied().flatten()
    }

    /// Half read; the others expect what is there, or what was there before.
    fn asks(&self, count: usize, what: u8) -> Step<'static> {
        if what.is_multiple_of(2) {
            return Step::Read(None);
        }
        let back = if what.is_multiple_of(5) { 2 } else { 1 };
        let old = self.held[self.held.len().saturating_sub(back)];
        Step::Cas { old, new: Some(format!("v{count}").leak()) }
    }

    fn step(&mut self, step: Step<'static>) -> (Step<'static>, bool) {
        match step {
            Step::Read(_) => (Step::Read(self.now()), true),
            Step::Cas { old, new } => {
                let fits = old == self.now();
                if fits {
                    self.held.push(new);
                }
                (step, fits)
            }
        }
    }

    /// One more operation after everything.
    fn then(&self, op: Step<'static>) -> Vec<Call<Step<'static>>> {
        let mut calls = self.calls.clone();
        calls.push(Call { op, begin: self.place + 1, end: Some(self.place + 2) });
        calls
    }

    /// An acknowledged write that was replaced by another acknowledged one, and the first of these.
    fn replaced(&self, pick: usize) -> Option<(&'static str, usize)> {
        let ended: Vec<_> = self
            .calls
            .iter()
            .filter_map(|call| match (call.op, call.end) {
                (Step::Cas { old: Some(old), .. }, Some(end)) => Some((old, end)),
                _ => None,
            })
            .collect();
        (!ended.is_empty()).then(|| ended[pick % ended.len()])
    }
}

fn any_run(choices: std::ops::Range<usize>) -> impl Strategy<Value = Run> {
    (prop::collection::vec(any::<(u8, u8)>(), choices), 1..8_usize)
        .prop_map(|(choices, processes)| run(&choices, processes))
}

/// A lie is refused, and the same run without it is not.
fn lie(run: &Run, lying: &[Call<Step<'static>>]) -> Result<(), TestCaseError> {
    prop_assert!(accepts(&run.calls));
    prop_assert!(!accepts(lying));
    Ok(())
}

proptest! {
    #![proptest_config(seeded(400))]

    /// What a true register did has an order, whatever was asked for at the same time and got lost.
    #[test]
    fn a_true_register_is_accepted(run in any_run(1..600)) {
        prop_assert!(accepts(&run.calls));
    }

    #[test]
    fn a_stale_read_is_refused(run in any_run(20..400), pick: usize) {
        let Some((old, end)) = run.replaced(pick) else { return Ok(()) };
        let mut calls = run.calls.clone();
        let late = calls.iter().position(|call| {
            call.begin > end && call.end.is_some() && matches!(call.op, Step::Read(_))
        });
        if let Some(late) = late {
            calls[late].op = Step::Read(Some(old));
            lie(&run, &calls)?;
        }
        lie(&run, &run.then(Step::Read(Some(old))))?;
    }

    /// A write that expects what was replaced long ago has lost the acknowledged one in between.
    #[test]
    fn an_acknowledged_write_that_was_lost_is_refused(run in any_run(20..400), pick: usize) {
        let Some((old, _)) = run.replaced(pick) else { return Ok(()) };
        lie(&run, &run.then(Step::Cas { old: Some(old), new: Some("new") }))?;
    }

    /// A wallet that holds again what was replaced: a write that took effect a second time.
    #[test]
    fn a_write_with_two_effects_is_refused(run in any_run(20..400), pick: usize) {
        let Some((old, _)) = run.replaced(pick) else { return Ok(()) };
        let mut calls = run.then(Step::Read(Some(old)));
        let place = run.place + 3;
        let op = Step::Cas { old: Some(old), new: Some("next") };
        calls.push(Call { op, begin: place, end: Some(place + 1) });
        lie(&run, &calls)?;
    }

    #[test]
    fn a_read_of_a_failed_write_is_refused(run in any_run(20..400), pick: usize) {
        if !run.failed.is_empty() {
            lie(&run, &run.then(Step::Read(Some(run.failed[pick % run.failed.len()]))))?;
        }
    }

    /// What is reported is the first end that nothing explains: before it there is an order.
    #[test]
    fn the_operation_that_is_named_is_the_first_without_an_order(calls in any_calls(7, 0.7)) {
        let Outcome::Stuck(stuck) = check(&Wallet::EMPTY, &calls, Budget::default()) else {
            return Ok(());
        };
        let end = calls[stuck.call].end.unwrap();
        let until = |last: usize| -> Vec<_> {
            let begun = calls.iter().filter(|call| call.begin <= last).cloned();
            begun.map(|call| Call { end: call.end.filter(|end| *end <= last), ..call }).collect()
        };
        prop_assert!(!other(&until(end)));
        prop_assert!(other(&until(end - 1)));
        prop_assert!(!stuck.open.contains(&stuck.call));
    }
}

/// Two writes of unknown outcome can have made way for a third; whichever did, the other still can.
#[test]
fn an_unknown_write_that_happened_in_some_orders_only_stays_open() {
    let cas = |old, new| Step::Cas { old, new };
    let steps = [
        (cas(None, Some("a")), false),
        (cas(None, Some("a")), false),
        (cas(Some("a"), Some("b")), true),
        (cas(Some("b"), None), true),
        (Step::Read(Some("a")), true),
    ];
    let calls: Vec<_> = (1..)
        .zip(steps)
        .map(|(n, (op, ends))| Call { op, begin: 2 * n, end: ends.then_some(2 * n + 1) })
        .collect();
    assert!(accepts(&calls) && other(&calls));
    assert!(!accepts(&calls[1..]) && !other(&calls[1..]));
}

/// Numbers that repeat, so that a test needs no randomness of its own.
fn choices(count: usize) -> Vec<(u8, u8)> {
    let mut word = 4_u64;
    let next = |word: &mut u64| {
        *word =
            word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*word >> 56) as u8
    };
    (0..count).map(|_| (next(&mut word), next(&mut word))).collect()
}

#[test]
fn long_histories_with_many_unknown_outcomes_are_judged_within_the_budget() {
    let run = run(&choices(60_000), 10);
    let unknown = run.calls.iter().filter(|call| call.end.is_none()).count();
    assert!(run.calls.len() > 10_000 && unknown > 100, "{} {unknown}", run.calls.len());
    assert!(accepts(&run.calls));
    let (old, _) = run.replaced(usize::MAX / 3).unwrap();
    assert!(!accepts(&run.then(Step::Read(Some(old)))));
}

/// Writes of unknown outcome that all fit, in any order: nothing prunes them.
#[test]
fn a_search_that_grows_too_large_is_given_up() {
    let mut calls: Vec<_> = (0..24)
        .flat_map(|n| {
            let name: &'static str = format!("v{n}").leak();
            [(None, Some(name)), (Some(name), None)]
        })
        .enumerate()
        .map(|(begin, (old, new))| Call { op: Step::Cas { old, new }, begin, end: None })
        .collect();
    calls.push(Call { op: Step::Read(Some("never")), begin: 100, end: Some(101) });
    let budget = Budget { steps: 1_000_000, configurations: 10_000 };
    assert_eq!(check(&Wallet::EMPTY, &calls, budget), Outcome::Exhausted(101));
    let budget = Budget { steps: 1_000, configurations: 10_000 };
    assert_eq!(check(&Wallet::EMPTY, &calls, budget), Outcome::Exhausted(101));
}
