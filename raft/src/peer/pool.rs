//! All peers of this node, and what every connection to one of them needs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use types::{GroupId, NodeId, NodeInfo};

use crate::host::Host;
use crate::identity::Identity;
use crate::metrics::PeerMetrics;
use crate::peer::acknowledged::Acknowledged;
use crate::peer::connector::{Connector, Purpose};
use crate::peer::control::{CallError, Control};
use crate::peer::convert::ControlKind;
use crate::peer::link::Link;
use crate::peer::session::Log;
use crate::roster::Roster;

/// Snapshots on their way to one peer at once.
const SNAPSHOTS: usize = 2;

/// What every connection to a peer needs to know.
pub(crate) struct Context {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) identity: Arc<ArcSwap<Identity>>,
    pub(crate) roster: Arc<ArcSwap<Roster>>,
    pub(crate) metrics: PeerMetrics,
    pub(crate) stopping: CancellationToken,
}

/// The peers this node has spoken to.
pub(crate) struct Peers {
    context: Arc<Context>,
    known: Mutex<HashMap<NodeId, Arc<Peer>>>,
}

/// One peer, under one address and in one life of its directory.
pub(crate) struct Peer {
    node: NodeInfo,
    pub(crate) control: Link<Control>,
    pub(crate) log: Link<Log>,
    pub(crate) acknowledged: Arc<Acknowledged>,
    pub(crate) snapshot: Channel,
    pub(crate) snapshots: Arc<Semaphore>,
    forward: Channel,
}

impl Peers {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Peers { context, known: Mutex::default() }
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The peer with this id, dialled if it never was. None if the registry does not know it.
    pub(crate) fn get(&self, id: NodeId) -> Option<Arc<Peer>> {
        let roster = self.context.roster.load();
        let node = roster.get(id)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = known.get(&id)
            && peer.node.peer == node.peer
            && peer.node.incarnation == node.incarnation
        {
            return Some(peer.clone());
        }
        let lazy = |purpose| Connector::to(self.context.host.clone(), node, purpose).connect_lazy();
        let peer = Arc::new(Peer {
            node: node.clone(),
            control: Link::start(self.context.clone(), id),
            log: Link::start(self.context.clone(), id),
            acknowledged: Arc::new(Acknowledged::new(id, self.context.metrics.clone())),
            snapshot: lazy(Purpose::Snapshot),
            snapshots: Arc::new(Semaphore::new(SNAPSHOTS)),
            forward: lazy(Purpose::Forward),
        });
        known.insert(id, peer.clone());
        Some(peer)
    }

    /// Forgets peers that the registry no longer counts among the cluster's.
    pub(crate) fn retain(&self, keep: impl Fn(NodeId) -> bool) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| keep(*id));
    }

    /// The peers that were found to lack what they had acknowledged.
    pub(crate) fn went_back(&self) -> Vec<NodeId> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = known.iter().filter(|(_, peer)| peer.acknowledged.check().is_err());
        lost.map(|(id, _)| *id).collect()
    }

    /// A peer called here: it can be reached, so whoever waits to try again tries now.
    pub(crate) fn poke(&self, id: NodeId) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(peer) = known {
            peer.control.poke();
            peer.log.poke();
        }
    }

    /// Asks a peer over the control link.
    pub(crate) async fn call(
        &self,
        id: NodeId,
        group: GroupId,
        kind: ControlKind,
        body: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        let peer = self
            .get(id)
            .ok_or_else(|| CallError::Unreachable(format!("node {id} is not in the registry")))?;
        let control = peer.control.get(deadline).await.map_err(CallError::Unreachable)?;
        control.call(group, kind, body, deadline).await
    }

    /// A connection for what is passed on to a peer.
    pub(crate) fn forward(&self, id: NodeId) -> Option<Channel> {
        self.get(id).map(|peer| peer.forward.clone())
    }
}
