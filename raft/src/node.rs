//! A node: all its groups, and this crate's whole public face.
//!
//! A node starts fresh or in its place. Fresh, it answers only who it is, until a cluster takes it in
//! ([`Node::bootstrap`] on one node, [`Node::join`] for one more); from then on it holds every group.
//! Handles are cheap to clone and share one node.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use proto::peer::{Hello, IdentifyReply};
use store::{Command, Engine, Reader, Reply, SnapshotSource};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;
use tracing::Instrument;
use types::{GroupId, NodeId, NodeInfo, WalletId};

use crate::certificate::ConnectionIdentity;
use crate::config::NodeConfig;
use crate::error::{ProposeError, ReadError};
use crate::facts::Facts;
use crate::fatal::{End, FatalSignal};
use crate::host::Host;
use crate::identity::{Identity, IdentityFile};
use crate::log::marks::Mark;
use crate::log::writer::LogQueue;
use crate::metrics::{NodeMetrics, PeerMetrics};
use crate::peer::handshake::{self, HelloError};
use crate::peer::pool::Peers;
use crate::propose;
use crate::recovery::Mandate;
use crate::repair::{Note, Quarantine};
use crate::roster::Roster;
use crate::tls::PeerTls;
use crate::trace::Trace;
use crate::upkeep::health::Health;

mod adopt;
mod group;
mod keep;
mod newcomers;
mod shutdown;
pub(crate) mod start;
mod view;

pub(crate) use group::Group;

/// A running node.
#[derive(Clone)]
pub struct Node {
    pub(crate) inner: Arc<Inner>,
}

/// What all handles of a node share.
pub(crate) struct Inner {
    pub(crate) config: NodeConfig,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) tls: PeerTls,
    pub(crate) file: IdentityFile,
    pub(crate) identity: Arc<ArcSwap<Identity>>,
    pub(crate) roster: Arc<ArcSwap<Roster>>,
    pub(crate) facts: watch::Sender<Arc<Facts>>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) groups: watch::Sender<Arc<BTreeMap<GroupId, Arc<Group>>>>,
    pub(crate) queue: LogQueue,
    /// Room for commands of all groups.
    pub(crate) proposals: propose::Room,
    pub(crate) writer: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// How far each group's log was on disk when the node started.
    pub(crate) marks: BTreeMap<GroupId, Mark>,
    /// One adoption at a time.
    pub(crate) adopting: Arc<tokio::sync::Mutex<()>>,
    /// Whether others are being asked who a stranger is.
    pub(crate) asking: AtomicBool,
    /// Why this node promises nothing. Set at its start or never.
    pub(crate) quarantine: OnceLock<Quarantine>,
    /// Going on without lost nodes, since this node started; none again when that is at its end.
    pub(crate) mandate: ArcSwapOption<Mandate>,
    /// Groups whose state is being fetched.
    pub(crate) restoring: Mutex<BTreeSet<GroupId>>,
    pub(crate) health: Health,
    pub(crate) metrics: NodeMetrics,
    pub(crate) fatal: FatalSignal,
    /// New work is refused.
    pub(crate) draining: CancellationToken,
    /// Everything ends.
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// What a leader wants to do about its group's replicas and cannot.
    pub(crate) stuck: Mutex<BTreeMap<GroupId, String>>,
}

impl Inner {
    pub(crate) fn group(&self, id: GroupId) -> Option<Arc<Group>> {
        self.groups.borrow().get(&id).cloned()
    }

    pub(crate) fn peer_metrics(&self) -> &PeerMetrics {
        &self.metrics.peers
    }

    pub(crate) fn node(&self, id: NodeId) -> Option<NodeInfo> {
        self.roster.load().get(id).cloned()
    }

    /// Whether a node was removed or fenced: then nothing that it says counts.
    pub(crate) fn is_out(&self, id: NodeId) -> bool {
        self.roster.load().get(id).is_some_and(|node| !node.state.counts())
    }

    /// This node's id; none while it is fresh.
    pub(crate) fn id(&self) -> Option<NodeId> {
        self.identity.load().place.map(|place| place.node)
    }

    /// What this node says of itself to whoever asks.
    pub(crate) fn describe(&self) -> IdentifyReply {
        let (identity, config) = (self.identity.load(), &self.config);
        let place = identity.place;
        IdentifyReply {
            name: config.name.clone(),
            dc: config.dc.clone(),
            incarnation: Bytes::copy_from_slice(identity.incarnation.as_bytes()),
            role: config.role.to_string(),
            peer: config.peer.clone(),
            endpoint: config.endpoint.clone(),
            cluster: place
                .map_or_else(Bytes::new, |place| Bytes::copy_from_slice(place.cluster.as_bytes())),
            node: place.map_or(0, |place| place.node.0),
            roster: self.roster.load().to_proto(),
            level: config.levels.known.into(),
        }
    }

