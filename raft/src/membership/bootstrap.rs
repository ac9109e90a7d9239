//! How a cluster begins: one explicit act on one fresh node.
//!
//! The node asks the others who they are, writes down what the cluster will be, tells each its place,
//! has the groups' first memberships written (group g by the g-th node, so that leaders spread), and
//! begins each group with one command. Killed at any step and repeated, it goes on from what it wrote
//! down: nobody gets two places, and nothing begins twice.
//!
//! ```text
//! draft: 1 version = 1 | 16 cluster | 4 wallet groups | 1 allow_single_dc | 2 nodes, as in the roster
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use proto::peer::peer_client::PeerClient;
use proto::peer::{AdoptRequest, IdentifyReply};
use rand::Rng;
use store::command::{Bootstrap, NewNode, SystemCommand};
use store::{Batch, Column, Durability, Engine, Policy};
use types::{ClusterId, GroupId, Incarnation, NodeId, NodeInfo, NodeState, Rejection};

use crate::certificate::ConnectionIdentity;
use crate::error::{ClusterError, chain};
use crate::host::offload;
use crate::identity::Place;
use crate::membership::act::Order;
use crate::membership::rule;
use crate::node::Node;
use crate::node::start::identify;
use crate::peer::connector::Connector;
use crate::roster::{Roster, parse_role};
use crate::types::Replica;
use crate::wire::{DecodeError, Reader, Writer};

const VERSION: u8 = 1;
const KEY: [u8; 1] = [0x81];

/// What a cluster is to be.
#[derive(Clone, Debug)]
pub struct NewCluster {
    /// Where its first nodes are reached, this one among them: `host:port`. All vote in every group.
    pub peers: Vec<String>,
    /// How many groups hold wallets.
    pub wallet_groups: u32,
    /// The residency regions it serves, ascending.
    pub regions: Vec<u8>,
    /// Whether voters may be such that the loss of one data centre can lose acknowledged writes.
    pub allow_single_dc: bool,
    /// The limits that every group begins with.
    pub policy: Policy,
}

/// What was decided before anybody was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    cluster: ClusterId,
    wallet_groups: u32,
    allow_single_dc: bool,
    roster: Roster,
}

impl Node {
    /// Makes a cluster of fresh nodes. Repeat it with the same settings if it did not come to its end.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] when it must not be: a node that is not fresh, voters that break the
    /// rule of zero loss, other settings than those it was begun with. [`ClusterError::Unavailable`] when
    /// somebody did not answer.
    pub async fn bootstrap(
        &self,
        order: Order,
        new: &NewCluster,
    ) -> Result<ClusterId, ClusterError> {
        let draft = self.draft(new).await?;
        let count = draft.roster.nodes().count();
        let groups: Vec<GroupId> =
            (0..GroupId::FIRST_WALLET.0 + draft.wallet_groups).map(GroupId).collect();
        // Everybody knows everybody before the first vote is asked for.
        try_join_all(draft.roster.nodes().map(|node| self.place(&draft, node, Vec::new()))).await?;
        let share = |at: usize| {
            groups.iter().map(|group| group.0).filter(move |group| *group as usize % count == at)
        };
        let begun = draft
            .roster
            .nodes()
            .enumerate()
            .map(|(at, node)| self.place(&draft, node, share(at).collect()));
        try_join_all(begun).await?;

        let begin = Bootstrap {
            cluster: draft.cluster,
            nodes: draft.roster.nodes().map(new_node).collect(),
            wallet_groups: draft.wallet_groups,
            regions: new.regions.clone(),
            allow_single_dc: draft.allow_single_dc,
            policy: new.policy.clone(),
        };
        let outcomes = join_all(groups.iter().map(|group| {
            let step = order.step("bootstrap", group.0.into());
            self.inner.act(*group, step, SystemCommand::Bootstrap(begin.clone()))
        }));
        for outcome in outcomes.await {
            match outcome? {
                // Begun by an earlier attempt under another name.
                Ok(_) | Err(Rejection::Exists) => {}
                Err(rejection) => return Err(ClusterError::Refused(rejection.to_string())),
            }
        }
        tracing::info!(cluster = %draft.cluster, nodes = count, groups = groups.len(), "the cluster has begun");
        Ok(draft.cluster)
    }

