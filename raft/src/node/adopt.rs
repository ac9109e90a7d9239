//! How a cluster takes a node in: it learns its place, once, and runs from then on.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::peer::AdoptRequest;
use types::{ClusterId, GroupId, Incarnation, NodeId};

use crate::error::{ClusterError, chain};
use crate::host::offload;
use crate::identity::{Identity, Place};
use crate::membership::rule;
use crate::node::Inner;
use crate::roster::Roster;
use crate::types::Replica;

impl Inner {
    /// Takes the node into a cluster, once. What it began, it finishes, also when nobody waits for it any
    /// more; asked again, it is content.
    pub(crate) async fn adopt(self: &Arc<Self>, request: AdoptRequest) -> Result<(), ClusterError> {
        let node = self.clone();
        let taken = self.tasks.spawn(async move { node.take_place(request).await });
        taken.await.unwrap_or_else(|error| {
            Err(ClusterError::Unavailable(format!("node {}: {error}", self.config.name)))
        })
    }

    async fn take_place(self: &Arc<Self>, request: AdoptRequest) -> Result<(), ClusterError> {
        let _one = self.adopting.lock().await;
        let refuse =
            |reason: &str| ClusterError::Refused(format!("node {}: {reason}", self.config.name));
        let malformed = || refuse("the request is malformed");
        let cluster = ClusterId::parse(&request.cluster).map_err(|_| malformed())?;
        let incarnation = Incarnation::parse(&request.incarnation).map_err(|_| malformed())?;
        let roster = Roster::from_proto(request.roster).map_err(refuse)?;
        let place =
            Place::checked(cluster, NodeId(request.node), request.wallet_groups).map_err(refuse)?;
        let present = **self.identity.load();
        if incarnation != present.incarnation {
            return Err(refuse("another directory is meant; ask who is there again"));
        }
        match present.place {
            Some(found) if found != place => return Err(refuse("it belongs to a cluster already")),
            Some(_) => {}
            None => {
                let named = roster.get(place.node).is_some_and(|node| {
                    node.name == self.config.name
                        && node.dc == self.config.dc
                        && node.incarnation == incarnation
                });
                if !named {
                    return Err(refuse("the request does not describe this node"));
                }
                self.settle(place, roster).await?;
            }
        }
        let first: Vec<GroupId> = request.initialize.into_iter().map(GroupId).collect();
        self.initialize(&first, &request.voters, request.allow_single_dc).await
    }

    async fn settle(self: &Arc<Self>, place: Place, roster: Roster) -> Result<(), ClusterError> {
        let failed = |reason: String| {
            ClusterError::Unavailable(format!("node {}: {reason}", self.config.name))
        };
        let identity = Identity { place: Some(place), ..**self.identity.load() };
        let (node, kept) = (self.clone(), roster.clone());
        let written = offload(self.engine.blocks(), move || {
            // First whom to reach, then that there is somebody to be reached.
            kept.save(node.engine.as_ref()).map_err(|error| chain(&error))?;
            node.file.settle(identity).map_err(|error| chain(&error))
        });
        written.await.map_err(|error| failed(error.to_string()))?.map_err(failed)?;
        self.roster.store(Arc::new(roster));
        self.identity.store(Arc::new(identity));
        tracing::info!(cluster = %place.cluster, node = %place.node, "taken into the cluster");
        // What is on disk says that the node is in the cluster: it runs whole, or starts anew.
        self.run_groups(place).await.map_err(|error| {
            let reason = chain(&error);
            self.fatal.raise(format!("start the groups: {reason}"));
            failed(reason)
        })
    }

    /// Writes the first membership of groups that have none.
    async fn initialize(
        &self,
        groups: &[GroupId],
        voters: &[u64],
        allow_single_dc: bool,
    ) -> Result<(), ClusterError> {
        let roster = self.roster.load();
        let mut nodes = BTreeMap::new();
        for voter in voters {
            let node = roster.get(NodeId(*voter));
            let node = node.ok_or_else(|| {
                ClusterError::Refused(format!("node {voter} is not in the registry"))
            })?;
            nodes.insert(*voter, Replica { dc: node.dc.clone() });
        }
        for id in groups {
            let group = self
                .group(*id)
                .ok_or_else(|| ClusterError::Refused(format!("there is no group {id}")))?;
            rule::check_sets(&[nodes.keys().copied().collect()], &nodes, allow_single_dc)
                .map_err(ClusterError::Refused)?;
            let failed = |error: &dyn std::error::Error| ClusterError::Unavailable(chain(error));
            if !group.raft.is_initialized().await.map_err(|error| failed(&error))? {
                match group.raft.initialize(nodes.clone()).await {
                    Ok(()) => {}
                    // A leader was quicker. Its membership is the same or a later one.
                    Err(openraft::errors::RaftError::APIError(
                        openraft::errors::InitializeError::NotAllowed(_),
                    )) => {}
                    Err(error) => return Err(failed(&error)),
                }
            }
        }
        Ok(())
    }
}
