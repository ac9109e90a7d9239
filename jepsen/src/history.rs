//! What was asked and answered in a run: JSON lines, one per event, on one monotonic clock.
//!
//! The format is documented in `history.md`; foreign checkers read it. [`Recorder`] writes it while the run
//! goes on; [`History`] is one that was read back and whose beginnings and ends belong together.

mod harness;
mod read;
mod record;
#[cfg(test)]
mod tests;

pub use harness::{Fault, Home, Leader, Moment, Phase, Planned, Run, State};
pub use read::{EVENTS_MAX, Flaw, History, LINE_MAX_BYTES, Operation, ReadError};
pub use record::{Client, Open, RecordError, Recorder};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The code of what a client could not do for reasons of its own, as it stands in `denied`.
pub const OF_THE_CLIENT: &str = "client";

/// Who an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Process {
    /// A client. A number is used by one client at a time and ends with an unknown outcome.
    Client(u64),
    /// Who injects faults.
    Nemesis(Nemesis),
}

/// The name `nemesis` in the place of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nemesis {
    /// The only one.
    Nemesis,
}

/// Beginning or kind of end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// The operation begins.
    Invoke,
    /// It happened.
    Ok,
    /// It did not happen and will not.
    Fail,
    /// It may have happened, at any time from its beginning on. Also everything the nemesis does.
    Info,
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Whose.
    pub process: Process,
    /// Beginning or end.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Which workload it belongs to; `nemesis` for faults.
    pub workload: String,
    /// What: `read`, `cas`, `add`, `push`, `pull`, …; the fault's name for the nemesis.
    pub op: String,
    /// The wallet; a workload's keys begin with its name. Empty for the nemesis.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// What was written or read.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub value: Value,
    /// What a `cas` expected.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub old: Value,
    /// Nanoseconds of one monotonic clock since the run began.
    pub time: u64,
    /// What went wrong, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}
