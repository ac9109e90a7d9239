//! Processes: killed, also while they catch up; restarted one after the other; made to stand still.

use rand::rngs::StdRng;
use server::cluster::Signal;
use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Undo, felt, meant, names},
};
use crate::world::{World, WorldError};

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
    world.take_down(&nodes, step)?;
    let targets = names(world, &nodes);
    Ok(Begun { targets, undo: Box::new(Killed { nodes, step, ran: ran as u64 }) })
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
    Ok(Begun { targets: names(world, &nodes), undo: Box::new(Behind { nodes, step }) })
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
                let log = world.cluster.nodes()[node].log();
                let before = size(&log);
                world.let_up(&[node], self.step)?;
                if world.pid(node).is_some() && is_sent_a_snapshot(&log, before).await {
                    world.take_down(&[node], self.step)?;
                    world.let_up(&[node], self.step)?;
                    cut += 1;
                }
            }
            Ok(felt("cut_snapshots", cut))
        })
    }
}

fn size(log: &Path) -> u64 {
    log.metadata().map_or(0, |about| about.len())
}

/// Waits until a node says so, in its log behind this place.
async fn is_sent_a_snapshot(log: &Path, from: u64) -> bool {
    let until = Instant::now() + SNAPSHOT_WITHIN;
    while Instant::now() < until {
        let text = std::fs::read(log).unwrap_or_default();
        let new = text.get(from as usize..).unwrap_or_default();
        if String::from_utf8_lossy(new).contains(RECEIVING) {
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
    Ok(Begun { targets: names(world, &nodes), undo: Box::new(Rolling { nodes, step }) })
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
                if world
                    .cluster
                    .stop_node(node, DRAINS_WITHIN)
                    .await
                    .map_err(WorldError::from)?
                    .is_some()
                {
                    restarted += 1;
                }
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
    world.signal(&nodes, Signal::STOP)?;
    let pids = nodes.iter().filter_map(|node| world.pid(*node)).collect();
    Ok(Begun { targets: names(world, &nodes), undo: Box::new(Paused { nodes, pids }) })
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
