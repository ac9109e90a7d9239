//! The shapes of partitions: from a seed, the nodes and the leader to the directed links that are cut.
//!
//! Pure. A cut (a, b) stops what a sends to b; b *hears* a while that link is whole.

use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus, seq::SliceRandom};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// Directed links between nodes.
pub type Cuts = BTreeSet<(usize, usize)>;

/// The nodes that a partition is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// The data centre of each, as a number.
    pub dcs: Vec<usize>,
    /// Which of them leads, where that is known. Otherwise the seed chooses one for shapes around it.
    pub leader: Option<usize>,
}

/// A shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A minority and a majority that do not hear each other.
    Halves,
    /// A minority hears the rest and is not heard, or the other way round.
    OneWay,
    /// Two sides that do not hear each other, and one node between them that hears and is heard by both.
    Bridge,
    /// Every node hears a majority, and no two the same one.
    MajorityRing,
    /// The leader hears nobody and nobody hears it.
    IsolatedLeader,
    /// The leader is heard and hears nobody: it must find out by itself that it leads no more.
    DeafLeader,
    /// The leader hears and is heard by nobody: its followers must elect, and it must yield.
    MuteLeader,
    /// The nodes of one data centre, cut off from all others: the leader's, if it is known.
    DataCentre,
}

impl Shape {
    /// All.
    pub const ALL: [Shape; 8] = [
        Shape::Halves,
        Shape::OneWay,
        Shape::Bridge,
        Shape::MajorityRing,
        Shape::IsolatedLeader,
        Shape::DeafLeader,
        Shape::MuteLeader,
        Shape::DataCentre,
    ];

    /// What this shape cuts. The same seed and members give the same cuts. Fewer than three nodes have
    /// no bridge and no ring: they are halved. One node is cut from nobody.
    pub fn cuts(self, members: &Members, seed: u64) -> Cuts {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let count = members.dcs.len();
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut random);
        if count < 2 {
            return Cuts::new();
        }
        let leader = members.leader.filter(|leader| *leader < count).unwrap_or(order[0]);
        let others: Vec<usize> = (0..count).filter(|node| *node != leader).collect();
        match self {
            Shape::Bridge if count > 2 => {
                let sides = &order[1..];
                let (one, other) = sides.split_at(sides.len() / 2);
                both(one, other)
            }
            Shape::MajorityRing if count > 2 => ring(&order),
            Shape::Halves | Shape::Bridge | Shape::MajorityRing => {
                let (minority, majority) = order.split_at(minority(count, &mut random));
                both(minority, majority)
            }
            Shape::OneWay => {
                let (minority, majority) = order.split_at(minority(count, &mut random));
                if random.random() { way(minority, majority) } else { way(majority, minority) }
            }
            Shape::IsolatedLeader => both(&[leader], &others),
            Shape::DeafLeader => way(&others, &[leader]),
            Shape::MuteLeader => way(&[leader], &others),
            Shape::DataCentre => {
                let off = |node: &usize| members.dcs[*node] == members.dcs[leader];
                let (inside, outside): (Vec<usize>, Vec<usize>) = (0..count).partition(off);
                both(&inside, &outside)
            }
        }
    }
}

/// One change of a flapping link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flap {
    /// After the beginning.
    pub at: Duration,
    /// Whether it is cut from now on.
    pub cut: bool,
}

/// When links that flap are cut and whole again, within `total`: each state lasts an evenly drawn time
/// between `shortest` and `longest`. Begins cut at once, and ends whole.
pub fn flapping(seed: u64, total: Duration, shortest: Duration, longest: Duration) -> Vec<Flap> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let shortest = shortest.max(Duration::from_millis(1));
    let longest = longest.max(shortest);
    let (mut at, mut flaps) = (Duration::ZERO, Vec::new());
    while at < total {
        flaps.push(Flap { at, cut: flaps.len() % 2 == 0 });
        at += random.random_range(shortest..=longest);
    }
    if flaps.len() % 2 == 1 {
        flaps.push(Flap { at: total, cut: false });
    }
    flaps
}

/// At least one, and less than half.
fn minority(count: usize, random: &mut Xoshiro256PlusPlus) -> usize {
    random.random_range(1..=((count - 1) / 2).max(1))
}

fn way(from: &[usize], to: &[usize]) -> Cuts {
    from.iter().flat_map(|from| to.iter().map(|to| (*from, *to))).collect()
}

fn both(one: &[usize], other: &[usize]) -> Cuts {
    way(one, other).into_iter().chain(way(other, one)).collect()
}

/// Every node hears as many neighbours in a ring as make a majority with itself: as many before it as
/// behind it, and one more before it where that does not come out even.
fn ring(order: &[usize]) -> Cuts {
    let count = order.len();
    let heard = count / 2;
    let (before, behind) = (heard.div_ceil(2), heard / 2);
    let mut cuts = Cuts::new();
    for (place, node) in order.iter().enumerate() {
        for step in 1..count {
            let other = order[(place + count - step) % count];
            if step > before && count - step > behind {
                cuts.insert((other, *node));
            }
        }
    }
    cuts
}

#[cfg(test)]
mod tests;
