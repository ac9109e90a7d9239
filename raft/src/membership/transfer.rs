//! Giving leadership away.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use types::{GroupId, NodeId};

use crate::error::ClusterError;
use crate::node::{Group, Inner, Node};
use crate::peer::convert::{self, ControlKind};
use crate::types::Metrics;

/// How long an operator's transfer may take.
const TRANSFER: Duration = Duration::from_secs(10);

impl Node {
    /// Makes another node the leader of a group, whoever leads it now.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] when the node cannot lead it, [`ClusterError::Unavailable`] when it did
    /// not take over in time; then the group elects a leader as always.
    pub async fn transfer(&self, group: GroupId, to: NodeId) -> Result<(), ClusterError> {
        let node = &self.inner;
        let held = node
            .group(group)
            .ok_or_else(|| ClusterError::Refused(format!("there is no group {group}")))?;
        let voters: Vec<u64> = held.raft.voter_ids().collect();
        if !voters.contains(&to.0) {
            return Err(ClusterError::Refused(format!(
                "node {to} has no vote in group {group}: it cannot lead it"
            )));
        }
        if !node.may_lead(to) {
            return Err(ClusterError::Refused(format!(
                "node {to} is a witness, not in service, or its disk is full or slow: it must not lead"
            )));
        }
        let until = Instant::now() + TRANSFER;
        let late = |reason: String| ClusterError::Unavailable(format!("group {group}: {reason}"));
        let mut report = held.report();
        while Instant::now() < until {
            let leader = report.seen().current_leader.map(NodeId);
            match leader {
                Some(leader) if leader == to => return Ok(()),
                Some(leader) if Some(leader) == node.id() => {
                    hand_over(node, &held, to, until).await.map_err(late)?
                }
                Some(leader) => {
                    let body = convert::encode_hand_over(&to.0);
                    let asked =
                        node.peers.call(leader, group, ControlKind::HandOver, body, TRANSFER).await;
                    asked.map_err(|error| late(error.to_string()))?;
                }
                None => {}
            }
            let again = Instant::now() + node.config.timing.outage_max();
            let taken = |metrics: &Metrics| metrics.current_leader == Some(to.0);
            let _ = timeout_at(until.min(again), report.until(taken)).await;
        }
        Err(late(format!("node {to} did not take over in time")))
    }

    /// Gives away every leadership that this node holds: a node that cannot serve must not lead.
    /// Groups that no other node can lead stay as they are.
    pub async fn step_down(&self) {
        let groups = self.inner.groups.borrow().clone();
        for group in groups.values() {
            if let Some(to) = successor(&self.inner, group) {
                let until = Instant::now() + self.inner.config.timing.outage_max();
                if let Err(reason) = hand_over(&self.inner, group, to, until).await {
                    tracing::warn!(group = %group.id, reason, "leadership was not handed over");
                }
            }
        }
    }
}

/// Who should lead a group in place of this node: the voter that is least behind. None if this node
/// does not lead it, or nobody else who answers may.
pub(crate) fn successor(node: &Inner, group: &Group) -> Option<NodeId> {
    if !group.raft.is_leader() {
        return None;
    }
    let lag = group.view().lag;
    let others = group
        .raft
        .voter_ids()
        .map(NodeId)
        .filter(|id| Some(*id) != node.id() && node.may_lead(*id));
    others.filter(|id| lag.contains_key(id)).min_by_key(|id| lag.get(id).copied())
}

/// Gives a group's leadership to `to` and waits until this node leads no more.
pub(crate) async fn hand_over(
    node: &Inner,
    group: &Group,
    to: NodeId,
    until: Instant,
) -> Result<(), String> {
    let mut report = group.report();
    while group.raft.is_leader() {
        if Instant::now() >= until {
            return Err(format!("group {}: node {to} did not take over in time", group.id));
        }
        group.raft.trigger().transfer_leader(to.0).await.map_err(|error| error.to_string())?;
        // A request that got lost is made again.
        let again = Instant::now() + node.config.timing.outage_max();
        let given = |metrics: &Metrics| !metrics.state.is_leader();
        let _ = timeout_at(until.min(again), report.until(given)).await;
    }
    Ok(())
}
