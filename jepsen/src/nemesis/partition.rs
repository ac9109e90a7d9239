//! The network: links cut in every shape, links that come and go, packets that are harmed.
//!
//! Links between nodes only: clients reach every node that runs, a leader that is cut off too.

use rand::{RngExt, rngs::StdRng};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Undo, felt, leader, meant, names, some_group},
    acts::{Harm, Links},
};
use crate::{
    net::{
        Cut, Effect, End, Link, Net,
        shapes::{self, Cuts, Members, Shape},
    },
    world::{World, WorldError},
};

/// How long a flapping link stays as it is, at least and at most.
const FLAPS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(700));
/// Longer than any step.
const FLAPS_FOR: Duration = Duration::from_secs(60);

pub(super) async fn cut(
    world: &mut World,
    shape: Shape,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let known = match shape {
        // Around somebody else these are other shapes.
        Shape::IsolatedLeader | Shape::DeafLeader | Shape::MuteLeader => {
            Some(leader(world, random).await?)
        }
        _ => world.leader(some_group(random)).await,
    };
    let members = Members { dcs: world.net.layout().dcs(), leader: known };
    let cuts = shape.cuts(&members, random.random());
    // A cable that broke, or a firewall that says no: both happen.
    let how = if random.random_bool(0.7) { Cut::Silent } else { Cut::Refuse };
    let struck = Instant::now();
    world.net.cut(&cuts, how);
    let (_, targets) = named(world, cuts);
    Ok(Begun::new(targets, Harmed::now(world)).struck(struck))
}

/// Links that were harmed.
struct Harmed {
    /// How much harm had been done before.
    before: u64,
    flapping: Option<JoinHandle<()>>,
    /// Nodes with a firewall of their own, and how much that had dropped before.
    filtered: BTreeMap<usize, u64>,
}

impl Harmed {
    fn now(world: &World) -> Harmed {
        Harmed { before: harm_done(&world.net), flapping: None, filtered: BTreeMap::new() }
    }
}

fn harm_done(net: &Net) -> u64 {
    net.counters().values().map(crate::net::Counters::harmed).sum()
}

impl Undo for Harmed {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            if let Some(flapping) = self.flapping {
                flapping.abort();
                let _ = flapping.await;
            }
            let mut harmed = harm_done(&world.net) - self.before;
            for (node, before) in self.filtered {
                harmed += world.net.filtered(node)?.saturating_sub(before);
            }
            world.net.heal()?;
            Ok(felt("packets_harmed", harmed).into())
        })
    }
}

pub(super) async fn flap(
    world: &mut World,
    target: Target,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    let all: Vec<usize> = (0..world.net.layout().nodes().len()).collect();
    let all = of_nodes(&nodes, &all);
    let flaps = shapes::flapping(random.random(), FLAPS_FOR, FLAPS.0, FLAPS.1);
    let mut undo = Harmed::now(world);
    let net: Arc<Net> = world.net.clone();
    undo.flapping = Some(tokio::spawn(async move {
        let began = tokio::time::Instant::now();
        for flap in flaps {
            tokio::time::sleep_until(began + flap.at).await;
            match flap.cut {
                true => net.cut(&all, Cut::Silent),
                false => restore(&net, &all),
            }
        }
    }));
    Ok(Begun::new(names(world, &nodes), undo))
}

fn restore(net: &Net, links: &Cuts) {
    for (from, to) in links {
        let (from, to) = (End::Node(*from), End::Node(*to));
        net.set(from, to, &net.layout().base(from, to));
    }
}

pub(super) async fn filter(
    world: &mut World,
    target: Target,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    if !world.net.can(Effect::Filter) {
        return Err(NotBegun::skipped("there is no nft, or the network is the proxy"));
    }
    let nodes = meant(world, target, random).await?;
    let mut undo = Harmed::now(world);
    for node in &nodes {
        let before = world.net.filtered(*node).map_err(WorldError::from)?;
        for other in 0..world.net.layout().nodes().len() {
            if other != *node {
                let dropped = world.net.filter(*node, End::Node(other), true);
                dropped.map_err(|error| NotBegun::skipped(error.to_string()))?;
            }
        }
        undo.filtered.insert(*node, before);
    }
    Ok(Begun::new(names(world, &nodes), undo))
}

pub(super) async fn harm(
    world: &mut World,
    harm: Harm,
    links: Links,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let needs = match harm {
        Harm::Slow => Effect::Delay,
        Harm::Lossy => Effect::Loss,
        Harm::Disordered => Effect::Reorder,
        Harm::Corrupted => Effect::Corrupt,
        Harm::Narrow => Effect::Bandwidth,
    };
    if !world.net.can(needs) {
        return Err(NotBegun::skipped(format!(
            "{needs:?} is not to be had from the {}",
            world.net.kind()
        )));
    }
    let all: Vec<usize> = (0..world.net.layout().nodes().len()).collect();
    let (links, targets) = match links {
        Links::All => (of_nodes(&all, &all), names(world, &world.members())),
        Links::Of(target) => {
            let nodes = meant(world, target, random).await?;
            (of_nodes(&nodes, &all), names(world, &nodes))
        }
        Links::Between(one, other) => named(world, Cuts::from([(one, other), (other, one)])),
        Links::Way(from, to) => named(world, Cuts::from([(from, to)])),
    };
    let undo = Harmed::now(world);
    for (from, to) in links {
        let (from, to) = (End::Node(from), End::Node(to));
        let base = world.net.layout().base(from, to);
        world.net.set(from, to, &harmed(harm, base));
    }
    Ok(Begun::new(targets, undo))
}

/// All links of these nodes, both ways.
fn of_nodes(nodes: &[usize], all: &[usize]) -> Cuts {
    let each = nodes.iter().flat_map(|node| all.iter().map(move |other| (*node, *other)));
    let both = each.flat_map(|(node, other)| [(node, other), (other, node)]);
    both.filter(|(from, to)| from != to).collect()
}

/// Links, and how they are named.
fn named(world: &World, links: Cuts) -> (Cuts, Vec<String>) {
    let name = |(from, to): &(usize, usize)| format!("{}>{}", world.name(*from), world.name(*to));
    let names = links.iter().map(name).collect();
    (links, names)
}

fn harmed(harm: Harm, base: Link) -> Link {
    let ms = Duration::from_millis;
    match harm {
        Harm::Slow => Link { delay: ms(40), jitter: ms(40), ..base },
        Harm::Lossy => Link { loss: 0.1, ..base },
        Harm::Disordered => Link { duplicate: 0.2, reorder: 0.2, ..base },
        Harm::Corrupted => Link { corrupt: 0.05, ..base },
        Harm::Narrow => Link { bytes_per_second: Some(200 << 10), ..base },
    }
}
