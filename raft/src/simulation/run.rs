//! One run: a cluster begins, everything goes wrong for a while, then nothing does, and it heals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use store::{Caller, Policy};
use tokio::time::{Instant, sleep};
use types::RequestId;

use super::client::Clients;
use super::invariants::Cluster;
use super::machine::{Machine, address};
use super::nemesis::Nemesis;
use super::network::Network;
use super::operator::Operator;
use super::stage::Stage;
use super::wallet::Draft;
use super::{DCS, Outcome, WALLETS, certificates, entropy};
use crate::{NewCluster, Order};

/// How often nodes are looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long faults come.
const RAGE: Duration = Duration::from_secs(25);
/// How long a cluster may take to heal once nothing is wrong any more. Connections that were cut take
/// some seconds to be given up, and the slowest retransmission as long again.
const HEAL: Duration = Duration::from_secs(15);
/// How long a cluster may take to begin.
const BEGIN: Duration = Duration::from_secs(30);

/// How long a node may go on once its disk has refused it something.
const REFUSED: Duration = Duration::from_secs(5);

/// Real time in which simulated time must pass.
const STILL: Duration = Duration::from_secs(30);

/// A cluster on its stage.
pub(super) struct World {
    pub(super) stage: Arc<Stage>,
    pub(super) network: Arc<Network>,
    pub(super) machines: Vec<Arc<Machine>>,
    /// How many of the machines are the cluster's from its beginning.
    first: u64,
}

/// Runs something on a thread that draws from the seed, with a clock that only it moves.
pub(super) fn simulate<F: Future<Output = T>, T: Send + 'static>(
    seed: u64,
    run: impl FnOnce() -> F + Send + 'static,
) -> T {
    let thread = std::thread::spawn(move || {
        entropy::begin(seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let outcome = runtime.block_on(run());
        // What is left of it ends with the process.
        std::mem::forget(runtime);
        outcome
    });
    thread.join().unwrap()
}

/// A panic on any task is a failure of the run.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Simulated milliseconds so far.
static CLOCK: AtomicU64 = AtomicU64::new(0);

/// Ends a run in which time stands still: something is busy without end.
fn watch_clock() {
    std::thread::spawn(|| {
        let mut before = u64::MAX;
        loop {
            std::thread::sleep(STILL);
            let now = CLOCK.load(Ordering::Relaxed);
            if now == before {
                super::say(&format!(
                    "time stands still at {now} ms: something is busy without end"
                ));
                std::process::exit(2);
            }
            before = now;
        }
    });
}

fn notice_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICKED.store(true, Ordering::Relaxed);
        report(panic);
    }));
}

impl World {
    /// Machines without a node; the spares are not the cluster's from its beginning.
    pub(super) fn with_spares(seed: u64, first: u64, spares: u64) -> World {
        let nodes = first + spares;
        let stage = Stage::new(seed);
        let network = Network::new(stage.clone());
        let machines: Vec<_> = entropy::aside(|| {
            let ca = certificates::Ca::new();
            (1..=nodes).map(|id| Machine::new(id, nodes, &network, &stage, &ca)).collect()
        });
        stage.cast(Cluster {
            disks: machines.iter().map(|machine| machine.disk.clone()).collect(),
            dcs: DCS[..nodes as usize].to_vec(),
            ..Cluster::default()
        });
        World { stage, network, machines, first }
    }

