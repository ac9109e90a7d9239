//! How a node and its groups are, for people and for metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use openraft::Instant as _;
use types::{ClusterId, GroupId, Incarnation, NodeId, NodeInfo};

use crate::types::Metrics;

/// A replica that has answered nothing for this long is not known to be anywhere.
pub(crate) const LATELY: Duration = Duration::from_secs(3);

/// A node's view of its cluster.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// The cluster; none while the node is fresh.
    pub cluster: Option<ClusterId>,
    /// The node's id; none while the node is fresh.
    pub node: Option<NodeId>,
    /// The machine's name.
    pub name: String,
    /// Its data centre.
    pub dc: String,
    /// Which life of its directory it is in.
    pub incarnation: Incarnation,
    /// Every node that was ever registered.
    pub nodes: Vec<NodeInfo>,
    /// Every group.
    pub groups: Vec<GroupStatus>,
    /// Whether no loss of one data centre can lose an acknowledged write, and if not, why.
    pub zero_loss: Result<(), String>,
    /// What this node is doing about damage to its own directory; none if there is none.
    pub repair: Option<String>,
    /// Whether its disk is below the reserve.
    pub disk_is_low: bool,
    /// What a group's leader wants to do about its replicas and cannot, by group.
    pub stuck: BTreeMap<GroupId, String>,
}

/// One group, as its leader sees it; as this replica does, when the leader cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStatus {
    /// The group.
    pub group: GroupId,
    /// Who leads it, as far as this node knows.
    pub leader: Option<NodeId>,
    /// The present term.
    pub term: u64,
    /// Index of the last entry in the log.
    pub last: Option<u64>,
    /// Index of the last committed entry.
    pub committed: Option<u64>,
    /// Index of the last applied entry.
    pub applied: Option<u64>,
    /// Index of the last entry that this node applied.
    pub applied_here: Option<u64>,
    /// Whether a change of voters is under way: then there are two sets, and both must agree.
    pub changing: bool,
    /// Its replicas.
    pub replicas: Vec<ReplicaStatus>,
}

/// One replica of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// Where it is.
    pub node: NodeId,
    /// In which data centre.
    pub dc: String,
    /// Whether it votes; otherwise it is a learner, which counts for nothing.
    pub voter: bool,
    /// Entries it is behind the leader; none if the leader could not be asked, or has not heard of the
    /// replica for three seconds.
    pub lag: Option<u64>,
}

/// What only a group's leader knows well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupView {
    pub(crate) term: u64,
    pub(crate) last: Option<u64>,
    pub(crate) committed: Option<u64>,
    pub(crate) applied: Option<u64>,
    /// Per replica that was heard of lately, how many entries it is behind.
    pub(crate) lag: BTreeMap<NodeId, u64>,
}

impl GroupView {
    pub(crate) fn of(metrics: &Metrics) -> Self {
        let end = metrics.last_log_index.map_or(0, |index| index + 1);
        let behind =
            |matched: Option<u64>| end.saturating_sub(matched.map_or(0, |index| index + 1));
        let heard = metrics.heartbeat.as_ref();
        let answers = |node: &u64| {
            let last = heard.and_then(|heard| heard.get(node)).and_then(Option::as_ref);
            *node == metrics.id || last.is_some_and(|last| last.elapsed() < LATELY)
        };
        let replication = metrics.replication.iter().flatten();
        GroupView {
            term: metrics.current_term,
            last: metrics.last_log_index,
            committed: metrics.local_committed.map(|id| id.index),
            applied: metrics.last_applied.map(|id| id.index),
            lag: replication
                .filter(|(node, _)| answers(node))
                .map(|(node, matched)| (NodeId(*node), behind(matched.map(|id| id.index))))
                .collect(),
        }
    }
}

impl GroupStatus {
    /// Puts a replica's and a leader's view together.
    pub(crate) fn of(group: GroupId, metrics: &Metrics, view: GroupView) -> Self {
        let membership = metrics.membership_config.membership();
        let sets = membership.get_joint_config();
        let replicas = membership.nodes().map(|(node, replica)| ReplicaStatus {
            node: NodeId(*node),
            dc: replica.dc.clone(),
            voter: sets.iter().any(|set| set.contains(node)),
            lag: view.lag.get(&NodeId(*node)).copied(),
        });
        GroupStatus {
            group,
            leader: metrics.current_leader.map(NodeId),
            term: view.term,
            last: view.last,
            committed: view.committed,
            applied: view.applied,
            applied_here: metrics.last_applied.map(|id| id.index),
            changing: sets.len() > 1,
            replicas: replicas.collect(),
        }
    }
}
