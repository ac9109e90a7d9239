//! `register`: the reads and writes of one wallet are those of one value that changes in single steps.
//!
//! A wallet holds nothing or one text. A `cas` replaces the one that it expects; a `read`, and the `final`
//! read of each device, shows what is there. Reads without an answer and writes that did not happen have no
//! part in it; a write of unknown outcome may happen at any time from its beginning on, or never.

#[cfg(test)]
mod tests;

use super::{
    findings::Findings,
    linear::{self, Budget, Call, Model, Outcome, Stuck},
};
use crate::{
    history::{History, Operation, Type},
    verdict::Verdict,
};
use serde::Deserialize;
use serde_json::Value;

/// What a wallet holds: nothing, or a text of the history.
pub(super) type Held<'a> = Option<&'a str>;

/// One step of a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Shows what is there.
    Read(Held<'a>),
    /// Replaces what is there.
    Cas { old: Held<'a>, new: Held<'a> },
}

/// A wallet that begins empty.
pub(super) struct Wallet<'a>(std::marker::PhantomData<&'a str>);

impl<'a> Wallet<'a> {
    pub(super) const EMPTY: Self = Wallet(std::marker::PhantomData);
}

impl<'a> Model for Wallet<'a> {
    type State = Held<'a>;
    type Op = Step<'a>;

    fn initial(&self) -> Held<'a> {
        None
    }

    fn step(&self, state: &Held<'a>, step: &Step<'a>) -> Option<Held<'a>> {
        match *step {
            Step::Read(shown) => (shown == *state).then_some(*state),
            Step::Cas { old, new } => (old == *state).then_some(new),
        }
    }
}

/// Judges every wallet of the workload.
pub(super) fn check(history: &History, budget: Budget) -> Verdict {
    let mut findings = Findings::default();
    for (key, operations) in history.wallets("register") {
        let calls = calls(&operations, &mut findings);
        let (of, calls): (Vec<usize>, Vec<Call<Step<'_>>>) = calls.into_iter().unzip();
        match linear::check(&Wallet::EMPTY, &calls, budget) {
            Outcome::Linear => {}
            Outcome::Stuck(stuck) => {
                let operation = |call: usize| said(&operations[of[call]], &calls[call].op);
                findings.fail(format!("{key}: {}", explain(&stuck, operation)));
            }
            Outcome::Exhausted(line) => findings.unclear(format!(
                "{key}: the search for an order was given up at line {line}, after {} steps or with \
                 {} configurations; judge a shorter run",
                budget.steps, budget.configurations
            )),
        }
    }
    findings.verdict()
}

/// The steps of a wallet, each with the index of its operation.
fn calls<'a>(
    operations: &[Operation<'a>],
    findings: &mut Findings,
) -> Vec<(usize, Call<Step<'a>>)> {
    let mut calls = Vec::with_capacity(operations.len());
    for (index, operation) in operations.iter().enumerate() {
        let outcome = operation.outcome();
        let invoke = operation.invoke;
        let op = match (invoke.op.as_str(), operation.ok()) {
            ("read" | "final", Some((line, answer))) => {
                findings.value::<Held<'_>>(line, answer).map(Step::Read)
            }
            ("read" | "final", None) => None,
            ("cas", _) if outcome == Type::Fail => None,
            ("cas", _) => match (held(&invoke.old), held(&invoke.value)) {
                (Some(old), Some(new)) => Some(Step::Cas { old, new }),
                _ => {
                    findings.unclear(format!(
                        "line {}: `value` and `old` of a `cas` are texts or null",
                        operation.begun
                    ));
                    None
                }
            },
            (other, _) => {
                findings.unclear(format!(
                    "line {}: `{other}` is no operation of register",
                    operation.begun
                ));
                None
            }
        };
        let end = operation.ended.filter(|_| outcome == Type::Ok);
        calls.extend(op.map(|op| (index, Call { op, begin: operation.begun, end })));
    }
    calls
}

fn held(value: &Value) -> Option<Held<'_>> {
    Held::deserialize(value).ok()
}

fn explain(stuck: &Stuck<Held<'_>>, operation: impl Fn(usize) -> String) -> String {
    let mut states: Vec<String> = stuck.states.iter().map(|held| show(*held)).collect();
    states.sort_unstable();
    let open: Vec<String> = stuck.open.iter().map(|call| operation(*call)).collect();
    let open = if open.is_empty() { "nothing".to_owned() } else { some(&open) };
    format!(
        "no order of single steps explains {}: until then the wallet can have held {} only; open beside it: {open}",
        operation(stuck.call),
        some(&states),
    )
}

/// The first eight; a reader needs no more.
fn some(all: &[String]) -> String {
    let more = all.len().saturating_sub(8);
    let first = all[..all.len() - more].join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

fn said(operation: &Operation<'_>, step: &Step<'_>) -> String {
    let what = match *step {
        Step::Read(shown) => format!("read of {}", show(shown)),
        Step::Cas { old, new } => format!("cas from {} to {}", show(old), show(new)),
    };
    let unknown = if operation.outcome() == Type::Ok { "" } else { ", outcome unknown" };
    format!("{what} ({}{unknown})", operation.lines())
}

fn show(held: Held<'_>) -> String {
    held.map_or_else(|| "null".to_owned(), |text| format!("{text:?}"))
}