    pub(crate) fn restoring(&self, groups: BTreeSet<GroupId>) {
        *self.restoring.lock().unwrap_or_else(PoisonError::into_inner) = groups;
    }

    pub(crate) fn restored(&self, group: GroupId) {
        self.restoring.lock().unwrap_or_else(PoisonError::into_inner).remove(&group);
    }

    /// What this node is doing about its own directory, if it has to.
    pub(crate) fn repair(&self) -> Option<String> {
        if let Some(quarantine) = self.quarantine.get() {
            return Some(format!(
                "in quarantine, it neither votes nor acknowledges: {}; waits for: {}",
                quarantine.reason,
                quarantine.progress()
            ));
        }
        if let Some(mandate) = self.mandate() {
            return Some(mandate.to_string());
        }
        let restoring = self.restoring.lock().unwrap_or_else(PoisonError::into_inner);
        let groups: Vec<String> = restoring.iter().map(GroupId::to_string).collect();
        (!groups.is_empty())
            .then(|| format!("fetching the state of groups {} from its peers", groups.join(", ")))
    }

    pub(crate) fn note_stuck(&self, group: GroupId, reason: Option<String>) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            None => {
                stuck.remove(&group);
            }
            Some(reason) => {
                if stuck.get(&group) != Some(&reason) {
                    tracing::warn!(%group, reason, "the group's replicas cannot be where they should be");
                    stuck.insert(group, reason);
                }
            }
        }
    }
}

impl Node {
    /// Who this node is.
    pub fn identity(&self) -> Identity {
        **self.inner.identity.load()
    }

    /// The settings it was started with.
    pub fn config(&self) -> &NodeConfig {
        &self.inner.config
    }

    /// What the registry says of this node; none while it is fresh.
    pub fn info(&self) -> Option<NodeInfo> {
        self.node(self.inner.id()?)
    }

    /// What the registry says of a node.
    pub fn node(&self, id: NodeId) -> Option<NodeInfo> {
        self.inner.node(id)
    }

