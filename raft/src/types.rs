//! openraft's type parameters, and the names this crate uses for them.
//!
//! None of these types leaves the crate, and none of them is a format: what goes to disk and to
//! peers is laid out in `log::entry` and `peer::convert`.

use std::fmt;

use bytes::Bytes;

pub(crate) use config::TypeConfig;

use crate::bounds;
use crate::trace::Trace;

#[allow(deprecated)] // openraft's macro names its own re-export of the tokio runtime.
mod config {
    openraft::declare_raft_types!(
        /// Many small groups of nodes that replicate opaque commands.
        pub(crate) TypeConfig:
            D = super::CommandBytes,
            R = store::Reply,
            NodeId = u64,
            Node = super::Replica,
    );
}

/// An encoded command, as it stands in the log and goes to peers. Encoded once, shared from then on.
#[derive(Clone)]
pub(crate) struct CommandBytes {
    pub(crate) bytes: Bytes,
    /// Not part of the command: it stays in memory.
    pub(crate) trace: Trace,
}

impl From<Bytes> for CommandBytes {
    fn from(bytes: Bytes) -> Self {
        CommandBytes { bytes, trace: Trace::default() }
    }
}

impl PartialEq for CommandBytes {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for CommandBytes {}

impl fmt::Display for CommandBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command of {} bytes", self.bytes.len())
    }
}

impl fmt::Debug for CommandBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a membership says about one of its nodes: where it stands. Addresses are not part of it,
/// because they may change; they are in the registry of group 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replica {
    /// Data centre, as the node's certificate names it.
    pub(crate) dc: String,
}

pub(crate) type Raft = openraft::Raft<TypeConfig, crate::machine::StateMachine>;
pub(crate) type LogId = openraft::alias::LogIdOf<TypeConfig>;
pub(crate) type LeaderId = openraft::alias::LeaderIdOf<TypeConfig>;
pub(crate) type Vote = openraft::alias::VoteOf<TypeConfig>;
pub(crate) type Entry = openraft::alias::EntryOf<TypeConfig>;
pub(crate) type Payload = openraft::alias::PayloadOf<TypeConfig>;
pub(crate) type Membership = openraft::Membership<u64, Replica>;
pub(crate) type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
pub(crate) type Snapshot = openraft::alias::SnapshotOf<TypeConfig, crate::snapshot::SnapshotData>;
pub(crate) type Metrics = openraft::RaftMetrics<TypeConfig>;

/// The store's name for a place in the log.
pub(crate) fn position(id: &LogId) -> store::Position {
    store::Position { term: id.leader_id.term, leader: id.leader_id.node_id, index: id.index }
}

/// openraft's name for a place in the log.
pub(crate) fn log_id(position: &store::Position) -> LogId {
    LogId::new(leader_id(position.term, position.leader), position.index)
}

/// As [`log_id`], of a place that was read or received: none if there is no such place.
pub(crate) fn lawful_log_id(position: &store::Position) -> Option<LogId> {
    let lawful = bounds::is_lawful(position.term) && bounds::is_lawful(position.index);
    lawful.then(|| log_id(position))
}

/// The leadership that wrote an entry.
pub(crate) fn leader_id(term: u64, node: u64) -> LeaderId {
    LeaderId { term, node_id: node }
}
