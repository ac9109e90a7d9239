//! What the harness itself writes into a history: the run, the faults, the leaders.

use super::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is run: the value of the first event, op `run`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// From which plan and workloads follow.
    pub seed: u64,
    /// As on the command line: `none`, `partition`, `kill`, ….
    pub nemesis: String,
    /// Every fault that is to be injected. Empty with the nemesis `none`.
    pub plan: Vec<Planned>,
    /// How packets travel: `switch`, `proxy`, or `none` for a cluster that existed before.
    pub network: String,
    /// The commit of the sources.
    pub commit: String,
    /// Every node's name.
    pub nodes: Vec<String>,
    /// Which workloads must be found in the history.
    pub workloads: Vec<String>,
}

/// A fault of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The op of its events.
    pub fault: String,
    /// When, where and how strong; for people and for the nemesis.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What happens to a fault: the value of an event of the nemesis whose op is the fault's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Beginning or end.
    pub phase: Phase,
    /// Whether it is really there.
    pub state: State,
    /// Why it was skipped, or what is unclear.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Which nodes or links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// When it struck, in nanoseconds as `time`: before the event, which is written when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// From when on something was wrong that only leads to it, if that was before it struck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The group that it is about, if it leaves the others alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u64>,
    /// What it left behind, each counted since its start: see the table in `history.md`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub felt: BTreeMap<String, u64>,
    /// Each time that it struck, where that is more than once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moments: Vec<Moment>,
    /// What an operator asked for in vain while it lasted: the words of the answer, and how often they came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, u64>,
    /// What the nemesis saw of nodes that must not be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrong: Vec<String>,
}

/// A time at which a fault struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// In nanoseconds as `time`.
    pub since: u64,
    /// The group that it is about.
    pub group: u64,
}

/// A step of a fault, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// One fault begins.
    Start,
    /// One fault was taken back.
    Stop,
    /// All faults were taken back; from here on nobody touches the cluster. Op `heal`.
    Heal,
    /// Every group is led, every node serves, the digests of all replicas are equal. Op `heal`.
    Healed,
}

/// Whether a fault is where it was planned to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    Installed,
    /// It cannot be had here.
    Skipped,
    /// Nobody can say.
    Unclear,
    /// An operator's part of it was refused, or not done in time; nothing of it is in place.
    Refused,
}

impl State {
    /// For tables.
    pub fn word(self) -> &'static str {
        match self {
            State::Installed => "installed",
            State::Skipped => "skipped",
            State::Unclear => "unclear",
            State::Refused => "refused",
        }
    }
}

/// Who leads a group, as a node says: the value of an event with op `leader`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leader {
    /// The group's number.
    pub group: u64,
    /// The leader's name; `null` while nobody leads.
    pub node: Option<String>,
    /// The term it leads in.
    pub term: u64,
}

/// Where a wallet lives: the value of an event with op `wallet`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Home {
    /// The wallet's key in the history.
    pub key: String,
    /// The number of the group that has it.
    pub group: u64,
}

impl Fault {
    /// A phase of a fault that is in place, without any detail.
    pub fn of_phase(phase: Phase) -> Fault {
        Fault {
            phase,
            state: State::Installed,
            reason: String::new(),
            targets: Vec::new(),
            since: None,
            from: None,
            group: None,
            felt: BTreeMap::new(),
            moments: Vec::new(),
            refused: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    /// The fault that an event speaks of, if it speaks of one. A value of another shape is an error.
    pub fn of(event: &Event) -> Option<Result<Fault, serde_json::Error>> {
        let about =
            event.workload == "nemesis" && !["run", "leader", "wallet"].contains(&&*event.op);
        about.then(|| Fault::deserialize(&event.value))
    }
}