    /// What was written down before, or is now.
    async fn draft(&self, new: &NewCluster) -> Result<Draft, ClusterError> {
        let refused = |reason: String| ClusterError::Refused(reason);
        let standing = match kept(self.inner.engine.as_ref()).map_err(refused)? {
            Some(standing) => standing,
            None if self.identity().place.is_some() => {
                return Err(refused(format!(
                    "node {} belongs to a cluster already",
                    self.config().name
                )));
            }
            None => {
                let draft = self.decide(new).await?;
                let standing = self.write_down(draft.clone()).await?;
                if standing == draft {
                    return Ok(draft);
                }
                standing
            }
        };
        let same = standing.wallet_groups == new.wallet_groups
            && standing.allow_single_dc == new.allow_single_dc
            && self.are_at(&standing.roster, &new.peers).await?;
        if same {
            return Ok(standing);
        }
        let peers: Vec<_> = standing.roster.nodes().map(|node| node.peer.as_str()).collect();
        Err(refused(format!(
            "a cluster was begun here with the nodes {}, {} wallet groups and allow_single_dc = {}; \
             repeat it as it was",
            peers.join(", "),
            standing.wallet_groups,
            standing.allow_single_dc
        )))
    }

    /// Whether these nodes, and no others, are behind these addresses. A node may be named by another one
    /// than it gives to its peers.
    async fn are_at(&self, roster: &Roster, peers: &[String]) -> Result<bool, ClusterError> {
        let told: BTreeSet<&str> = roster.nodes().map(|node| node.peer.as_str()).collect();
        let asked: BTreeSet<&str> = peers.iter().map(String::as_str).collect();
        if asked == told {
            return Ok(true);
        }
        let answers = self.who_is_at(peers).await?;
        let there: BTreeSet<&[u8]> =
            answers.iter().map(|(_, reply)| reply.incarnation.as_ref()).collect();
        let meant = roster.nodes().map(|node| node.incarnation.as_bytes().as_slice()).collect();
        Ok(there == meant)
    }

    async fn who_is_at(
        &self,
        peers: &[String],
    ) -> Result<Vec<(ConnectionIdentity, IdentifyReply)>, ClusterError> {
        try_join_all(peers.iter().map(|peer| async move {
            let answer = identify(&self.inner.host, peer).await;
            answer.map_err(|reason| ClusterError::Unavailable(format!("{peer}: {reason}")))
        }))
        .await
    }

    /// Writes a draft down, unless one is there: what was begun by an attempt that nobody waits for any
    /// more may come first. Returns the one that stands.
    async fn write_down(&self, draft: Draft) -> Result<Draft, ClusterError> {
        let (inner, one) = (self.inner.clone(), self.inner.adopting.clone().lock_owned().await);
        let written = offload(self.inner.engine.blocks(), move || {
            let _one = one;
            let engine = inner.engine.as_ref();
            if let Some(standing) = kept(engine)? {
                return Ok(standing);
            }
            let mut batch = Batch::new();
            batch.put(Column::Meta, &KEY, &encode(&draft));
            engine.write(batch, Durability::Synced).map_err(|fault| chain(&fault))?;
            Ok(draft)
        });
        let failed = |reason: String| {
            ClusterError::Unavailable(format!("write down the new cluster: {reason}"))
        };
        written.await.map_err(|error| failed(error.to_string()))?.map_err(failed)
    }

    async fn decide(&self, new: &NewCluster) -> Result<Draft, ClusterError> {
        let refuse = |reason: String| Err(ClusterError::Refused(reason));
        if !Place::WALLET_GROUPS.contains(&new.wallet_groups) {
            return refuse(format!(
                "there must be 1 to 4096 wallet groups, not {}",
                new.wallet_groups
            ));
        }
        let mut nodes: Vec<NodeInfo> = Vec::new();
        for (id, (found, reply)) in (1..).zip(self.who_is_at(&new.peers).await?) {
            let name = reply.name.clone();
            if !reply.cluster.is_empty() {
                return refuse(format!("node {name} belongs to a cluster already"));
            }
            if nodes.iter().any(|node| node.name == name) {
                return refuse(format!("two of the addresses lead to node {name}"));
            }
            nodes.push(describe(NodeId(id), found, reply).map_err(ClusterError::Refused)?);
        }
        if !nodes.iter().any(|node| node.incarnation == self.identity().incarnation) {
            return refuse(format!(
                "node {} is not among the nodes named; name it too",
                self.config().name
            ));
        }
        let replicas =
            nodes.iter().map(|node| (node.id.0, Replica { dc: node.dc.clone() })).collect();
        let voters = nodes.iter().map(|node| node.id.0).collect();
        rule::check_sets(&[voters], &replicas, new.allow_single_dc)
            .map_err(ClusterError::Refused)?;
        let mut cluster = [0; ClusterId::LEN];
        rand::rng().fill_bytes(&mut cluster);
        Ok(Draft {
            cluster: ClusterId::from_bytes(cluster),
            wallet_groups: new.wallet_groups,
            allow_single_dc: new.allow_single_dc,
            roster: Roster::new(nodes),
        })
    }

