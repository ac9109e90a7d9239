//! Nodes that can be started, stopped and asked.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use raft::listener::{self, Limits};
use raft::registry::Registry;
use raft::{
    ClusterError, NewCluster, Node, NodeConfig, Order, PeerTls, StartError, Timing, Upkeep,
    peer_routes,
};
use store::command::SystemCommand;
use store::engine::rocks::Memory;
use store::formats::Levels;
use store::{Caller, Command, Policy, Reply};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use types::{GroupId, NodeId, RequestId, Role};

use crate::certificates::Ca;

/// How long anything may take before a test has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The first group that holds wallets.
pub const WALLETS: GroupId = GroupId::FIRST_WALLET;

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A name for an act that nobody has used.
pub fn order() -> Order {
    let mut request = [0; 32];
    request[..8].copy_from_slice(&NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Order { caller: Caller::named("test"), request: RequestId::from_bytes(request) }
}

/// Waits until something holds, and says what was waited for if it never does.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A machine: its name, its address, its directory; and its node, while it runs.
pub struct Machine {
    pub name: String,
    pub dc: String,
    pub role: Role,
    pub address: String,
    pub seeds: Vec<String>,
    pub timing: Timing,
    pub upkeep: Upkeep,
    tls: PeerTls,
    directory: TempDir,
    running: Option<Running>,
}

struct Running {
    node: Node,
    registry: Registry,
    end: CancellationToken,
    serving: JoinHandle<()>,
}

impl Machine {
    pub async fn new(ca: &Ca, name: &str, dc: &str) -> Self {
        Machine::with_tls(ca.node(name, dc), name, dc).await
    }

    pub async fn with_tls(tls: PeerTls, name: &str, dc: &str) -> Self {
        // Free now, and bound again by the node: nobody else asks for this very port.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Machine {
            name: name.to_owned(),
            dc: dc.to_owned(),
            role: Role::Data,
            address: listener.local_addr().unwrap().to_string(),
            seeds: Vec::new(),
            timing: Timing::default(),
            upkeep: Upkeep::default(),
            tls,
            directory: tempfile::tempdir().unwrap(),
            running: None,
        }
    }

    fn config(&self) -> NodeConfig {
        NodeConfig {
            name: self.name.clone(),
            dc: self.dc.clone(),
            role: self.role,
            peer: self.address.clone(),
            endpoint: format!("https://{}", self.address),
            directory: self.directory.path().to_owned(),
            seeds: self.seeds.clone(),
            timing: self.timing.clone(),
            proposal_bytes: raft::PROPOSAL_BYTES,
            levels: Levels::OF_THIS_RELEASE,
            upkeep: self.upkeep,
        }
    }

    pub async fn start(&mut self) -> Result<(), StartError> {
        let memory = Memory { block_cache: 8 << 20, write_buffer: 8 << 20 };
        // In a process of its own, the end of the former life closes the database. Here its last
        // reader does.
        let locked = |opened: &Result<_, StartError>| {
            opened
                .as_ref()
                .is_err_and(|error| format!("{error:?}").contains("lock hold by current"))
        };
        let mut opened = raft::open(self.directory.path(), memory);
        let since = Instant::now();
        while locked(&opened) && since.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(10)).await;
            opened = raft::open(self.directory.path(), memory);
        }
        let opened = opened?;
        let mut registry = Registry::default();
        let node = Node::start(self.config(), opened, self.tls.clone(), &mut registry).await?;
        let listener = TcpListener::bind(&self.address).await.unwrap();
        let (end, routes, tls) = (CancellationToken::new(), peer_routes(&node), self.tls.server());
        let stop = end.clone();
        let serving = tokio::spawn(async move {
            listener::serve_with(listener, tls, routes, stop, Limits::PEER).await.unwrap();
        });
        self.running = Some(Running { node, registry, end, serving });
        Ok(())
    }

    /// Ends the node. With no time to hand over, it is gone as if its cable had been pulled.
    pub async fn stop(&mut self, hand_over: Duration) {
        if let Some(running) = self.running.take() {
            running.node.shutdown(hand_over).await;
            running.end.cancel();
            running.serving.await.unwrap();
        }
    }

    /// Replaces the directory by an empty one.
    pub fn wipe(&mut self) {
        assert!(self.running.is_none(), "a running node's directory");
        self.directory = tempfile::tempdir().unwrap();
    }

    /// The directory as it is now.
    pub fn copy(&self) -> TempDir {
        assert!(self.running.is_none(), "a running node's directory");
        let copy = tempfile::tempdir().unwrap();
        copy_files(self.directory.path(), copy.path());
        copy
    }

    /// Ends the node, and gives its directory as it is then.
    pub async fn copy_when_stopped(&mut self) -> TempDir {
        self.stop(Duration::ZERO).await;
        self.copy()
    }

    /// Replaces the directory by a copy.
    pub fn put_back(&mut self, copy: TempDir) {
        assert!(self.running.is_none(), "a running node's directory");
        self.directory = copy;
    }

    /// Another address for the next start.
    pub async fn move_to_free_port(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.address = listener.local_addr().unwrap().to_string();
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub fn runs(&self) -> bool {
        self.running.is_some()
    }

    pub fn node(&self) -> &Node {
        &self.running.as_ref().unwrap().node
    }

    /// The sum of a metric over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.running.as_ref().unwrap().registry.open_metrics().unwrap();
        let values = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        values.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }
}

fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_files(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Machines of one cluster.
pub struct Cluster {
    pub ca: Ca,
    pub machines: Vec<Machine>,
}

/// What clusters in these tests are, unless they say otherwise.
pub fn new_cluster(machines: &[Machine]) -> NewCluster {
    NewCluster {
        peers: machines.iter().map(|machine| machine.address.clone()).collect(),
        wallet_groups: 2,
        regions: vec![0],
        allow_single_dc: false,
        policy: Policy::default(),
    }
}

impl Cluster {
    /// Fresh machines, one per data centre named, all running.
    pub async fn fresh(dcs: &[&str], timing: &Timing) -> Self {
        let ca = Ca::new();
        let mut machines = Vec::new();
        for (number, dc) in (1..).zip(dcs) {
            let mut machine = Machine::new(&ca, &format!("node-{number}"), dc).await;
            machine.timing = timing.clone();
            machine.start().await.unwrap();
            machines.push(machine);
        }
        Cluster { ca, machines }
    }

    /// A cluster that has begun, with a leader in every group.
    pub async fn begun(dcs: &[&str], timing: &Timing) -> Self {
        let cluster = Cluster::fresh(dcs, timing).await;
        cluster.node(0).bootstrap(order(), &new_cluster(&cluster.machines)).await.unwrap();
        for group in cluster.node(0).groups() {
            cluster.leader(group).await;
        }
        cluster
    }

    /// Three nodes in three data centres.
    pub async fn three() -> Self {
        Cluster::begun(&["a", "b", "c"], &Timing::default()).await
    }

    pub fn node(&self, at: usize) -> &Node {
        self.machines[at].node()
    }

    fn running(&self) -> impl Iterator<Item = (usize, &Machine)> {
        self.machines.iter().enumerate().filter(|(_, machine)| machine.runs())
    }

    /// The machine that leads a group, once all that run agree on it.
    pub async fn leader(&self, group: GroupId) -> usize {
        let mut found = None;
        until(&format!("a leader of group {group}"), async || {
            let named: Vec<_> =
                self.running().map(|(_, machine)| machine.node().leader(group)).collect();
            let first = named[0].clone();
            found = self.running().map(|(at, _)| at).find(|at| self.node(*at).is_leader(group));
            first.is_some() && named.iter().all(|leader| *leader == first) && found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// Sets a value in a group, wherever it is led, however often it takes.
    pub async fn set(&self, group: GroupId, value: u32) {
        let order = order();
        let policy = Policy { tombstones: value, ..Policy::default() };
        until(&format!("group {group} takes {value}"), async || {
            for (_, machine) in self.running() {
                let command = Command::System(
                    order.act(0),
                    Box::new(SystemCommand::SetPolicy(policy.clone())),
                );
                if let Ok(reply) = machine.node().propose(group, &command).await {
                    assert!(matches!(reply, Reply::System(_)), "{reply:?}");
                    return true;
                }
            }
            false
        })
        .await;
    }

    /// The value of a group, read on a machine with everything acknowledged in it.
    pub async fn get(&self, at: usize, group: GroupId) -> u32 {
        let mut value = 0;
        until(&format!("node {at} reads group {group}"), async || {
            match self.node(at).read(group).await {
                Ok(reader) => {
                    value = reader.policy().unwrap().tombstones;
                    true
                }
                Err(_) => false,
            }
        })
        .await;
        value
    }

    /// Waits until all that run are at the same position of every group, and compares their states.
    pub async fn agree(&self) {
        for group in self.running().next().unwrap().1.node().groups() {
            let states = || -> Vec<_> {
                let readers =
                    self.running().map(|(_, machine)| machine.node().replica(group).unwrap());
                readers
                    .map(|reader| (reader.position().unwrap(), reader.digest().unwrap()))
                    .collect()
            };
            until(&format!("all replicas of group {group} at one position"), async || {
                let states = states();
                states[0].0.is_some() && states.iter().all(|state| state.0 == states[0].0)
            })
            .await;
            let states = states();
            assert!(states.iter().all(|state| state.1 == states[0].1), "group {group}: {states:?}");
        }
    }

    pub fn id(&self, at: usize) -> NodeId {
        self.node(at).info().unwrap().id
    }

    pub async fn stop(&mut self) {
        for machine in &mut self.machines {
            machine.stop(Duration::ZERO).await;
        }
    }
}

/// The text of a refusal.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, ClusterError>) -> String {
    match result {
        Err(ClusterError::Refused(reason)) => reason,
        other => panic!("expected a refusal: {other:?}"),
    }
}
