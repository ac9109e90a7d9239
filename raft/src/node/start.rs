//! How a node starts, and how a cluster takes it in.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::registry::Registry;
use arc_swap::{ArcSwap, ArcSwapOption};
use proto::peer::peer_client::PeerClient;
use proto::peer::{IdentifyReply, IdentifyRequest};
use store::{Column, Damage, Engine};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use types::{ClusterId, NodeState};

use crate::certificate::ConnectionIdentity;
use crate::config::NodeConfig;
use crate::error::{StartError, chain};
use crate::facts::Facts;
use crate::fatal::{End, FatalSignal};
use crate::host::{Host, Machine, offload};
use crate::identity::{Identity, IdentityError, IdentityFile, Place};
use crate::log::marks::Marks;
use crate::log::writer::LogQueue;
use crate::log::{self, LogError, open_marks};
use crate::membership::reconcile;
use crate::metrics::NodeMetrics;
use crate::node::{Group, Inner, Node};
use crate::peer::connector::Connector;
use crate::peer::fetch;
use crate::peer::pool::{Context, Peers};
use crate::propose;
use crate::recovery::{Mandate, cut, drive};
use crate::repair::{Note, Opened, Quarantine};
use crate::roster::Roster;
use crate::tls::PeerTls;
use crate::upkeep;
use crate::upkeep::health::Health;
use crate::watched::Watched;

/// How long a node that is asked who it is may take.
const GREET: Duration = Duration::from_secs(3);
/// Groups of one node started at once: each reads its log's end.
const STARTING: usize = 4;

impl Node {
    /// Starts a node on an open engine. Serve [`crate::peer_routes`] on its peer port from then on.
    ///
    /// A node that has its place asks its seeds whether it still has it; seeds that do not answer are
    /// passed over. One that must not promise anything starts in quarantine, and works on coming back;
    /// one whose state was lost starts its groups when it has fetched it.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong and what to do. A node that an operator removed, and one in whose
    /// directory damage is found, do not start.
    pub async fn start(
        config: NodeConfig,
        opened: impl Into<Opened>,
        tls: PeerTls,
        registry: &mut Registry,
    ) -> Result<Node, StartError> {
        let host = Arc::new(Machine { tls: tls.clone() });
        Node::start_on(host, config, opened.into(), tls, registry).await
    }

