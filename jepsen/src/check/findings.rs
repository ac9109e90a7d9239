//! What a checker has found so far.

use crate::{history::Event, verdict::Verdict};
use serde::Deserialize;

/// More reasons than this are counted and not kept: the first ones say what happened.
const KEPT: usize = 20;

/// Reasons against a pass.
#[derive(Debug, Default)]
pub(super) struct Findings {
    failed: Reasons,
    unclear: Reasons,
}

#[derive(Debug, Default)]
struct Reasons {
    kept: Vec<String>,
    more: usize,
}

impl Findings {
    /// A rule does not hold.
    pub(super) fn fail(&mut self, reason: String) {
        self.failed.add(reason);
    }

    /// Something cannot be judged.
    pub(super) fn unclear(&mut self, reason: String) {
        self.unclear.add(reason);
    }

    /// Whether a rule did not hold.
    pub(super) fn failed(&self) -> bool {
        !self.failed.kept.is_empty()
    }

    /// The value of an event in the shape that its operation has; unclear if it has another.
    pub(super) fn value<'a, T: Deserialize<'a>>(
        &mut self,
        line: usize,
        event: &'a Event,
    ) -> Option<T> {
        match T::deserialize(&event.value) {
            Ok(value) => Some(value),
            Err(error) => {
                let Event { workload, op, .. } = event;
                self.unclear(format!(
                    "line {line}: the value of `{op}` is not what history.md says for {workload}: {error}"
                ));
                None
            }
        }
    }

    /// The judgement.
    pub(super) fn verdict(self) -> Verdict {
        if self.failed() {
            Verdict::Fail(self.failed.said())
        } else if self.unclear.kept.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Unknown(self.unclear.said())
        }
    }
}

impl Reasons {
    fn add(&mut self, reason: String) {
        if self.kept.len() < KEPT {
            self.kept.push(reason);
        } else {
            self.more += 1;
        }
    }

    fn said(mut self) -> Vec<String> {
        if self.more > 0 {
            self.kept.push(format!("and {} more", self.more));
        }
        self.kept
    }
}
