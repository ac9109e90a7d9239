//! A majority whose nodes reach each other always has a leader that commits, whatever else is cut.

use std::time::Duration;

use store::engine::memory::Crash;
use tokio::time::{Instant, sleep, timeout};

use super::{CUT, Calm, ELECTS, both_ways};
use crate::simulation::run::simulate;
use crate::simulation::shapes::Shape;

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
    }
}

/// Everything is cut in this shape, around the leader of all groups where the shape has somebody in the
/// middle. In time every group has a leader that commits, and goes on having one. `deposed` says whether
/// that must be another one than before.
fn elects_under(shape: Shape, nodes: u64, deposed: bool) {
    for seed in 1..=2 {
        simulate(seed, move || async move {
            let calm = Calm::of(seed, nodes).await;
            let old = calm.one_leader().await;
            let held = Calm::leaderships(&old);
            assert!(held.len() > 2 && held.values().all(Option::is_some), "{held:?}");
            // With one seed the leader is the first, with the other the one in the middle.
            let mut order = [vec![old.id], calm.others(old.id)].concat();
            order.rotate_right((seed as usize - 1) * (nodes as usize / 2));
            calm.world.network.cut(CUT, &shape.links(&order, old.id));
            let began = Instant::now();
            if deposed {
                calm.elects_another(old.id).await;
            }
            calm.all_commit().await;
            assert!(began.elapsed() < ELECTS, "{:?}", began.elapsed());
            for round in 0..5 {
                sleep(Duration::from_secs(1)).await;
                let took = calm.all_commit().await;
                assert!(took < ELECTS, "{took:?} in round {round}");
            }
            for group in held.into_keys().filter(|_| deposed) {
                assert_ne!(calm.leads_in(group).map(|leader| leader.id), Some(old.id), "{group}");
                assert!(!calm.commits_on(&old, group).await, "it commits in group {group}");
            }
            assert!(calm.world.stage.counts().contains_key(CUT), "nobody felt the cuts");
            calm.end();
        });
    }
}

/// Two halves that both reach one node, and not each other.
#[test]
fn a_bridge_keeps_a_leader_that_commits() {
    elects_under(Shape::Bridge, 3, false);
    elects_under(Shape::Bridge, 5, false);
}

/// Everybody reaches two neighbours, and no two the same majority. Of three nodes no two would reach each other.
#[test]
fn a_ring_of_majorities_keeps_a_leader_that_commits() {
    elects_under(Shape::Ring, 5, false);
}

/// Its heartbeats do not arrive, though it hears: the others elect, and it yields.
#[test]
fn a_mute_leader_is_followed_by_another() {
    elects_under(Shape::Mute, 3, true);
    elects_under(Shape::Mute, 5, true);
}

/// Its heartbeats go on, and it hears nobody: it must find out by itself that it leads no more, or nobody
/// would ever elect another.
#[test]
fn a_deaf_leader_stops_and_is_followed_by_another() {
    elects_under(Shape::Deaf, 3, true);
    elects_under(Shape::Deaf, 5, true);
}