    /// As [`Node::start`], on this host.
    pub(crate) async fn start_on(
        host: Arc<dyn Host>,
        config: NodeConfig,
        opened: Opened,
        tls: PeerTls,
        registry: &mut Registry,
    ) -> Result<Node, StartError> {
        let Opened { engine, quarantine } = opened;
        let fatal = FatalSignal::new();
        let metrics = NodeMetrics::register(registry);
        let engine: Arc<dyn Engine> = Arc::new(Watched::new(engine, fatal.clone()));
        let file = IdentityFile::new(&config.directory);
        let (identity, marks) = match &quarantine {
            Some(_) => (file.read().unwrap_or(Identity::UNKNOWN), None),
            None => open_promises(&file, &config)?,
        };
        let known = marks.as_ref().map(|marks| marks.all().clone()).unwrap_or_default();
        let (queue, writer) = match marks {
            None => (LogQueue::stopped(), None),
            Some(marks) => {
                let log = metrics.log.clone();
                let (queue, writer) = LogQueue::new(engine.clone(), marks, log, fatal.clone());
                (queue, host.write_log(writer).map_err(StartError::Thread)?)
            }
        };
        let mut roster =
            Roster::load(engine.as_ref())?.map_err(|error| StartError::Facts(error.to_string()))?;
        check_owner(&config, &identity, &roster)?;
        let mandate = open_mandate(&config)?;
        if let Some(mandate) = &mandate {
            roster.fence(&mandate.lost);
        }
        let (identity, roster) =
            (Arc::new(ArcSwap::from_pointee(identity)), Arc::new(ArcSwap::from_pointee(roster)));
        let stopping = CancellationToken::new();
        let context = Arc::new(Context {
            host: host.clone(),
            identity: identity.clone(),
            roster: roster.clone(),
            metrics: metrics.peers.clone(),
            stopping: stopping.clone(),
        });
        let proposals = propose::Room::of(config.proposal_bytes);
        let inner = Arc::new(Inner {
            config,
            engine,
            host,
            tls,
            file,
            identity,
            roster,
            facts: watch::Sender::new(Arc::new(Facts::default())),
            peers: Arc::new(Peers::new(context)),
            groups: watch::Sender::new(Arc::new(BTreeMap::new())),
            queue,
            proposals,
            writer: Mutex::new(writer),
            marks: known,
            adopting: Arc::default(),
            asking: AtomicBool::default(),
            quarantine: quarantine.map_or_else(OnceLock::new, OnceLock::from),
            mandate: ArcSwapOption::from_pointee(mandate),
            restoring: Mutex::default(),
            health: Health::default(),
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
            // openraft tells of a failed read in words only; whoever read said what it was.
            let found = match (error.damage(), node.inner.fatal.raised()) {
                (Some(damage), _) => Some((damage, chain(&error))),
                (None, Some(End::Damaged(damage, found))) => Some((damage, found)),
                (None, _) => None,
            };
            return Err(match found {
                Some((damage, found)) => leave_note(&node.inner.config, damage, found),
                None => error,
            });
        }
        Ok(node)
    }
}

/// Leaves a note for the next start, and says what was found.
fn leave_note(config: &NodeConfig, damage: Damage, found: String) -> StartError {
    let left = Note::found(damage, found.clone()).save(&config.directory);
    left.map_or_else(
        |source| StartError::Repair {
            action: "leave a note about damage in",
            path: config.directory.display().to_string(),
            source,
        },
        |()| StartError::Damaged { found },
    )
}

/// What the node promised: who it is, and how far its log was on disk.
fn open_promises(
    file: &IdentityFile,
    config: &NodeConfig,
) -> Result<(Identity, Option<Marks>), StartError> {
    let found = |found: String| leave_note(config, Damage::Log, found);
    let identity = match file.open() {
        Err(error @ IdentityError::Damaged { .. }) => return Err(found(error.to_string())),
        identity => identity?,
    };
    let marks = open_marks(&file.marks()).and_then(|marks| {
        let groups = identity.place.map_or(0, |place| place.groups().count());
        let room = marks.check_room(groups);
        let path = file.marks().display().to_string();
        room.map_err(|source| LogError::Marks { path, source })?;
        Ok(marks)
    });
    match marks {
        Err(error) if error.is_damage() => Err(found(chain(&error))),
        marks => Ok((identity, Some(marks?))),
    }
}

/// Refuses the directory of another machine: its promises are kept there, or nowhere.
fn check_owner(
    config: &NodeConfig,
    identity: &Identity,
    roster: &Roster,
) -> Result<(), StartError> {
    let owner = identity.place.and_then(|place| roster.get(place.node));
    match owner.filter(|owner| owner.name != config.name) {
        None => Ok(()),
        Some(owner) => Err(IdentityError::OtherMachine {
            directory: config.directory.display().to_string(),
            owner: owner.name.clone(),
            name: config.name.clone(),
        }
        .into()),
    }
}

/// What the node has promised to go on without.
fn open_mandate(config: &NodeConfig) -> Result<Option<Mandate>, StartError> {
    Mandate::load(&config.directory).map_err(|source| match source.kind() {
        std::io::ErrorKind::InvalidData => {
            let path = Mandate::path(&config.directory);
            leave_note(config, Damage::Log, format!("{}: {source}", path.display()))
        }
        _ => StartError::Repair {
            action: "read the mandate in",
            path: config.directory.display().to_string(),
            source,
        },
    })
}

impl Inner {
    async fn begin(self: Arc<Self>) -> Result<(), StartError> {
        self.check_level()?;
        if self.quarantine.get().is_none() {
            let place = self.identity.load().place;
            let doubt = match place {
                Some(place) => self.went_back(place).await?,
                None => None,
            };
            match (doubt, self.ask_seeds().await?) {
                (Some(doubt), _) | (None, Some(doubt)) => self.enter_quarantine(doubt).await?,
                (None, None) => {}
            }
        }
        self.metrics.quarantined(self.quarantine.get().is_some());
        match self.identity.load().place {
            _ if self.quarantine.get().is_some() => {
                self.leave_quarantine();
                Ok(())
            }
            Some(place) => self.begin_groups(place).await,
            None => {
                self.look_for_a_place();
                Ok(())
            }
        }
    }

    /// What of the log went back behind its mark, if anything did. What is there is durable from here on.
    async fn went_back(&self, place: Place) -> Result<Option<String>, StartError> {
        let (engine, marks) = (self.engine.clone(), self.marks.clone());
        let looked = offload(self.engine.blocks(), move || {
            // The last life may have ended before its sync, and a leader counts as acknowledged what it hears of.
            engine.flush(Column::Log)?;
            for group in place.groups() {
                let mark = marks.get(&group).copied().unwrap_or_default();
                match log::recover(&engine, group, mark) {
                    Err(error @ LogError::WentBack { .. }) => return Ok(Some(error.to_string())),
                    outcome => drop(outcome?),
                }
            }
            Ok(None)
        });
        looked.await.map_err(StartError::Thread)?
    }

