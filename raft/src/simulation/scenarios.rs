//! What is promised of elections and of leaders, each in the one situation that it speaks of, for a few seeds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use store::Column;
use store::engine::memory::Crash;
use tokio::time::{Instant, sleep, timeout};

use super::WALLETS;
use super::client::Clients;
use super::disk::Unreadable;
use super::machine::Machine;
use super::run::{World, simulate};
use super::wallet::Draft;
use crate::types::LogId;

/// As what counts that a scenario's cut holds back.
const CUT: &str = "segments held by a scenario";

/// How long a cluster may take to elect, whatever its old leader still says: the time after which one
/// without a quorum goes quiet, then the lease that its followers hold, then an election, and one more
/// for votes that were split.
const ELECTS: Duration = Duration::from_secs(4);

/// A cluster that has begun, and a client of it.
struct Calm {
    world: World,
    clients: Arc<Clients>,
    wallet: Draft,
}

impl Calm {
    async fn of(seed: u64, nodes: u64) -> Calm {
        let world = World::new(seed, nodes);
        world.watch();
        world.begin().await;
        let clients = Clients::new(&world.machines, &world.stage);
        let calm = Calm { world, clients, wallet: Draft::new(0) };
        assert!(calm.clients.push(&calm.wallet).await);
        calm
    }

    fn leader(&self) -> Arc<Machine> {
        self.leads().unwrap()
    }

    /// Who holds the highest leadership that anybody says to hold.
    fn leads(&self) -> Option<Arc<Machine>> {
        let leading = self.world.machines.iter().filter_map(|machine| {
            machine.leadership(WALLETS).map(|leadership| (leadership, machine.clone()))
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

    fn end(self) {
        assert_eq!(self.world.stage.violation(), None);
    }
}

fn both_ways(node: u64, others: &[u64]) -> Vec<(u64, u64)> {
    others.iter().flat_map(|other| [(node, *other), (*other, node)]).collect()
}

/// Away for long, or coming and going: neither ends a leadership that a majority follows.
#[test]
fn a_partitioned_or_flapping_node_does_not_depose_a_healthy_leader() {
    for seed in 1..=4 {
        simulate(seed, move || async move {
            let calm = Calm::of(seed, 3).await;
            // What the beginning has left to do is done.
            sleep(Duration::from_secs(3)).await;
            let (leader, leadership) = (calm.leader(), calm.leader().leadership(WALLETS));
            let victim = calm.others(leader.id)[seed as usize % 2];
            let links = both_ways(victim, &calm.others(victim));
            let network = &calm.world.network;
            for (away, back) in [(8_000, 2_000)].into_iter().chain([(450, 250); 12]) {
                network.cut(CUT, &links);
                sleep(Duration::from_millis(away)).await;
                network.mend(CUT, &links);
                sleep(Duration::from_millis(back)).await;
                assert_eq!(leader.leadership(WALLETS), leadership, "it leads on");
                assert!(calm.clients.push_on(&leader, &calm.wallet).await, "and serves");
            }
            calm.end();
        });
    }
}

/// A leader that reaches no majority acknowledges nothing and shows nothing, while the others go on.
#[test]
fn a_leader_without_its_quorum_stops_serving() {
    for seed in 1..=4 {
        simulate(seed, move || async move {
            let calm = Calm::of(seed, 3).await;
            let old = calm.leader();
            calm.world.network.cut(CUT, &both_ways(old.id, &calm.others(old.id)));
            let took = calm.elects_another(old.id).await;
            assert!(took < ELECTS, "{took:?}");
            let wallet = &calm.wallet;
            assert!(calm.clients.read_on(&old, wallet.wallet).await.is_err(), "it shows nothing");
            let pushed = timeout(Duration::from_secs(20), calm.clients.push_on(&old, wallet)).await;
            assert_ne!(pushed, Ok(true), "it acknowledges nothing");
            calm.end();
        });
    }
}

/// A majority of nodes that reach each other elects, even if some of them still hear an old leader that
/// has lost its own.
#[test]
fn a_connected_majority_elects_under_a_partial_partition() {
    for seed in 1..=4 {
        simulate(seed, move || async move {
            let calm = Calm::of(seed, 5).await;
            let old = calm.leader();
            let others = calm.others(old.id);
            // It keeps one of its followers, without whom the others are no majority.
            calm.world.network.cut(CUT, &both_ways(old.id, &others[1..]));
            calm.world.machines[others[3] as usize - 1].crash(Crash::Process);
            let took = calm.elects_another(old.id).await;
            assert!(took < ELECTS, "{took:?}");
            calm.end();
        });
        simulate(seed, move || async move {
            let calm = Calm::of(seed, 3).await;
            let old = calm.leader();
            // It is heard by everybody, and hears nobody.
            let deaf: BTreeSet<_> =
                calm.others(old.id).into_iter().map(|other| (other, old.id)).collect();
            calm.world.network.cut(CUT, &deaf.into_iter().collect::<Vec<_>>());
            let took = calm.elects_another(old.id).await;
            assert!(took < ELECTS, "{took:?}");
            calm.end();
        });
    }
}

/// A leader that cannot read what a follower lacks sends nothing in its place: its node ends, the
/// follower keeps what it has, and another leader brings it the rest.
#[test]
fn a_leader_that_cannot_read_its_log_ends_and_harms_no_follower() {
    for seed in 1..=4 {
        simulate(seed, move || async move {
            let calm = Calm::of(seed, 3).await;
            let World { machines, network, stage, .. } = &calm.world;
            let behind = calm.others(calm.leader().id)[seed as usize % 2];
            let links = both_ways(behind, &calm.others(behind));
            network.cut(CUT, &links);
            calm.pushes(30).await;
            // A node that starts anew has nothing of its log in memory, and then the end of it.
            let others = || machines.iter().filter(|machine| machine.id != behind);
            for machine in others() {
                machine.crash(Crash::Process);
            }
            for machine in others() {
                machine.start().await;
            }
            calm.pushes(10).await;

            let (leader, follower) = (calm.leader(), &machines[behind as usize - 1].disk);
            let held = follower.log(WALLETS);
            let unreadable = Unreadable { column: Column::Log, group: Some(WALLETS), after: 0 };
            leader.disk.fail_read(unreadable);
            network.mend(CUT, &links);
            let began = Instant::now();
            while !leader.is_down() {
                assert!(began.elapsed() < ELECTS, "a leader that cannot read goes on");
                sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(stage.counts().get("read errors of the log"), Some(&1));
            assert_eq!(follower.log(WALLETS), held, "the follower got nothing of it");

            let took = calm.elects_another(leader.id).await;
            assert!(took < ELECTS, "{took:?}");
            assert!(follower.log(WALLETS).starts_with(&held), "what it had stands");
            calm.world.heal(None, &calm.clients, std::slice::from_ref(&calm.wallet)).await;
            let last = |log: &[LogId]| log.last().map_or(0, |id| id.index);
            assert!(last(&follower.log(WALLETS)) >= last(&held) + 40, "and it has the rest");
            calm.end();
        });
    }
}
