//! One machine of the cluster: its disk, which outlives everything, and its node, which does not.
//!
//! The node is the real one, started as `holdfast node` starts it, on a simulated host. A life ends by a
//! crash at any moment: from then on its disk handle refuses everything, its connections are gone and no
//! answer of it reaches anybody, so that what is left of its tasks is as good as dead.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{future, io};

use futures::future::BoxFuture;
use http::Request;
use hyper::body::Incoming as Body;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use store::engine::memory::Crash;
use tempfile::TempDir;
use tower::Service;
use types::{GroupId, Role};

use super::disk::Disk;
use super::invariants::{Event, Report};
use super::network::{Incoming, Network};
use super::stage::Stage;
use super::{DCS, certificates};
use crate::certificate::{ConnectionIdentity, IdentityKind};
use crate::fatal::End;
use crate::host::{Connected, Host};
use crate::log::writer::Writer;
use crate::node::Group;
use crate::peer::connector::Purpose;
use crate::registry::Registry;
use crate::repair::Opened;
use crate::types::LeaderId;
use crate::{Node, NodeConfig, PeerTls, Timing, Upkeep, peer_routes};

/// Entries between two snapshots: few, so that nodes that fall behind need one.
const SNAPSHOT_EVERY: u64 = 100;

/// A machine.
pub(super) struct Machine {
    pub(super) id: u64,
    pub(super) disk: Arc<Disk>,
    directory: TempDir,
    tls: PeerTls,
    seeds: Vec<String>,
    network: Arc<Network>,
    stage: Arc<Stage>,
    running: Mutex<Running>,
}

#[derive(Default)]
enum Running {
    #[default]
    Down,
    /// A node is being started.
    Starting,
    Up(Node),
}

/// The name of a node.
fn name(node: u64) -> String {
    format!("n{node}")
}

/// Where a node is reached.
pub(super) fn address(node: u64) -> String {
    format!("n{node}:1")
}

