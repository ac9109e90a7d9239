//! A partitioned or flapping node cannot depose a healthy leader (§9.6 of Ongaro's thesis, pre-vote).
//!
//! Whoever does not hear its leader stands for election, and whoever is heard then may unseat it. So the worst
//! is not a node that is away: it is one that hears nobody and is heard by all.

use std::time::Duration;

use tokio::time::sleep;

use super::{CUT, Calm};
use crate::simulation::run::simulate;
use crate::simulation::shapes::Shape;

/// Long enough, and then again and again long enough, to stand for election; then shorter than that.
const AWAY_AND_BACK: [(u64, u64, u32); 4] =
    [(8_000, 2_000, 1), (1_200, 150, 5), (900, 700, 3), (450, 250, 6)];

/// One node's links to all others come and go in this shape. The leader of all groups keeps its terms, and
/// commits in each of them all the while.
fn leads_on_beside(shape: Shape, nodes: u64) {
    for seed in 1..=2 {
        simulate(seed, move || async move {
            let calm = Calm::of(seed, nodes).await;
            let leader = calm.one_leader().await;
            let held = Calm::leaderships(&leader);
            assert!(held.len() > 2 && held.values().all(Option::is_some), "{held:?}");
            let others = calm.others(leader.id);
            let victim = others[seed as usize % others.len()];
            let order = [calm.others(victim), vec![victim]].concat();
            let (links, network) = (shape.links(&order, victim), &calm.world.network);
            let is_whole = async |when: &str| {
                for group in held.keys() {
                    assert!(calm.commits_on(&leader, *group).await, "group {group} {when}");
                }
                assert_eq!(Calm::leaderships(&leader), held, "{when}");
            };
            for (away, back, times) in AWAY_AND_BACK {
                for _ in 0..times {
                    network.cut(CUT, &links);
                    sleep(Duration::from_millis(away)).await;
                    is_whole("while a node is away").await;
                    network.mend(CUT, &links);
                    sleep(Duration::from_millis(back)).await;
                    is_whole("when a node is back").await;
                }
            }
            assert!(calm.world.stage.counts().contains_key(CUT), "nobody felt the cuts");
            calm.end();
        });
    }
}

/// Away for long, or coming and going: neither ends a leadership that a majority follows.
#[test]
fn a_partitioned_or_flapping_node_does_not_depose_a_healthy_leader() {
    leads_on_beside(Shape::Isolated, 3);
    leads_on_beside(Shape::Isolated, 5);
}

/// It hears nobody, and everybody hears it ask for votes.
#[test]
fn a_deaf_or_flapping_deaf_node_does_not_depose_a_healthy_leader() {
    leads_on_beside(Shape::Deaf, 3);
    leads_on_beside(Shape::Deaf, 5);
}

/// It hears its leader, which does not hear it answer.
#[test]
fn a_mute_or_flapping_mute_node_does_not_depose_a_healthy_leader() {
    leads_on_beside(Shape::Mute, 3);
    leads_on_beside(Shape::Mute, 5);
}