    /// Every node that was ever registered, removed ones too.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        self.inner.roster.load().nodes().cloned().collect()
    }

    /// The group that owns a wallet; none if the cluster does not serve its region, or this node does
    /// not know yet.
    pub fn group_of(&self, wallet: &WalletId) -> Option<GroupId> {
        self.inner.facts.borrow().group_of(wallet)
    }

    /// Whether this node's replica of group 0 has come to the beginning of the cluster. Until then it
    /// cannot say which group owns a wallet, nor that none does.
    pub fn knows_cluster(&self) -> bool {
        self.inner.facts.borrow().cluster.is_some()
    }

    /// Every group of this node, in order; empty while it is fresh.
    pub fn groups(&self) -> Vec<GroupId> {
        self.inner.groups.borrow().keys().copied().collect()
    }

    /// The groups that hold wallets.
    pub fn wallet_groups(&self) -> Vec<GroupId> {
        self.groups().into_iter().filter(|group| group.holds_wallets()).collect()
    }

    /// Proposes a command to a group that this node leads, and waits for what applying it answered.
    ///
    /// # Errors
    /// [`ProposeError`] says whether anything was proposed. Dropping the future leaves the command on
    /// its way, as `Unknown` does.
    pub async fn propose(&self, group: GroupId, command: &Command) -> Result<Reply, ProposeError> {
        if self.inner.draining.is_cancelled() {
            return Err(ProposeError::NotLeader {
                leader: self.leader(group).filter(|_| !self.is_leader(group)),
            });
        }
        let group = self.inner.group(group).ok_or(ProposeError::Stopped)?;
        self.inner.may_propose(command).map_err(|reason| ProposeError::TooEarly { reason })?;
        let bytes =
            command.encode().map_err(|store::CommandError::TooLarge { found, limit }| {
                ProposeError::TooLarge { bytes: found, limit }
            })?;
        group
            .proposals
            .propose(bytes.into(), propose::is_urgent(command))
            .instrument(Trace::proposal(group.id))
            .await
            .map_err(|failure| failure.named(|id| self.node(id)))
    }

    /// The state of a group, with everything acknowledged before the call in it. On any replica.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] when no majority confirms the group's leader in time.
    pub async fn read(&self, group: GroupId) -> Result<Reader, ReadError> {
        let held = self.inner.group(group).ok_or(ReadError::NotHere)?;
        held.reads.barrier().await?;
        self.replica(group)
    }

    /// The state of a group, with everything acknowledged until `max_age` ago in it.
    ///
    /// # Errors
    /// As [`Node::read`].
    pub async fn read_recent(
        &self,
        group: GroupId,
        max_age: Duration,
    ) -> Result<Reader, ReadError> {
        let held = self.inner.group(group).ok_or(ReadError::NotHere)?;
        held.reads.recent(max_age).await?;
        self.replica(group)
    }

    /// The state of a group as this replica has it, however old. For status and for comparing replicas.
    ///
    /// # Errors
    /// [`ReadError::NotHere`] when this node does not hold the group or its state cannot be read.
    pub fn replica(&self, group: GroupId) -> Result<Reader, ReadError> {
        self.inner.group(group).ok_or(ReadError::NotHere)?;
        let reader = Reader::open(self.inner.engine.as_ref(), group);
        reader.map_err(|fault| self.unreadable(group, &fault))
    }

    fn unreadable(&self, group: GroupId, fault: &store::Fault) -> ReadError {
        let reason = format!("state of group {group}: {}", crate::error::chain(fault));
        self.inner.fatal.end(match fault.damage() {
            Some(damage) => End::Damaged(damage, reason),
            None => End::Failed(reason),
        });
        ReadError::NotHere
    }

    /// A group's whole state, with everything acknowledged before the call in it, to be carried away
    /// frame by frame.
    ///
    /// # Errors
    /// As [`Node::read`].
    pub async fn export(&self, group: GroupId) -> Result<SnapshotSource, ReadError> {
        let held = self.inner.group(group).ok_or(ReadError::NotHere)?;
        held.reads.barrier().await?;
        let source = SnapshotSource::open(self.inner.engine.as_ref(), group);
        source.map_err(|fault| self.unreadable(group, &fault))
    }

    /// The position a group's state stands at on this node, and its changes.
    pub fn applied(&self, group: GroupId) -> Option<watch::Receiver<Option<store::Position>>> {
        self.inner.group(group).map(|group| group.cell.applied())
    }

    /// Who leads a group, as far as this node knows.
    pub fn leader(&self, group: GroupId) -> Option<NodeInfo> {
        let leader = self.inner.group(group)?.report().now().current_leader?;
        self.node(NodeId(leader))
    }

    /// Whether this node leads a group, as far as it knows.
    pub fn is_leader(&self, group: GroupId) -> bool {
        self.inner.group(group).is_some_and(|group| group.raft.is_leader())
    }

    /// A connection to a peer for requests that are passed on; it connects when it is first used.
    pub fn channel(&self, to: NodeId) -> Option<Channel> {
        self.inner.peers.forward(to)
    }

    /// The greeting that a request passed on to `to` carries.
    ///
    /// # Errors
    /// [`HelloError`] when this node or the other is in no cluster.
    pub fn hello(&self, to: NodeId) -> Result<Hello, HelloError> {
        let node = self.node(to).ok_or(HelloError::Unknown(to))?;
        handshake::hello(&self.inner.identity.load(), &node)
    }

    /// Checks the greeting of a request that was passed on, against the certificate of its connection.
    ///
    /// # Errors
    /// [`HelloError`] when it must not be answered.
    pub fn check_hello(
        &self,
        certificate: Option<&ConnectionIdentity>,
        hello: &Hello,
    ) -> Result<NodeInfo, HelloError> {
        handshake::check(&self.inner.identity.load(), &self.inner.roster.load(), certificate, hello)
    }

    /// Ends when this node cannot go on, with the reason. The process must end then. What has to be
    /// repaired is noted when this returns, so that the next start does it.
    pub fn fatal(&self) -> impl Future<Output = End> + Send + 'static {
        let (fatal, directory) = (self.inner.fatal.clone(), self.inner.config.directory.clone());
        async move {
            let end = fatal.wait().await;
            if let End::Damaged(damage, reason) = &end {
                let note = Note::found(*damage, reason.clone());
                let saved = tokio::task::spawn_blocking(move || note.save(&directory)).await;
                if !matches!(saved, Ok(Ok(()))) {
                    tracing::error!(
                        "no note could be left: the next start has to find the damage anew"
                    );
                }
            }
            end
        }
    }

    /// Whether [`Node::fatal`] has come.
    pub fn failed(&self) -> Option<String> {
        self.inner.fatal.raised().map(|end| end.reason().to_owned())
    }
}
