//! Nodes in this process: memory engines, real TLS between peers, clients straight into the routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use api::{Clock, KeySource, KeySourceError, Parts, Policy, Registration, Service};
use axum::Router;
use proto::admin::BootstrapRequest;
use proto::admin::admin_client::AdminClient;
use raft::listener::{Limits, serve_with};
use raft::registry::Registry;
use raft::{Node, NodeConfig, Order, Timing};
use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::{EpochKey, EpochKeys, ServerKeyring};
use store::command::SystemCommand;
use store::engine::memory::MemoryEngine;
use store::{Caller, Command, Reply};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use types::{GroupId, RequestId, Role, Secret, WalletId};

use super::authority::{Authority, operator};
use super::until;

/// The passphrase of every locked node.
pub const PASSPHRASE: &[u8] = b"correct horse";
/// Wallet groups of a test cluster.
const GROUPS: u32 = 2;

/// Some nodes that form a cluster.
pub struct Cluster {
    /// The nodes, in the order of their ids.
    pub nodes: Vec<Member>,
    ahead_s: Arc<AtomicU64>,
    _authority: Authority,
}

/// A running node and its service.
pub struct Member {
    /// The node.
    pub node: Node,
    /// Its service.
    pub service: Service,
    /// What its public port would serve.
    pub routes: Router,
    stop: CancellationToken,
    _directory: TempDir,
}

/// How a node starts.
pub struct Setup {
    /// What its operator decided.
    pub policy: Policy,
    /// Which of the nodes start without their key, by place.
    pub locked: Vec<usize>,
    /// Which of them is a witness.
    pub witness: Option<usize>,
}

impl Default for Setup {
    fn default() -> Self {
        let policy = Policy { registration: Registration::Open, ..Policy::default() };
        Self { policy, locked: Vec::new(), witness: None }
    }
}

/// The same key for all nodes of all clusters.
fn epoch_key() -> EpochKey {
    EpochKey::generate(&mut StdRng::seed_from_u64(1), 1)
}

struct ByPassphrase;

impl KeySource for ByPassphrase {
    fn opens_unattended(&self) -> bool {
        false
    }

    fn open(&self, passphrase: &Secret) -> Result<Arc<dyn EpochKeys>, KeySourceError> {
        if passphrase.expose() == PASSPHRASE {
            Ok(Arc::new(epoch_key()))
        } else {
            Err(KeySourceError::Passphrase)
        }
    }
}

impl Cluster {
    /// One node, open registration.
    pub async fn single() -> Self {
        Self::start(1, Setup::default()).await
    }

    /// One node with other settings.
    pub async fn single_with(change: impl FnOnce(&mut Policy)) -> Self {
        let mut setup = Setup::default();
        change(&mut setup.policy);
        Self::start(1, setup).await
    }

    /// As many nodes, each in a data centre of its own, in one cluster with a leader for every group.
    pub async fn start(count: usize, setup: Setup) -> Self {
        let (authority, ahead_s) = (Authority::new(), Arc::new(AtomicU64::new(0)));
        let mut nodes = Vec::new();
        for at in 0..count {
            nodes.push(Member::start(at, &authority, &setup, ahead_s.clone()).await);
        }
        let cluster = Self { nodes, ahead_s, _authority: authority };
        let peers = cluster.nodes.iter().map(|member| member.node.config().peer.clone()).collect();
        let mut begin = Request::new(BootstrapRequest {
            peers,
            wallet_groups: GROUPS,
            allow_single_dc: count < 3,
            region: 0,
        });
        begin.extensions_mut().insert(operator("ada"));
        AdminClient::new(cluster.nodes[0].routes.clone()).bootstrap(begin).await.unwrap();
        until("every node knows every group's leader", || async {
            cluster.nodes.iter().all(|member| {
                let groups = member.node.groups();
                groups.len() == 2 + GROUPS as usize
                    && groups.iter().all(|group| member.node.leader(*group).is_some())
            }) && cluster.nodes.iter().all(|member| member.node.group_of(&WalletId::ZERO).is_some())
        })
        .await;
        cluster
    }

