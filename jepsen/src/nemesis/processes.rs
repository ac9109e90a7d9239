//! Processes: killed, also while they catch up; restarted one after the other; made to stand still.

use rand::rngs::StdRng;
use server::cluster::Signal;
use std::time::{Duration, Instant};

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Undo, felt, meant, names},
};
use crate::world::World;

/// How long a node may take to drain.
const DRAINS_WITHIN: Duration = Duration::from_secs(30);
/// How long a snapshot is waited for, and what a node writes when one comes in.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(10);
const RECEIVING: &str = "receiving a snapshot";

pub(super) async fn kill(
    world: &mut World,
    target: Target,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    let ran = nodes.iter().filter(|node| world.pid(**node).is_some()).count();
    let struck = Instant::now();
    world.take_down(&nodes, step)?;
    let targets = names(world, &nodes);
    Ok(Begun::new(targets, Killed { nodes, step, ran: ran as u64 }).struck(struck))
}

struct Killed {
    nodes: Vec<usize>,
    step: usize,
    ran: u64,
}

impl Undo for Killed {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            world.let_up(&self.nodes, self.step)?;
            Ok(felt("killed", self.ran))
        })
    }
}

/// They are down until the others' logs begin behind theirs: snapshots are frequent here.
pub(super) async fn behind(
    world: &mut World,
    target: Target,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    world.take_down(&nodes, step)?;
    Ok(Begun::new(names(world, &nodes), Behind { nodes, step }))
}

struct Behind {
    nodes: Vec<usize>,
    step: usize,
}

impl Undo for Behind {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let mut cut = 0;
            for node in self.nodes {
                let logged = world.logged(node);
                world.let_up(&[node], self.step)?;
                if world.pid(node).is_some() && is_sent_a_snapshot(world, node, logged).await {
                    world.take_down(&[node], self.step)?;
                    world.let_up(&[node], self.step)?;
                    cut += 1;
                }
            }
            Ok(felt("cut_snapshots", cut))
        })
    }
}

/// Waits until a node says so, behind this place of its log.
async fn is_sent_a_snapshot(world: &World, node: usize, behind: u64) -> bool {
    let until = Instant::now() + SNAPSHOT_WITHIN;
    while Instant::now() < until {
        if world.said(node, behind).contains(RECEIVING) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

/// Nothing is done at the beginning: the nodes go one after the other when the step ends, each when the one
/// before it answers again.
pub(super) fn rolling(world: &mut World, step: usize) -> Result<Begun, NotBegun> {
    let nodes = world.members();
    Ok(Begun::new(names(world, &nodes), Rolling { nodes, step }))
}

struct Rolling {
    nodes: Vec<usize>,
    step: usize,
}

impl Undo for Rolling {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let mut restarted = 0;
            for node in self.nodes {
                restarted += u64::from(world.stop(node, DRAINS_WITHIN).await?);
                // Whoever else keeps it down still does.
                world.let_up(&[node], self.step)?;
                if world.pid(node).is_some() {
                    // Another fault may keep it from answering: that is what mixtures are for.
                    let _ = world.cluster.wait_answering(node, DRAINS_WITHIN).await;
                }
            }
            Ok(felt("restarted", restarted))
        })
    }
}

pub(super) async fn pause(
    world: &mut World,
    target: Target,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let mut nodes = meant(world, target, random).await?;
    nodes.retain(|node| world.pid(*node).is_some());
    if nodes.is_empty() {
        return Err(NotBegun::skipped("none of the nodes that are meant runs"));
    }
    let struck = Instant::now();
    world.signal(&nodes, Signal::STOP)?;
    let pids = nodes.iter().filter_map(|node| world.pid(*node)).collect();
    Ok(Begun::new(names(world, &nodes), Paused { nodes, pids }).struck(struck))
}

struct Paused {
    nodes: Vec<usize>,
    pids: Vec<u32>,
}

impl Undo for Paused {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let still = self.pids.iter().filter(|pid| stands_still(**pid)).count();
            world.signal(&self.nodes, Signal::CONT)?;
            Ok(felt("paused", still as u64))
        })
    }
}

/// Whether the kernel says that a process is stopped.
fn stands_still(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}