    /// Starts all nodes and makes them a cluster.
    pub(super) async fn begin(&self) {
        for machine in &self.machines {
            machine.start().await;
        }
        let new = NewCluster {
            peers: (1..=self.first).map(address).collect(),
            wallet_groups: 1,
            regions: vec![0],
            allow_single_dc: false,
            policy: Policy::default(),
        };
        let order =
            Order { caller: Caller::named("simulation"), request: RequestId::from_bytes([1; 32]) };
        let until = Instant::now() + BEGIN;
        loop {
            let Some(first) = self.machines[0].node() else {
                return self.stage.violated("the first node did not start".to_owned());
            };
            match first.bootstrap(order, &new).await {
                Ok(_) => break,
                Err(error) if Instant::now() > until => {
                    return self.stage.violated(format!("the cluster does not begin: {error}"));
                }
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
        self.stage.note(format_args!("the cluster has begun"));
    }

    /// Looks at all nodes again and again.
    pub(super) fn watch(&self) {
        let (stage, machines) = (self.stage.clone(), self.machines.clone());
        tokio::spawn(async move {
            let mut leader = None;
            loop {
                sleep(LOOK).await;
                CLOCK.store(stage.elapsed().as_millis() as u64, Ordering::Relaxed);
                for machine in &machines {
                    if machine.disk.refused() > Some(REFUSED) {
                        stage.violated(format!(
                            "node {} goes on, whatever its disk refused it",
                            machine.id
                        ));
                    }
                    let leadership = machine.leadership(WALLETS);
                    if leadership > leader {
                        stage.count("leader changes", 1);
                        stage.note(format_args!("n{} leads", machine.id));
                        leader = leadership;
                    }
                }
            }
        });
    }

    /// Ends all faults, and waits until everything is as it should be.
    pub(super) async fn heal(
        &self,
        operator: Option<&Operator>,
        clients: &Clients,
        wallets: &[Draft],
    ) {
        self.stage.note(format_args!("everything heals"));
        let until = Instant::now() + HEAL;
        loop {
            for machine in &self.machines {
                if machine.is_down() {
                    let machine = machine.clone();
                    tokio::spawn(async move { machine.start().await });
                }
            }
            let unsettled = match operator {
                Some(operator) => operator.settle().await,
                None => None,
            };
            let ill = match unsettled {
                Some(unsettled) => Some(unsettled),
                None => self.illness(clients, wallets).await,
            };
            let Some(ill) = ill else { break };
            if Instant::now() > until {
                return self.stage.violated(format!("it does not heal: {ill}"));
            }
            if self.stage.violation().is_some() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        self.stage.note(format_args!("healed"));
    }

    /// What is not as it should be yet.
    async fn illness(&self, clients: &Clients, wallets: &[Draft]) -> Option<String> {
        for machine in &self.machines {
            if machine.node().is_none() {
                return Some(format!("node {} is not up", machine.id));
            }
        }
        for wallet in wallets {
            if !clients.push(wallet).await {
                return Some(format!("{} cannot be pushed", wallet.wallet));
            }
            for machine in &self.machines {
                if clients.read_on(machine, wallet.wallet).await.is_err() {
                    return Some(format!("{} cannot be read on {}", wallet.wallet, machine.id));
                }
            }
        }
        let mut digests = std::collections::BTreeMap::new();
        for machine in &self.machines {
            let Some(node) = machine.node() else {
                return Some(format!("node {} ended again", machine.id));
            };
            for group in node.groups() {
                let Ok(reader) = node.replica(group) else {
                    return Some(format!("node {} has no state of {group}", machine.id));
                };
                let (Ok(digest), Ok(position)) = (reader.digest(), reader.position()) else {
                    return Some(format!("node {} cannot read {group}", machine.id));
                };
                let first = *digests.entry(group).or_insert((digest, position));
                if first != (digest, position) {
                    return Some(format!("node {} is not where others are in {group}", machine.id));
                }
            }
        }
        self.line_is_as_told(clients)
    }

    /// Every acknowledged push is in the line of its wallet on every replica, and no refused one is.
    fn line_is_as_told(&self, clients: &Clients) -> Option<String> {
        for machine in &self.machines {
            let reader = machine.node().and_then(|node| node.replica(WALLETS).ok());
            let Some(reader) = reader else {
                return Some(format!("node {} has no wallets", machine.id));
            };
            for (wallet, told) in clients.told() {
                let refused = told.refused.iter().map(|(seq, head)| (seq, head));
                for (seq, head) in told.done.iter().chain(refused) {
                    let Ok(row) = reader.head_hash(wallet, *seq) else {
                        return Some(format!("{wallet} cannot be read on {}", machine.id));
                    };
                    let there = row.map(|row| row.hash) == Some(*head);
                    let done = told.done.get(seq) == Some(head);
                    if there != done {
                        let what = if done {
                            "acknowledged, and is lost"
                        } else {
                            "refused, and is there"
                        };
                        self.stage.violated(format!(
                            "head {seq} of {wallet} was {what} on node {}",
                            machine.id
                        ));
                    }
                }
            }
        }
        None
    }
}

/// Runs one seed.
pub(super) fn run(seed: u64) -> Outcome {
    notice_panics();
    watch_clock();
    simulate(seed, move || async move {
        let nodes = if seed.is_multiple_of(3) { 5 } else { 3 };
        let spares = u64::from(seed.is_multiple_of(2));
        let world = World::with_spares(seed, nodes, spares);
        let stage = world.stage.clone();
        world.watch();
        world.begin().await;
        let (clients, nemesis) = (
            Clients::new(&world.machines, &stage),
            Nemesis::new(&world.machines, &world.network, &stage),
        );
        let wallets: Vec<Draft> = (0..2).map(Draft::new).collect();
        let pause = if stage.chance(0.5) { (1, 20) } else { (10, 120) };
        let running: Vec<_> =
            (0..6).map(|client: u8| tokio::spawn(clients.clone().run(client % 2, pause))).collect();
        let operator = (spares > 0).then(|| Operator::new(&world.machines, &stage));
        let until = stage.elapsed() + RAGE;
        let working = operator.clone().map(|operator| tokio::spawn(operator.work(until)));
        nemesis.rage(until).await;
        nemesis.calm();
        if let Some(working) = working {
            let _ = working.await;
        }
        clients.end.cancel();
        for client in running {
            let _ = client.await;
        }
        world.heal(operator.as_deref(), &clients, &wallets).await;
        for machine in &world.machines {
            if let Some(node) = machine.node() {
                machine.count_installs(&node);
            }
        }
        if PANICKED.load(Ordering::Relaxed) {
            stage.violated("something panicked".to_owned());
        }
        if let Some(violation) = stage.violation() {
            for line in stage.last_lines() {
                super::say(&line);
            }
            super::say(&format!("seed {seed} on {nodes} nodes: {violation}"));
        }
        let counts = stage.counts().into_iter().map(|(what, count)| (what.to_owned(), count));
        Outcome {
            seed,
            trace: stage.trace().0,
            violated: stage.violation().is_some(),
            counts: counts.collect(),
        }
    })
}
