//! Taking a node out of service, and out of the cluster.

use std::time::Duration;

use store::command::SystemCommand;
use tokio::time::{Instant, sleep};
use types::{GroupId, NodeId, NodeState};

use crate::error::ClusterError;
use crate::membership::act::Order;
use crate::membership::plan;
use crate::node::Node;

/// How often it is looked whether a node is empty yet.
const LOOK: Duration = Duration::from_millis(100);

impl Node {
    /// Empties a node: it leads nothing, and its replicas move to others, until `deadline`. It stays
    /// registered. Repeat it to go on waiting.
    ///
    /// # Errors
    /// [`ClusterError::Refused`], before anything moves, when the nodes left could not keep the rule of
    /// zero loss, or the node is this one; [`ClusterError::Unavailable`] when it is not empty yet.
    pub async fn drain(
        &self,
        order: Order,
        id: NodeId,
        deadline: Duration,
    ) -> Result<(), ClusterError> {
        if self.inner.id() == Some(id) {
            return Err(ClusterError::Refused(format!(
                "node {id} cannot see its own leaving to its end: ask another node of the cluster"
            )));
        }
        let until = Instant::now() + deadline;
        let (facts, roster) = self.system().await?;
        let node = roster
            .get(id)
            .ok_or_else(|| ClusterError::Refused(format!("there is no node {id}")))?;
        match node.state {
            NodeState::Removed => return Ok(()),
            NodeState::Draining | NodeState::Fenced => {}
            NodeState::Active => {
                let left = roster.nodes().filter(|other| other.id != id);
                plan::place(left, &[], facts.allow_single_dc()).map_err(|reason| {
                    ClusterError::Refused(format!("without node {id}, {reason}"))
                })?;
                let command = SystemCommand::SetNodeState { node: id, state: NodeState::Draining };
                self.inner.must(GroupId::SYSTEM, order.step("drain", id.0), command).await?;
            }
        }
        while Instant::now() < until {
            let (facts, _) = self.system().await?;
            if !facts.places(id) && !self.holds_replica(id) {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        Err(ClusterError::Unavailable(format!(
            "node {id} still has replicas; they are moving, ask again"
        )))
    }

    /// Empties a node and removes it for ever. Its machine may come back with an empty directory, and
    /// is then another node.
    ///
    /// # Errors
    /// As [`Node::drain`].
    pub async fn remove(
        &self,
        order: Order,
        id: NodeId,
        deadline: Duration,
    ) -> Result<(), ClusterError> {
        self.drain(order, id, deadline).await?;
        let command = SystemCommand::SetNodeState { node: id, state: NodeState::Removed };
        self.inner.must(GroupId::SYSTEM, order.step("remove", id.0), command).await.map(drop)
    }

    /// Whether the membership of any group still names the node, as far as this node knows.
    fn holds_replica(&self, id: NodeId) -> bool {
        let groups = self.inner.groups.borrow().clone();
        groups.values().any(|group| {
            group.report().now().membership_config.membership().get_node(&id.0).is_some()
        })
    }
}