    async fn place(
        &self,
        draft: &Draft,
        node: &NodeInfo,
        initialize: Vec<u32>,
    ) -> Result<(), ClusterError> {
        let request = AdoptRequest {
            cluster: Bytes::copy_from_slice(draft.cluster.as_bytes()),
            node: node.id.0,
            incarnation: Bytes::copy_from_slice(node.incarnation.as_bytes()),
            roster: draft.roster.to_proto(),
            wallet_groups: draft.wallet_groups,
            initialize,
            voters: draft.roster.nodes().map(|node| node.id.0).collect(),
            allow_single_dc: draft.allow_single_dc,
        };
        self.send_adopt(node, request).await
    }

    /// Tells a node its place.
    pub(crate) async fn send_adopt(
        &self,
        node: &NodeInfo,
        request: AdoptRequest,
    ) -> Result<(), ClusterError> {
        if node.incarnation == self.identity().incarnation {
            return Arc::clone(&self.inner).adopt(request).await;
        }
        let failed = |reason: &str| {
            ClusterError::Unavailable(format!("node {} at {}: {reason}", node.name, node.peer))
        };
        let channel = Connector::greeting(self.inner.host.clone(), &node.peer).connect().await;
        let channel = channel.map_err(|error| failed(&chain(&error)))?;
        let adopted = PeerClient::new(channel).adopt(request).await;
        adopted.map(drop).map_err(|status| match status.code() {
            tonic::Code::FailedPrecondition => ClusterError::Refused(status.message().to_owned()),
            _ => failed(status.message()),
        })
    }
}

/// A node as it described itself, under the id it is to have.
pub(crate) fn describe(
    id: NodeId,
    found: ConnectionIdentity,
    reply: IdentifyReply,
) -> Result<NodeInfo, String> {
    Ok(NodeInfo {
        id,
        name: found.name,
        dc: found.dc,
        role: parse_role(&reply.role)?,
        peer: reply.peer,
        endpoint: reply.endpoint,
        incarnation: Incarnation::parse(&reply.incarnation).map_err(|error| error.to_string())?,
        state: NodeState::Active,
    })
}

/// A node as it asks to be registered.
pub(crate) fn new_node(node: &NodeInfo) -> NewNode {
    let NodeInfo { name, dc, role, peer, endpoint, incarnation, .. } = node.clone();
    NewNode { name, dc, role, peer, endpoint, incarnation }
}

/// The draft that was written down here.
fn kept(engine: &dyn Engine) -> Result<Option<Draft>, String> {
    let kept = engine.get(Column::Meta, &KEY).map_err(|fault| chain(&fault))?;
    kept.map(|kept| decode(kept.into()).map_err(|error| error.to_string())).transpose()
}

pub(crate) fn encode(draft: &Draft) -> Bytes {
    let mut writer = Writer::new();
    writer
        .u8(VERSION)
        .bytes(draft.cluster.as_bytes())
        .u32(draft.wallet_groups)
        .flag(draft.allow_single_dc);
    writer.sized(&draft.roster.encode());
    writer.finish()
}

pub(crate) fn decode(bytes: Bytes) -> Result<Draft, DecodeError> {
    let mut reader = Reader::new("new cluster", bytes);
    reader.version(VERSION)?;
    let cluster = ClusterId::from_bytes(reader.array()?);
    let wallet_groups = reader.u32()?;
    if !Place::WALLET_GROUPS.contains(&wallet_groups) {
        return Err(reader.error("a cluster has 1 to 4096 wallet groups"));
    }
    let allow_single_dc = reader.flag()?;
    let roster = Roster::decode(reader.sized()?)?;
    reader.finish()?;
    Ok(Draft { cluster, wallet_groups, allow_single_dc, roster })
}

/// A draft with these nodes, as it is written down.
#[cfg(test)]
pub(crate) fn frozen(cluster: ClusterId, roster: Roster) -> Bytes {
    let draft = Draft { cluster, wallet_groups: 16, allow_single_dc: true, roster };
    let bytes = encode(&draft);
    assert_eq!(decode(bytes.clone()), Ok(draft));
    bytes
}
