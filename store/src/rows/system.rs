//! Rows of group 0: what the cluster knows of itself. Nodes are stored as [`types::node::NodeInfo`].

use serde::{Deserialize, Serialize};
use types::ids::{ClusterId, GroupId, NodeId, Slot};

use crate::codec;

/// The cluster's identity and what holds for all of it. In every group; only group 0's changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRow {
    /// Its name for ever.
    pub cluster: ClusterId,
    /// How many groups hold wallets.
    #[serde(deserialize_with = "codec::count::groups")]
    pub wallet_groups: u32,
    /// The regions it serves.
    pub regions: Vec<u8>,
    /// Whether voters may be such that the loss of one data centre can lose acknowledged writes.
    pub allow_single_dc: bool,
    /// How many nodes were ever registered; the next one gets the number after it.
    #[serde(deserialize_with = "codec::count::any")]
    pub nodes: u64,
    /// The current key epoch; 0 before the first.
    pub epoch: u32,
}

/// A format level: see [`crate::formats::Levels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelRow {
    /// The level.
    pub level: u8,
}

/// Where a group's replicas should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementRow {
    /// Rises by one with every change; 1 is the first.
    #[serde(deserialize_with = "codec::count::any")]
    pub version: u64,
    /// The voters, strictly ascending.
    pub voters: Vec<NodeId>,
    /// The learners, strictly ascending.
    pub learners: Vec<NodeId>,
}

/// Which group owns which slots of a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotMapRow {
    /// For each span its last slot and its group, ascending; a span begins behind the one before it.
    pub spans: Vec<(Slot, GroupId)>,
}

impl SlotMapRow {
    /// The group that owns a slot.
    pub fn group(&self, slot: Slot) -> Option<GroupId> {
        let at = self.spans.partition_point(|(last, _)| *last < slot);
        self.spans.get(at).map(|(_, group)| *group)
    }
}

/// A key epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRow {
    /// What a node's key must agree with.
    pub commitment: [u8; 32],
    /// How far it is in its life.
    pub state: EpochState,
    /// When it became so, in Unix milliseconds.
    pub since_ms: u64,
}

/// How far a key epoch is in its life. Only ever moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EpochState {
    /// New data keys are wrapped under it.
    Current,
    /// Still opens what was wrapped under it.
    Retired,
    /// Its key is gone, and with it whatever was wrapped under nothing else.
    Destroyed,
}

/// A backup, as an operator's program reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRow {
    /// The backup: the hash of its manifest.
    pub backup: [u8; 32],
    /// When it was taken or compared, in Unix milliseconds. Never goes back.
    pub time_ms: u64,
}