    /// From here on the node promises nothing, and neither does any later start in this directory.
    async fn enter_quarantine(&self, reason: String) -> Result<(), StartError> {
        tracing::error!(reason, "in quarantine: this node neither votes nor acknowledges");
        let (note, directory) =
            (Note::found(Damage::Log, reason.clone()), self.config.directory.clone());
        let next = note.next();
        let saved = tokio::task::spawn_blocking(move || note.save(&directory)).await;
        let failed = |source| StartError::Repair {
            action: "leave a note in",
            path: self.config.directory.display().to_string(),
            source,
        };
        saved.map_err(|error| failed(std::io::Error::other(error)))?.map_err(failed)?;
        // Only a start enters it, and once.
        let _ = self.quarantine.set(Quarantine::new(reason, next));
        Ok(())
    }

    /// Starts the groups; first fetches the states that were lost, while the node answers already.
    async fn begin_groups(self: &Arc<Self>, place: Place) -> Result<(), StartError> {
        let (engine, mandate) = (self.engine.clone(), self.mandate());
        let lost = offload(self.engine.blocks(), move || {
            if let Some(cuts) = mandate.as_ref().and_then(|mandate| mandate.cuts.as_ref()) {
                cut::apply(&engine, place.node, cuts)?;
            }
            let mut lost = Vec::new();
            for group in place.groups() {
                if fetch::is_needed(engine.as_ref(), group)? {
                    lost.push(group);
                }
            }
            Ok::<_, StartError>(lost)
        });
        let lost = lost.await.map_err(StartError::Thread)??;
        if lost.is_empty() {
            return self.run_groups(place).await;
        }
        tracing::warn!(groups = ?lost, "the state of these groups is fetched from peers");
        self.restoring(lost.iter().copied().collect());
        let node = self.clone();
        self.spawn(async move {
            for group in lost {
                if let Err(fault) = fetch::restore(&node, group).await {
                    node.fatal.raise(format!("state of group {group}: {}", chain(&fault)));
                    return;
                }
                node.metrics.state_fetched();
                node.restored(group);
            }
            if let Err(error) = node.run_groups(place).await {
                node.fatal.raise(format!("start the groups: {}", chain(&error)));
            }
        });
        Ok(())
    }

    /// Starts every group of the node's place.
    pub(crate) async fn run_groups(self: &Arc<Self>, place: Place) -> Result<(), StartError> {
        use futures::{StreamExt, TryStreamExt};
        let starting = place.groups().map(|id| Group::start(self, id, place.node));
        let groups: Vec<_> =
            futures::stream::iter(starting).buffer_unordered(STARTING).try_collect().await?;
        let groups: BTreeMap<_, _> = groups.into_iter().map(|group| (group.id, group)).collect();
        self.groups.send_replace(Arc::new(groups));
        self.follow_system();
        reconcile::start(self);
        drive::start(self);
        upkeep::start(self);
        Ok(())
    }

    /// Asks the seeds what the cluster knows of this node: why it must not go on as it is, if so.
    async fn ask_seeds(&self) -> Result<Option<String>, StartError> {
        let others = self.config.seeds.iter().filter(|seed| **seed != self.config.peer);
        let asked = others.map(|seed| async move { (seed, identify(&self.host, seed).await) });
        let mut doubt = None;
        for (seed, answer) in futures::future::join_all(asked).await {
            match answer {
                Ok((_, reply)) => doubt = doubt.or(self.check_known(seed, reply)?),
                Err(reason) => tracing::info!(seed, reason, "a seed did not answer"),
            }
        }
        Ok(doubt)
    }

    pub(crate) fn check_known(
        &self,
        seed: &str,
        reply: IdentifyReply,
    ) -> Result<Option<String>, StartError> {
        let identity = self.identity.load();
        let Ok(cluster) = ClusterId::parse(&reply.cluster) else { return Ok(None) };
        let roster = Roster::from_proto(reply.roster)
            .map_err(|error| StartError::Facts(error.to_owned()))?;
        let Some(place) = identity.place.filter(|place| place.cluster == cluster) else {
            return Ok(None);
        };
        match roster.get(place.node) {
            Some(known) if known.state == NodeState::Removed => {
                Err(IdentityError::Removed { peer: seed.to_owned(), node: place.node }.into())
            }
            Some(known) if known.state == NodeState::Fenced => {
                Ok(Some(format!("the cluster has fenced node {}, says {seed}", place.node)))
            }
            Some(known) if known.incarnation != identity.incarnation => {
                Err(IdentityError::NameTaken {
                    peer: seed.to_owned(),
                    name: self.config.name.clone(),
                    node: known.id,
                }
                .into())
            }
            _ => Ok(None),
        }
    }
}

/// Asks whoever is at an address who it is.
pub(crate) async fn identify(
    host: &Arc<dyn Host>,
    address: &str,
) -> Result<(ConnectionIdentity, IdentifyReply), String> {
    let asked = async {
        let connector = Connector::greeting(host.clone(), address);
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