    /// Gives the wallet's group other limits.
    pub async fn limit(&self, wallet: &WalletId, policy: store::Policy) {
        let group = self.one().node.group_of(wallet).unwrap();
        let after = self.one().node.read(group).await.unwrap().acts().unwrap();
        let order =
            Order { caller: Caller::named("test"), request: RequestId::from_bytes([42; 32]) };
        let command = Command::System(order.act(after), Box::new(SystemCommand::SetPolicy(policy)));
        let reply = self.one().node.propose(group, &command).await.unwrap();
        assert!(matches!(reply, Reply::System(_)), "{reply:?}");
    }

    /// Sets all clocks forward.
    pub fn pass(&self, time: Duration) {
        self.ahead_s.fetch_add(time.as_secs(), Ordering::Relaxed);
    }

    /// What the clocks say, in Unix seconds.
    pub fn now_s(&self) -> u64 {
        now_s(&self.ahead_s)
    }

    /// The only node, or the first.
    pub fn one(&self) -> &Member {
        &self.nodes[0]
    }

    /// A node that leads the wallet's group, and one that does not.
    pub async fn leader_and_other(&self, wallet: &WalletId) -> (&Member, &Member) {
        let group = self.one().node.group_of(wallet).unwrap();
        until("the group has one leader", || async { self.leads(group).count() == 1 }).await;
        let leader = self.leads(group).next().unwrap();
        let other = self.nodes.iter().find(|member| !member.node.is_leader(group)).unwrap();
        (leader, other)
    }

    fn leads(&self, group: GroupId) -> impl Iterator<Item = &Member> {
        self.nodes.iter().filter(move |member| member.node.is_leader(group))
    }
}

impl Member {
    async fn start(
        at: usize,
        authority: &Authority,
        setup: &Setup,
        ahead_s: Arc<AtomicU64>,
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (name, dc) = (format!("n{at}"), format!("dc{at}"));
        let tls = authority.node(&name, &dc);
        let config = NodeConfig {
            name,
            dc,
            role: if setup.witness == Some(at) { Role::Witness } else { Role::Data },
            peer: listener.local_addr().unwrap().to_string(),
            endpoint: format!("https://n{at}.test:7600"),
            directory: directory.path().to_owned(),
            seeds: Vec::new(),
            timing: Timing::default(),
            proposal_bytes: raft::PROPOSAL_BYTES,
            levels: store::formats::Levels::OF_THIS_RELEASE,
            upkeep: raft::Upkeep::default(),
        };
        let mut registry = Registry::default();
        let node = Node::start(config, Arc::new(MemoryEngine::new()), tls.clone(), &mut registry)
            .await
            .unwrap();
        let keyring = Arc::new(ServerKeyring::locked());
        let locked = setup.locked.contains(&at);
        if !locked {
            keyring.unlock(Arc::new(epoch_key()));
        }
        let keys: Arc<dyn KeySource> =
            if locked { Arc::new(ByPassphrase) } else { Arc::new(api::NoSource) };
        let service = Service::new(Parts {
            node: node.clone(),
            keyring,
            keys,
            trust_domain: super::authority::CLUSTER.to_owned(),
            policy: setup.policy.clone(),
            clock: Clock::new(move || Duration::from_secs(now_s(&ahead_s))),
            registry,
        });
        let stop = CancellationToken::new();
        let peers = raft::peer_routes(&node).merge(service.peer_routes());
        tokio::spawn(serve_with(listener, tls.server(), peers, stop.clone(), Limits::PEER));
        let (attended, until) = (service.clone(), stop.clone());
        tokio::spawn(async move { attended.attend(until).await });
        Self { routes: service.public_routes(), node, service, stop, _directory: directory }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn now_s(ahead_s: &AtomicU64) -> u64 {
    let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    system.as_secs() + ahead_s.load(Ordering::Relaxed)
}
