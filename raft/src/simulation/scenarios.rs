//! What is promised of elections and of leaders, each in the one situation that it speaks of, for a few seeds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use store::command::SystemCommand;
use store::{Caller, Command, Policy, Reply};
use tokio::time::{Instant, sleep, timeout};
use types::{GroupId, NodeId, RequestId, tagged};

use super::WALLETS;
use super::client::Clients;
use super::machine::Machine;
use super::run::World;
use super::wallet::Draft;
use crate::Order;
use crate::types::LeaderId;

mod deposers;
mod elections;
mod found;

/// As what counts that a scenario's cut holds back.
const CUT: &str = "segments held by a scenario";

/// How long a cluster may take to elect, whatever its old leader still says: the time after which one
/// without a quorum goes quiet, then the lease that its followers hold, then an election, and one more
/// for votes that were split.
const ELECTS: Duration = Duration::from_secs(4);

/// How long a leader that is followed may take to commit.
const COMMITS: Duration = Duration::from_secs(1);

/// A cluster that has begun, and a client of it.
struct Calm {
    world: World,
    clients: Arc<Clients>,
    wallet: Draft,
    /// How many acts were asked for.
    acts: AtomicU64,
}

impl Calm {
    async fn of(seed: u64, nodes: u64) -> Calm {
        Calm::with_spares(seed, nodes, 0).await
    }

    /// With machines besides that are not the cluster's from its beginning.
    async fn with_spares(seed: u64, nodes: u64, spares: u64) -> Calm {
        let world = World::with_spares(seed, nodes, spares);
        world.watch();
        world.begin().await;
        let clients = Clients::new(&world.machines, &world.stage);
        let calm = Calm { world, clients, wallet: Draft::new(0), acts: AtomicU64::new(0) };
        assert!(calm.clients.push(&calm.wallet).await);
        calm
    }

    fn leader(&self) -> Arc<Machine> {
        self.leads().unwrap()
    }

    fn leads(&self) -> Option<Arc<Machine>> {
        self.leads_in(WALLETS)
    }

    /// Who holds the highest leadership of a group that anybody says to hold.
    fn leads_in(&self, group: GroupId) -> Option<Arc<Machine>> {
        let leading = self.world.machines.iter().filter_map(|machine| {
            machine.leadership(group).map(|leadership| (leadership, machine.clone()))
        });
        leading.max_by_key(|(leadership, _)| *leadership).map(|(_, machine)| machine)
    }

    fn others(&self, node: u64) -> Vec<u64> {
        self.world.machines.iter().map(|machine| machine.id).filter(|id| *id != node).collect()
    }

    /// The time until somebody else than `old` leads and has a push acknowledged.
    async fn elects_another(&self, old: u64) -> Duration {
        let began = Instant::now();
        loop {
            if let Some(leader) = self.leads().filter(|leader| leader.id != old)
                && self.clients.push_on(&leader, &self.wallet).await
            {
                return began.elapsed();
            }
            assert!(began.elapsed() < 2 * ELECTS, "nobody else than node {old} comes to lead");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Has so many pushes acknowledged, one after the other, by whoever leads.
    async fn pushes(&self, count: u32) {
        let (mut done, began) = (0, Instant::now());
        while done < count {
            assert!(began.elapsed() < 5 * ELECTS, "nobody serves");
            match self.leads() {
                Some(leader) if self.clients.push_on(&leader, &self.wallet).await => done += 1,
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Gives all groups to one leader, once what the beginning has left to do is done.
    async fn one_leader(&self) -> Arc<Machine> {
        sleep(Duration::from_secs(3)).await;
        let leader = self.leader();
        let node = leader.node().unwrap();
        for group in node.groups() {
            node.transfer(group, NodeId(leader.id)).await.unwrap();
        }
        sleep(Duration::from_secs(1)).await;
        leader
    }

    /// The leadership that a machine holds in each group.
    fn leaderships(machine: &Machine) -> BTreeMap<GroupId, Option<LeaderId>> {
        let groups = machine.node().map(|node| node.groups()).unwrap_or_default();
        groups.into_iter().map(|group| (group, machine.leadership(group))).collect()
    }

    fn order(&self) -> Order {
        let number = self.acts.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let request = RequestId::from_bytes(tagged("holdfast/1 test", &[b"scenario", &number]));
        Order { caller: Caller::named("scenario"), request }
    }

    /// Whether a machine commits an act in a group, as its leader, now.
    async fn commits_on(&self, machine: &Machine, group: GroupId) -> bool {
        let Some(node) = machine.node() else { return false };
        let after = node.replica(group).map(|reader| reader.acts());
        let Ok(Ok(after)) = after else { return false };
        let command = SystemCommand::SetPolicy(Policy::default());
        let command = Command::System(self.order().act(after), Box::new(command));
        let answer = timeout(COMMITS, node.propose(group, &command)).await;
        matches!(answer, Ok(Ok(Reply::System(_))))
    }

    /// The time until every group has a leader that commits.
    async fn all_commit(&self) -> Duration {
        let began = Instant::now();
        for group in self.leader().node().unwrap().groups() {
            loop {
                if let Some(leader) = self.leads_in(group)
                    && self.commits_on(&leader, group).await
                {
                    break;
                }
                assert!(began.elapsed() < 5 * ELECTS, "group {group} has nobody who commits");
                sleep(Duration::from_millis(20)).await;
            }
        }
        began.elapsed()
    }

    fn end(self) {
        assert_eq!(self.world.stage.violation(), None);
    }
}

fn both_ways(node: u64, others: &[u64]) -> Vec<(u64, u64)> {
    others.iter().flat_map(|other| [(node, *other), (*other, node)]).collect()
}
