//! How a node starts, and how a cluster takes it in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::registry::Registry;
use arc_swap::ArcSwap;
use proto::peer::peer_client::PeerClient;
use proto::peer::{AdoptRequest, IdentifyReply, IdentifyRequest};
use store::Engine;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use types::{ClusterId, GroupId, Incarnation, NodeId, NodeState};

use crate::certificate::ConnectionIdentity;
use crate::config::NodeConfig;
use crate::error::{ClusterError, StartError, chain};
use crate::facts::Facts;
use crate::fatal::FatalSignal;
use crate::identity::{Identity, IdentityError, IdentityFile, Place};
use crate::log::open_marks;
use crate::log::writer::LogQueue;
use crate::membership::{reconcile, rule};
use crate::metrics::NodeMetrics;
use crate::node::{Group, Inner, Node};
use crate::peer::connector::Connector;
use crate::peer::pool::{Context, Peers};
use crate::propose;
use crate::roster::Roster;
use crate::tls::PeerTls;
use crate::types::Replica;

/// How long a node that is asked who it is may take.
const GREET: Duration = Duration::from_secs(3);
/// Groups of one node started at once: each reads its log's end.
const STARTING: usize = 4;

impl Node {
    /// Starts a node on an open engine. Serve [`crate::peer_routes`] on its peer port from then on.
    ///
    /// A node that has its place asks its seeds whether it still has it, and a fresh one whether its
    /// name is free; seeds that do not answer are passed over.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong and what to do. A node whose log went back, or whose name
    /// belongs to another directory, does not start.
    pub async fn start(
        config: NodeConfig,
        engine: Arc<dyn Engine>,
        tls: PeerTls,
        registry: &mut Registry,
    ) -> Result<Node, StartError> {
        let file = IdentityFile::new(&config.directory);
        let identity = file.open()?;
        let marks = open_marks(&file.marks())?;
        let fatal = FatalSignal::new();
        let metrics = NodeMetrics::register(registry);
        let known = marks.all().clone();
        let started = LogQueue::start(engine.clone(), marks, metrics.log.clone(), fatal.clone());
        let (queue, writer) = started.map_err(StartError::Thread)?;
        let roster =
            Roster::load(engine.as_ref())?.map_err(|error| StartError::Facts(error.to_string()))?;
        let (identity, roster) =
            (Arc::new(ArcSwap::from_pointee(identity)), Arc::new(ArcSwap::from_pointee(roster)));
        let stopping = CancellationToken::new();
        let context = Arc::new(Context {
            tls: tls.clone(),
            identity: identity.clone(),
            roster: roster.clone(),
            metrics: metrics.peers.clone(),
            stopping: stopping.clone(),
        });
        let proposals = propose::Room::of(config.proposal_bytes);
        let inner = Arc::new(Inner {
            config,
            engine,
            tls,
            file,
            identity,
            roster,
            facts: watch::Sender::new(Arc::new(Facts::default())),
            peers: Arc::new(Peers::new(context)),
            groups: watch::Sender::new(Arc::new(BTreeMap::new())),
            queue,
            proposals,
            writer: Mutex::new(Some(writer)),
            marks: known,
            adopting: Arc::default(),
            metrics,
            fatal,
            draining: CancellationToken::new(),
            stopping,
            tasks: TaskTracker::new(),
            stuck: Mutex::default(),
        });
        let node = Node { inner };
        if let Err(error) = node.inner.clone().begin().await {
            node.shutdown(Duration::ZERO).await;
            return Err(error);
        }
        Ok(node)
    }
}

impl Inner {
    async fn begin(self: Arc<Self>) -> Result<(), StartError> {
        self.check_level()?;
        self.ask_seeds().await?;
        match self.identity.load().place {
            Some(place) => self.run_groups(place).await,
            None => Ok(()),
        }
    }

    /// Starts every group of the node's place.
    async fn run_groups(self: &Arc<Self>, place: Place) -> Result<(), StartError> {
        use futures::{StreamExt, TryStreamExt};
        let starting = place.groups().map(|id| Group::start(self, id, place.node));
        let groups: Vec<_> =
            futures::stream::iter(starting).buffer_unordered(STARTING).try_collect().await?;
        let groups: BTreeMap<_, _> = groups.into_iter().map(|group| (group.id, group)).collect();
        self.groups.send_replace(Arc::new(groups));
        self.follow_system();
        reconcile::start(self);
        Ok(())
    }

    /// Asks the seeds what the cluster knows of this node.
    async fn ask_seeds(&self) -> Result<(), StartError> {
        let others = self.config.seeds.iter().filter(|seed| **seed != self.config.peer);
        let asked = others.map(|seed| async move { (seed, identify(&self.tls, seed).await) });
        for (seed, answer) in futures::future::join_all(asked).await {
            match answer {
                Ok((_, reply)) => self.check_known(seed, reply)?,
                Err(reason) => tracing::info!(seed, reason, "a seed did not answer"),
            }
        }
        Ok(())
    }

    fn check_known(&self, seed: &str, reply: IdentifyReply) -> Result<(), StartError> {
        let identity = self.identity.load();
        let cluster = ClusterId::parse(&reply.cluster).ok();
        let Some(cluster) = cluster else { return Ok(()) };
        let roster = Roster::from_proto(reply.roster)
            .map_err(|error| StartError::Facts(error.to_owned()))?;
        let taken = |node: NodeId| IdentityError::NameTaken {
            peer: seed.to_owned(),
            name: self.config.name.clone(),
            node,
        };
        match identity.place {
            None => match roster.named(&self.config.name) {
                Some(known) if known.incarnation != identity.incarnation => {
                    Err(taken(known.id).into())
                }
                _ => Ok(()),
            },
            Some(place) if place.cluster != cluster => Ok(()),
            Some(place) => match roster.get(place.node) {
                Some(known) if known.state == NodeState::Removed => {
                    Err(IdentityError::Removed { peer: seed.to_owned(), node: place.node }.into())
                }
                Some(known) if known.incarnation != identity.incarnation => {
                    Err(taken(known.id).into())
                }
                _ => Ok(()),
            },
        }
    }

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
            Place { cluster, node: NodeId(request.node), wallet_groups: request.wallet_groups };
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
                if !named || place.cluster.is_zero() || !(1..=4096).contains(&place.wallet_groups) {
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
        let written = tokio::task::spawn_blocking(move || {
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

/// Asks whoever is at an address who it is.
pub(crate) async fn identify(
    tls: &PeerTls,
    address: &str,
) -> Result<(ConnectionIdentity, IdentifyReply), String> {
    let asked = async {
        let connector = Connector::greeting(tls.clone(), address);
        let channel = connector.connect().await.map_err(|error| chain(&error))?;
        let reply = PeerClient::new(channel).identify(IdentifyRequest {}).await;
        let reply = reply.map_err(|status| status.message().to_owned())?.into_inner();
        let found = connector.found().cloned().ok_or("it showed no certificate")?;
        if found.name != reply.name || found.dc != reply.dc {
            return Err(format!(
                "it says it is {}, its certificate names {}",
                reply.name, found.name
            ));
        }
        Ok((found, reply))
    };
    timeout(GREET, asked).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}
