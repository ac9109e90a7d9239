//! Nodes of a cluster, and the rule that makes a set of voters safe.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{Incarnation, NodeId};

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Votes, leads, serves clients.
    Data,
    /// Votes; if elected, gives leadership away; serves no clients.
    Witness,
}

/// How far a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// In service.
    Active,
    /// Being emptied: gives leadership away, then leaves its groups.
    Draining,
    /// Gone for ever. Its id is not reused.
    Removed,
    /// Not to be believed any more: it lost what it had acknowledged, holds another state than the
    /// others, or has been away for too long. Its replicas move to other nodes; then its machine may
    /// come back, with nothing of before, under another id.
    Fenced,
}

impl NodeState {
    /// Whether what a node in this state says counts: its votes, its acknowledgements.
    pub fn counts(self) -> bool {
        matches!(self, Self::Active | Self::Draining)
    }
}

/// A node as the cluster's registry knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its id, never reused.
    pub id: NodeId,
    /// The machine's name, as its certificate says.
    pub name: String,
    /// Its data centre, as its certificate says.
    pub dc: String,
    /// What it is for.
    pub role: Role,
    /// Where peers reach it: `host:port`.
    pub peer: String,
    /// Where clients reach it: `https://host:port`.
    pub endpoint: String,
    /// Which life of its directory it is in.
    pub incarnation: Incarnation,
    /// How far it is in its life.
    pub state: NodeState,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data",
            Self::Witness => "witness",
        })
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Removed => "removed",
            Self::Fenced => "fenced",
        })
    }
}

/// Whether no loss of one data centre loses an acknowledged write: every possible majority of the voters,
/// given by the data centre of each, spans at least two data centres.
///
/// That holds exactly if the largest data centre holds fewer voters than a majority.
pub fn zero_loss<D: Ord>(voters: impl IntoIterator<Item = D>) -> bool {
    let mut per_dc = BTreeMap::new();
    for dc in voters {
        *per_dc.entry(dc).or_insert(0_usize) += 1;
    }
    let majority = per_dc.values().sum::<usize>() / 2 + 1;
    per_dc.values().max().is_some_and(|largest| *largest < majority)
}

#[cfg(test)]
mod tests;
