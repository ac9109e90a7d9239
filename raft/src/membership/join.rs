//! One more node for a cluster.

use bytes::Bytes;
use proto::peer::AdoptRequest;
use store::Reader;
use store::command::{SystemCommand, SystemReply};
use store::formats::FIRST_LEVEL;
use types::{ClusterId, GroupId, NodeId, NodeInfo, NodeState};

use crate::error::{ClusterError, chain};
use crate::facts::Facts;
use crate::membership::act::Order;
use crate::membership::bootstrap::{describe, new_node};
use crate::node::start::identify;
use crate::node::{Inner, Node};
use crate::roster::Roster;

impl Node {
    /// Takes a fresh node into this node's cluster, under a new id. It becomes a learner of every group,
    /// and a voter where one is wanted. Repeat it if it did not come to its end.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] when the node belongs to another cluster, or its name to another
    /// directory; [`ClusterError::Unavailable`] when it, or group 0's leader, did not answer.
    pub async fn join(&self, order: Order, address: &str) -> Result<NodeId, ClusterError> {
        let place = self.identity().place.ok_or_else(|| {
            ClusterError::Refused(format!(
                "node {} belongs to no cluster itself",
                self.config().name
            ))
        })?;
        let (found, reply) = identify(&self.inner.host, address)
            .await
            .map_err(|reason| ClusterError::Unavailable(format!("{address}: {reason}")))?;
        if let Ok(cluster) = ClusterId::parse(&reply.cluster)
            && cluster != place.cluster
        {
            return Err(ClusterError::Refused(format!(
                "node {} belongs to another cluster",
                reply.name
            )));
        }
        // A program that says nothing is of the first release.
        let knows = reply.level.max(FIRST_LEVEL.into());
        let node = describe(NodeId(0), found, reply).map_err(ClusterError::Refused)?;
        let (facts, roster) = self.system().await?;
        if knows < facts.level.into() {
            return Err(ClusterError::Refused(format!(
                "node {} runs a program that knows format level {knows}, and the cluster is at {}: start a newer one",
                node.name, facts.level
            )));
        }
        let before = roster.nodes().find(|known| known.incarnation == node.incarnation);
        if before.is_some_and(|known| known.state == NodeState::Removed) {
            return Err(ClusterError::Refused(format!(
                "node {} was removed for ever, with the directory that it still runs on: stop it, empty \
                 the directory, start it, and let it join again",
                node.name
            )));
        }
        let registered = self.inner.must(
            GroupId::SYSTEM,
            order.step("register", 0),
            SystemCommand::RegisterNode(new_node(&node)),
        );
        let SystemReply::Registered { node: id } = registered.await? else {
            return Err(ClusterError::Unavailable("group 0 answered another question".to_owned()));
        };
        let (facts, roster) = self.system().await?;
        let request = AdoptRequest {
            cluster: Bytes::copy_from_slice(place.cluster.as_bytes()),
            node: id.0,
            incarnation: Bytes::copy_from_slice(node.incarnation.as_bytes()),
            roster: roster.to_proto(),
            wallet_groups: place.wallet_groups,
            initialize: Vec::new(),
            voters: Vec::new(),
            allow_single_dc: facts.allow_single_dc(),
        };
        self.send_adopt(&NodeInfo { id, ..node }, request).await?;
        Ok(id)
    }

    /// Group 0 as of now.
    pub(crate) async fn system(&self) -> Result<(Facts, Roster), ClusterError> {
        self.inner.system().await
    }
}

impl Inner {
    /// Group 0 as of now.
    pub(crate) async fn system(&self) -> Result<(Facts, Roster), ClusterError> {
        let unavailable = |reason: String| ClusterError::Unavailable(format!("group 0: {reason}"));
        let held = self.group(GroupId::SYSTEM).ok_or_else(|| unavailable("not here".to_owned()))?;
        held.reads.barrier().await.map_err(|error| unavailable(error.to_string()))?;
        let read = Reader::open(self.engine.as_ref(), GroupId::SYSTEM)
            .and_then(|reader| Facts::read(&reader));
        read.map_err(|fault| unavailable(chain(&fault)))
    }
}
