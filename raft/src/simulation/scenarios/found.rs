//! What a run has once shown, each in the one situation that it speaks of: a row of `jepsen/FOUND.md` each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use store::Column;
use store::engine::memory::Crash;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use types::{GroupId, NodeId};

use super::{CUT, Calm, ELECTS, both_ways};
use crate::error::ReadError;
use crate::read::{IndexError, Reads, Source};
use crate::rounds::Rounds;
use crate::simulation::WALLETS;
use crate::simulation::disk::Unreadable;
use crate::simulation::machine::address;
use crate::simulation::run::{World, simulate};
use crate::types::LogId;

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

/// A node that ends between a write and its sync finds the entry again, and whoever asks hears that it has it:
/// then it is on its disk.
#[test]
fn what_a_node_finds_in_its_log_is_durable_before_it_counts() {
    for seed in 1..=2 {
        simulate(seed, move || async move {
            let calm = Calm::of(seed, 3).await;
            let behind = calm.others(calm.leader().id)[0];
            let machine = &calm.world.machines[behind as usize - 1];
            let disk = &machine.disk;
            let is_durable = || {
                let durable = |id: &LogId| disk.durable_entry(WALLETS, id.index) == Some(*id);
                disk.log(WALLETS).iter().all(durable)
            };
            disk.slow("slow syncs", 10_000, 10_000);
            calm.pushes(5).await;
            sleep(Duration::from_millis(500)).await;
            assert!(!is_durable(), "something is written and not synced");
            let held = disk.log(WALLETS);
            machine.crash(Crash::Process);
            disk.swift();
            // Nobody gives it anything that it would sync.
            calm.world.network.cut(CUT, &both_ways(behind, &calm.others(behind)));
            machine.start().await;
            assert!(machine.node().is_some());
            assert!(
                disk.log(WALLETS).starts_with(&held),
                "its process ended, and no power was lost"
            );
            assert!(is_durable(), "it has it and would lose it");
            calm.end();
        });
    }
}

/// A reader whose group stops waits for its deadline, and asks for no index meanwhile: nobody gives one any
/// more.
#[test]
fn a_group_that_stops_does_not_keep_its_readers_busy() {
    for seed in 1..=2 {
        simulate(seed, move || async move {
            /// Who asks as often is busy; then it is held, so that time can go on.
            const BUSY: u32 = 1_000;
            let calm = Calm::of(seed, 3).await;
            let leader = calm.leader();
            let node = leader.node().unwrap();
            let group = node.inner.group(WALLETS).unwrap();
            // As when the node stops: the group's end is no failure.
            node.inner.stopping.cancel();
            group.raft.shutdown().await.unwrap();

            let asked = Arc::new(AtomicU32::new(0));
            let counted = asked.clone();
            let index = Rounds::new(IndexError::Stopped, move || {
                let times = counted.fetch_add(1, Ordering::Relaxed);
                async move {
                    if times >= BUSY {
                        std::future::pending::<()>().await;
                    }
                    Err(IndexError::Stopped)
                }
            });
            let deadline = node.inner.config.timing.read_deadline();
            let source = Source {
                group: WALLETS,
                own: NodeId(leader.id),
                raft: group.raft.clone(),
                index,
                applied: group.cell.applied(),
                peers: node.inner.peers.clone(),
                deadline,
            };
            let (_recovered, recovered) = watch::channel(true);
            let began = Instant::now();
            let read = Reads::new(source, recovered).barrier().await;
            assert_eq!(read, Err(ReadError::Unavailable));
            assert!(
                began.elapsed() >= deadline,
                "it waits: the node may be about to answer others"
            );
            let asked = asked.load(Ordering::Relaxed);
            assert!((1..=2).contains(&asked), "it asked {asked} times");
            calm.end();
        });
    }
}

/// A node that was away while another joined follows that one when it leads group 0, from which alone it could
/// have heard of it.
#[test]
fn a_node_follows_a_leader_that_joined_while_it_was_away() {
    for seed in 1..=2 {
        simulate(seed, move || async move {
            let calm = Calm::with_spares(seed, 3, 1).await;
            sleep(Duration::from_secs(3)).await;
            let machines = &calm.world.machines;
            let (away, newcomer) = (&machines[2], &machines[3]);
            away.crash(Crash::Process);
            let asked = machines[1].node().unwrap();
            let joined = asked.join(calm.order(), &address(newcomer.id)).await.unwrap();
            // It takes the place of the one in its data centre.
            asked.drain(calm.order(), NodeId(1), Duration::from_secs(20)).await.unwrap();
            asked.transfer(GroupId::SYSTEM, joined).await.unwrap();
            assert!(newcomer.leads(GroupId::SYSTEM));

            away.start().await;
            let began = Instant::now();
            let follows = || {
                let node = away.node()?;
                let knows = node.node(joined).is_some();
                let leader = node.inner.group(GroupId::SYSTEM)?.report().now().current_leader;
                let at = |machine: &crate::Node| {
                    machine.replica(GroupId::SYSTEM).ok()?.position().ok()?
                };
                let has_all = at(&node) == at(&newcomer.node()?);
                (knows && leader == Some(joined.0) && has_all).then_some(())
            };
            while follows().is_none() {
                assert!(began.elapsed() < 2 * ELECTS, "it does not follow whom it does not know");
                assert!(newcomer.leads(GroupId::SYSTEM), "the newcomer leads on");
                sleep(Duration::from_millis(20)).await;
            }
            calm.end();
        });
    }
}
