//! Acts on a group or on the cluster.

use serde::{Deserialize, Serialize};
use types::ids::{ClusterId, GroupId, Incarnation, NodeId};
use types::node::{NodeState, Role};

use crate::codec::{self, blob};
use crate::digest::StateDigest;
use crate::journal::Fact;
use crate::policy::Policy;

/// An act. The order of the variants is format: new ones are appended.
///
/// [`SystemCommand::Bootstrap`] and [`SystemCommand::SetPolicy`] are for every group, the steps of a
/// restore for every group but 0, the others for group 0, and refused elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SystemCommand {
    /// Begins a cluster: once, the same in every group, which takes from it what concerns it.
    Bootstrap(Bootstrap),
    /// Gives a node its id, or repeats the id of the one that is registered as this.
    RegisterNode(NewNode),
    /// Changes where a node is reached.
    UpdateNode {
        /// The node.
        node: NodeId,
        /// Where peers reach it: `host:port`.
        peer: String,
        /// Where clients reach it: `https://host:port`.
        endpoint: String,
    },
    /// Moves a node on in its life. A removed one stays removed, and can be removed only when no
    /// placement names it.
    SetNodeState {
        /// The node.
        node: NodeId,
        /// Its new state.
        state: NodeState,
    },
    /// Says where a group's replicas should be. The group's leader works towards it.
    SetPlacement(Placing),
    /// Changes the limits that this group's apply keeps.
    SetPolicy(Policy),
    /// Allows, or again refuses, voter sets that one data centre's loss can outvote.
    AllowSingleDc(bool),
    /// Makes a key epoch known and the current one, and retires the one before it.
    AddEpoch {
        /// Its number: one more than the last.
        epoch: u32,
        /// What a node's key file must agree with; says nothing about the key.
        commitment: [u8; 32],
    },
    /// Says that an epoch's key is destroyed everywhere. Not for the current one; never undone.
    DestroyEpoch {
        /// Its number.
        epoch: u32,
    },
    /// Closes a fresh group, so that a backup can be restored into it.
    BeginRestore {
        /// The backup: the hash of its manifest. The same in every step.
        backup: [u8; 32],
    },
    /// Brings rows of the backup, all together ascending and without a gap.
    RestoreRows {
        /// The backup.
        backup: [u8; 32],
        /// The number of the first of these among the backup's rows of the group.
        first: u64,
        /// The rows, as in a frame of a snapshot.
        #[serde(with = "blob")]
        rows: Vec<u8>,
    },
    /// Brings what the journal knows beyond the backup. After the rows.
    RestoreFacts {
        /// The backup.
        backup: [u8; 32],
        /// The facts.
        facts: Vec<Fact>,
    },
    /// Opens the group again, if what came is what the backup has.
    FinishRestore {
        /// The backup.
        backup: [u8; 32],
        /// How many rows it has.
        rows: u64,
        /// Their digest.
        digest: StateDigest,
    },
    /// Says that a backup was taken, or that one was restored elsewhere and compared.
    NoteBackup {
        /// The backup.
        backup: [u8; 32],
        /// Whether it was compared.
        verified: bool,
        /// When, in Unix milliseconds. An earlier one than is known changes nothing.
        time_ms: u64,
    },
    /// Says up to which format level a node's program knows. Refused below the cluster's.
    AnnounceLevel {
        /// The node.
        node: NodeId,
        /// The level.
        level: u8,
    },
    /// Begins the next format level, for ever. Refused until every node that was not removed knows it.
    BeginLevel {
        /// The level.
        level: u8,
    },
}

/// How a cluster begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// The cluster's name for ever.
    pub cluster: ClusterId,
    /// Its first nodes, which get the ids 1, 2, … in this order and vote in every group; so they are
    /// held to P1's rule. One that has not started yet has [`Incarnation::ZERO`] and brings its own
    /// when it registers.
    pub nodes: Vec<NewNode>,
    /// How many groups hold wallets, at least one: they are the groups from
    /// [`GroupId::FIRST_WALLET`] on, and share the slots evenly.
    pub wallet_groups: u32,
    /// The regions that the cluster serves, strictly ascending.
    pub regions: Vec<u8>,
    /// Whether voters may be such that the loss of one data centre can lose acknowledged writes.
    pub allow_single_dc: bool,
    /// The limits that every group begins with.
    pub policy: Policy,
}

/// A node as it asks to be registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewNode {
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
}

/// Where a group's replicas should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placing {
    /// The group.
    pub group: GroupId,
    /// The version of the placement that this one replaces; 0 if there is none.
    pub replaces: u64,
    /// The voters, strictly ascending.
    pub voters: Vec<NodeId>,
    /// The learners, strictly ascending, none of them a voter.
    pub learners: Vec<NodeId>,
}

/// What an act answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SystemReply {
    /// It is done.
    Done,
    /// The node has this id.
    Registered {
        /// The id.
        node: NodeId,
    },
    /// The placement has this version now.
    Placed {
        /// The version.
        version: u64,
    },
    /// So much of the backup is there.
    Restored {
        /// Rows.
        rows: u64,
        /// Whether that is all, and the group open.
        finished: bool,
    },
}

impl SystemCommand {
    /// What a receipt remembers of the command, to tell a retry from another act under the same id.
    pub(crate) fn content(&self) -> [u8; 32] {
        types::hash::tagged("holdfast/1 act", &[&codec::encode(self)])
    }
}
