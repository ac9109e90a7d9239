//! What a history proves: every checker's verdict, and all together.
//!
//! A checker is a fold over the history. It names the wallet, the rule and the lines of what it found, so
//! that a finding can be followed by eye. What a checker cannot read makes its verdict unknown, never a
//! pass. The rules are those of `semantics.md`; which operations and values they are read from is said in
//! `history.md`.
//!
//! Not here: what only the nodes' disks and logs show, but for the search for planted secrets ([`leak`]).

mod calm;
mod chain;
mod coverage;
mod devices;
mod findings;
mod healing;
mod integrity;
pub mod leak;
pub mod linear;
mod nemesis;
mod once;
mod register;
mod service;
mod set;
#[cfg(test)]
mod story;
mod watch;

use crate::{
    history::{History, Type},
    verdict::Verdict,
};
use serde::Serialize;
use service::Service;
use std::collections::BTreeSet;

/// A checker's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The workload, or what is judged of the run as a whole.
    pub name: &'static str,
    /// What it found.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How many wallets it looked at.
    pub wallets: usize,
    /// How many operations.
    pub operations: usize,
    /// How many of them were acknowledged.
    pub acknowledged: usize,
    /// What a pass rests on, where that is not the number of operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

type Judge = fn(&History) -> Verdict;

/// Who judges the workloads.
const WORKLOADS: [(&str, Judge); 6] = [
    ("register", |history| register::check(history, linear::Budget::default())),
    ("set", set::check),
    ("once", once::check),
    ("chain", chain::check),
    ("watch", watch::check),
    ("devices", devices::check),
];

/// Who judges the run as a whole.
const WHOLE: [(&str, Judge); 4] = [
    ("coverage", coverage::check),
    ("healing", healing::check),
    ("integrity", integrity::check),
    ("nemesis", nemesis::check),
];

/// Judges a whole history: one verdict for each workload that is in it, one for what the run must have
/// contained, one for the healing, one for what did not verify, one for what the nemesis saw, one for the service
/// while faults lasted.
pub fn history(history: &History) -> Vec<Check> {
    let present = |workload: &str| history.events().any(|(_, event)| event.workload == workload);
    let of_workloads = WORKLOADS
        .into_iter()
        .filter(|(name, _)| present(name))
        .map(|(name, judge)| counted(name, judge(history), history, |workload| workload == name));
    let of_the_whole =
        WHOLE.into_iter().map(|(name, judge)| counted(name, judge(history), history, |_| true));
    of_workloads.chain(of_the_whole).chain([served(history)]).collect()
}

fn served(history: &History) -> Check {
    let Service { verdict, judged, faults } = service::check(history);
    let note = Some(format!("{judged} of {faults} faults judged"));
    Check { note, ..counted("service", verdict, history, |_| true) }
}

fn counted(
    name: &'static str,
    verdict: Verdict,
    history: &History,
    looked_at: impl Fn(&str) -> bool,
) -> Check {
    let mut wallets = BTreeSet::new();
    let mut check = Check { name, verdict, wallets: 0, operations: 0, acknowledged: 0, note: None };
    for operation in history.operations().filter(|found| looked_at(&found.invoke.workload)) {
        wallets.insert(operation.invoke.key.as_str());
        check.operations += 1;
        check.acknowledged += usize::from(operation.outcome() == Type::Ok);
    }
    check.wallets = wallets.len();
    check
}

/// All verdicts together, each reason with the name of its checker.
pub fn together(checks: &[Check]) -> Verdict {
    checks.iter().fold(Verdict::Pass, |all, check| {
        let named = |reasons: &[String]| {
            reasons.iter().map(|reason| format!("{}: {reason}", check.name)).collect()
        };
        all.and(match &check.verdict {
            Verdict::Pass => Verdict::Pass,
            Verdict::Unknown(reasons) => Verdict::Unknown(named(reasons)),
            Verdict::Fail(reasons) => Verdict::Fail(named(reasons)),
        })
    })
}

/// Whether a checker of this name judges a workload.
pub fn is_workload(name: &str) -> bool {
    WORKLOADS.iter().any(|(workload, _)| *workload == name)
}