impl Machine {
    pub(super) fn new(
        id: u64,
        nodes: u64,
        network: &Arc<Network>,
        stage: &Arc<Stage>,
        ca: &certificates::Ca,
    ) -> Arc<Self> {
        Arc::new(Machine {
            id,
            disk: Disk::new(id, stage.clone()),
            directory: super::directory(),
            tls: ca.node(&name(id), DCS[id as usize - 1]),
            seeds: (1..=nodes).map(address).collect(),
            network: network.clone(),
            stage: stage.clone(),
            running: Mutex::default(),
        })
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node, while it runs.
    pub(super) fn node(&self) -> Option<Node> {
        match &*self.running() {
            Running::Up(node) => Some(node.clone()),
            _ => None,
        }
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(*self.running(), Running::Down)
    }

    fn config(&self) -> NodeConfig {
        NodeConfig {
            name: name(self.id),
            dc: DCS[self.id as usize - 1].to_owned(),
            role: Role::Data,
            peer: address(self.id),
            endpoint: format!("https://{}", address(self.id)),
            directory: self.directory.path().to_owned(),
            seeds: self.seeds.clone(),
            timing: Timing::default().with_snapshots_every(SNAPSHOT_EVERY),
            proposal_bytes: crate::PROPOSAL_BYTES,
            levels: store::formats::Levels::OF_THIS_RELEASE,
            upkeep: Upkeep {
                digest_entries: SNAPSHOT_EVERY / 2,
                scrub_every: Duration::ZERO,
                reserve_bytes: 0,
                ..Upkeep::default()
            },
        }
    }

    /// Starts the node. Returns when it has come up, or has not.
    pub(super) async fn start(self: &Arc<Self>) {
        let life = self.disk.life();
        {
            let mut running = self.running();
            if !matches!(*running, Running::Down) {
                return;
            }
            *running = Running::Starting;
        }
        self.stage.note(format_args!("n{} starts", self.id));
        let mut incoming = self.network.up(self.id);
        let host = Arc::new(SimulatedHost {
            node: self.id,
            life,
            disk: self.disk.clone(),
            network: self.network.clone(),
        });
        let opened = Opened::from(self.disk.handle());
        let mut registry = Registry::default();
        let started =
            Node::start_on(host, self.config(), opened, self.tls.clone(), &mut registry).await;
        let alive = life == self.disk.life();
        let node = match started {
            Ok(node) if alive => node,
            Ok(node) => return bury(node),
            Err(_) if !alive => return,
            Err(error) => {
                let reason = crate::error::chain(&error);
                self.stage.note(format_args!("n{} did not start: {reason}", self.id));
                if !reason.contains(super::DISK_ERROR) {
                    self.stage.violated(format!("node {} did not start: {reason}", self.id));
                }
                self.crash(Crash::Process);
                return;
            }
        };
        if let Some(quarantine) = node.inner.quarantine.get() {
            let reason = format!("node {} is in quarantine: {}", self.id, quarantine.reason);
            self.stage.violated(reason);
        }
        *self.running() = Running::Up(node.clone());
        self.stage.note(format_args!("n{} is up", self.id));
        let served = node.clone();
        tokio::spawn(async move {
            while let Some(connection) = incoming.recv().await {
                tokio::spawn(serve(served.clone(), connection));
            }
        });
        tokio::spawn(self.clone().attend(node.clone(), life));
        let (this, ended) = (self.clone(), node.inner.fatal.clone());
        tokio::spawn(async move {
            let end = ended.wait().await;
            if life == this.disk.life() {
                this.ended(&end);
            }
        });
    }

    /// The node ended itself, as its process would now.
    fn ended(&self, end: &End) {
        let reason = end.reason();
        self.stage.note(format_args!("n{} ends: {reason}", self.id));
        self.stage.count("nodes that ended over their disk", 1);
        if matches!(end, End::Damaged(..)) || !reason.contains(super::DISK_ERROR) {
            self.stage.violated(format!("node {} ended: {reason}", self.id));
        }
        self.crash(Crash::Process);
    }

    /// Ends the node's life now. Whether it had one.
    pub(super) fn crash(&self, crash: Crash) -> bool {
        let before = std::mem::take(&mut *self.running());
        if matches!(before, Running::Down) {
            return false;
        }
        let lost = self.disk.crash(crash);
        self.stage.note(format_args!(
            "n{} dies ({crash:?}), loses {} records of the log and {} of the state",
            self.id, lost.logged, lost.unlogged
        ));
        self.stage.count("crashes", 1);
        self.stage.count("log records lost", lost.logged as u64);
        self.stage.count("state records lost", lost.unlogged as u64);
        self.stage.happened(&Event::Ended { node: self.id });
        self.network.down(self.id, crash == Crash::Power);
        if let Running::Up(node) = before {
            self.count_installs(&node);
            bury(node);
        }
        true
    }

    /// Counts the snapshots that a life has installed, at its end.
    pub(super) fn count_installs(&self, node: &Node) {
        let groups = node.inner.groups.borrow().clone();
        let installs = groups.values().map(|group| group.cell.metrics().installs()).sum();
        self.stage.count("snapshots installed", installs);
    }

    /// Has the judge see what the node says of itself, whenever it says something new, as long as it lives.
    async fn attend(self: Arc<Self>, node: Node, life: u64) {
        let mut groups = node.inner.groups.subscribe();
        drop(node);
        let mut attended = BTreeSet::new();
        loop {
            for (id, group) in groups.borrow_and_update().iter() {
                if attended.insert(*id) {
                    tokio::spawn(self.clone().attend_group(group.clone(), life));
                }
            }
            if groups.changed().await.is_err() || life != self.disk.life() {
                return;
            }
        }
    }

    async fn attend_group(self: Arc<Self>, group: Arc<Group>, life: u64) {
        let (mut report, mut applied) = (group.report(), group.cell.applied());
        while life == self.disk.life() {
            drop(report.seen());
            applied.mark_unchanged();
            self.report(&group);
            let more = tokio::select! {
                biased;
                more = report.changed() => more,
                more = applied.changed() => more.is_ok(),
            };
            if !more {
                return;
            }
        }
    }

    /// Has the judge see what the node says of itself in one group.
    fn report(&self, group: &Group) {
        let report = {
            let report = group.report();
            let seen = report.now();
            if seen.running_state.is_err() {
                return;
            }
            let (applied, digest) = {
                let machine = group.cell.machine();
                (machine.applied().position, machine.digest())
            };
            let sets = seen.membership_config.membership().get_joint_config();
            Report {
                vote: seen.vote,
                leads: seen.state == openraft::ServerState::Leader,
                committed: seen.local_committed,
                applied: applied.map(|at| (crate::types::log_id(&at), digest)),
                voters: sets.clone(),
                voters_at: *seen.membership_config.log_id(),
            }
        };
        let event = Event::Reported { node: self.id, group: group.id, report: &report };
        self.stage.happened(&event);
    }

    /// Whether the node leads a group, as it says.
    pub(super) fn leads(&self, group: GroupId) -> bool {
        self.leadership(group).is_some()
    }

    /// The leadership that the node holds in a group, as it says.
    pub(super) fn leadership(&self, group: GroupId) -> Option<LeaderId> {
        let group = self.node()?.inner.group(group)?;
        let report = group.report();
        let seen = report.now();
        (seen.state == openraft::ServerState::Leader).then_some(seen.vote.leader_id)
    }
}

/// Lets the tasks of a dead node go.
fn bury(node: Node) {
    node.inner.draining.cancel();
    node.inner.stopping.cancel();
    tokio::spawn(async move {
        let groups = node.inner.groups.borrow().clone();
        for group in groups.values() {
            let _ = group.raft.shutdown().await;
        }
        let _ = node.inner.queue.push(crate::log::writer::Job::Stop);
    });
}

/// The server side of one connection, as the listener serves it behind TLS.
async fn serve(node: Node, connection: Incoming) {
    let Incoming { stream, from } = connection;
    let identity = identity(from);
    let router = peer_routes(&node);
    let service = hyper::service::service_fn(move |mut request: Request<Body>| {
        request.extensions_mut().insert(identity.clone());
        router.clone().call(request)
    });
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    // The date is the real one, and the same run must send the same bytes.
    server.timer(TokioTimer::new()).auto_date_header(false);
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

fn identity(node: u64) -> ConnectionIdentity {
    ConnectionIdentity {
        cluster: certificates::CLUSTER.to_owned(),
        kind: IdentityKind::Node,
        name: name(node),
        dc: DCS[node as usize - 1].to_owned(),
    }
}

/// What one life of a node stands on.
struct SimulatedHost {
    node: u64,
    life: u64,
    disk: Arc<Disk>,
    network: Arc<Network>,
}

impl Host for SimulatedHost {
    fn connect<'a>(
        &'a self,
        address: &'a str,
        _purpose: Purpose,
    ) -> BoxFuture<'a, io::Result<Connected>> {
        Box::pin(async move {
            let to = address.trim_start_matches('n').trim_end_matches(":1").parse::<u64>();
            let to = to.map_err(io::Error::other)?;
            if self.life != self.disk.life() {
                return future::pending().await;
            }
            let stream = self.network.connect(self.node, to).await?;
            if self.life != self.disk.life() {
                return future::pending().await;
            }
            Ok(Connected { stream: Box::new(stream), identity: identity(to) })
        })
    }

    fn write_log(&self, writer: Writer) -> io::Result<Option<JoinHandle<()>>> {
        let disk = self.disk.clone();
        tokio::spawn(writer.run_paced(move || tokio::time::sleep(disk.sync_time())));
        Ok(None)
    }
}
