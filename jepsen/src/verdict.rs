//! How a run, or one checker of it, is judged. See `semantics.md`.

use serde::{Deserialize, Serialize};

/// A judgement with its reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "reasons", rename_all = "lowercase")]
pub enum Verdict {
    /// Everything was looked at, and holds.
    #[default]
    Pass,
    /// Nobody can say; why. Not a pass.
    Unknown(Vec<String>),
    /// Something does not hold; what.
    Fail(Vec<String>),
}

impl Verdict {
    /// Fails with one reason.
    pub fn fail(reason: impl Into<String>) -> Self {
        Verdict::Fail(vec![reason.into()])
    }

    /// Unknown for one reason.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Verdict::Unknown(vec![reason.into()])
    }

    /// Fails with these reasons, or passes if there is none.
    pub fn of(findings: Vec<String>) -> Self {
        if findings.is_empty() { Verdict::Pass } else { Verdict::Fail(findings) }
    }

    /// Both together: a failure outweighs the unknown, and the unknown a pass. Reasons of the same weight
    /// are kept, the first first.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Verdict::Fail(mut mine), Verdict::Fail(theirs)) => {
                mine.extend(theirs);
                Verdict::Fail(mine)
            }
            (Verdict::Unknown(mut mine), Verdict::Unknown(theirs)) => {
                mine.extend(theirs);
                Verdict::Unknown(mine)
            }
            (fail @ Verdict::Fail(_), _) | (_, fail @ Verdict::Fail(_)) => fail,
            (unknown @ Verdict::Unknown(_), _) | (_, unknown @ Verdict::Unknown(_)) => unknown,
            (Verdict::Pass, Verdict::Pass) => Verdict::Pass,
        }
    }

    /// One word, as in tables.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Unknown(_) => "unknown",
            Verdict::Fail(_) => "fail",
        }
    }

    /// 0, 1 for fail, 2 for unknown: the exit code of a run.
    pub fn exit_code(&self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Fail(_) => 1,
            Verdict::Unknown(_) => 2,
        }
    }

    /// Why it is not a pass.
    pub fn reasons(&self) -> &[String] {
        match self {
            Verdict::Pass => &[],
            Verdict::Unknown(reasons) | Verdict::Fail(reasons) => reasons,
        }
    }
}
