//! How the node and its groups are.

use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use types::NodeId;

use crate::membership::rule;
use crate::node::{Group, Inner, Node};
use crate::peer::convert::{self, ControlKind};
use crate::status::{GroupStatus, GroupView, NodeStatus};

/// How long a leader is waited for before this replica's own view has to do.
const ASK: Duration = Duration::from_millis(500);

impl Node {
    /// How the node and its groups are. Leaders elsewhere are asked, all at once and briefly.
    pub async fn status(&self) -> NodeStatus {
        let node = &self.inner;
        let groups = node.groups.borrow().clone();
        let groups =
            futures::future::join_all(groups.values().map(|group| node.group_status(group))).await;
        let identity = node.identity.load();
        NodeStatus {
            cluster: identity.place.map(|place| place.cluster),
            node: identity.place.map(|place| place.node),
            name: node.config.name.clone(),
            dc: node.config.dc.clone(),
            incarnation: identity.incarnation,
            nodes: self.nodes(),
            zero_loss: node.zero_loss(),
            repair: node.repair(),
            disk_is_low: self.disk_is_low(),
            stuck: node.stuck.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            groups,
        }
    }
}

impl Inner {
    async fn group_status(&self, group: &Group) -> GroupStatus {
        let metrics = group.report().now().clone();
        let elsewhere =
            metrics.current_leader.map(NodeId).filter(|leader| Some(*leader) != self.id());
        let asked = match elsewhere {
            Some(leader) => {
                self.peers.call(leader, group.id, ControlKind::Status, Bytes::new(), ASK).await.ok()
            }
            None => None,
        };
        let view = asked.and_then(|body| convert::decode_view(body).ok());
        GroupStatus::of(group.id, &metrics, view.unwrap_or_else(|| GroupView::of(&metrics)))
    }

    /// Whether every voter set of every group keeps the rule, and if not, why.
    pub(crate) fn zero_loss(&self) -> Result<(), String> {
        let groups = self.groups.borrow().clone();
        if groups.is_empty() {
            return Err("the node has not joined a cluster".to_owned());
        }
        groups.values().try_for_each(|group| {
            let report = group.report();
            let seen = report.now();
            rule::check(seen.membership_config.membership(), false)
                .map_err(|reason| format!("group {}: {reason}", group.id))
        })
    }
}
