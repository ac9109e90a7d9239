//! Processes: killed, also while they catch up; restarted one after the other; made to stand still.

use rand::rngs::StdRng;
use server::cluster::Signal;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Over, Undo, felt, meant, names},
};
use crate::world::World;

/// How long a node may take to drain.
const DRAINS_WITHIN: Duration = Duration::from_secs(30);
/// How long a snapshot is waited for, and what a node writes when one comes in.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(10);
const RECEIVING: &str = "receiving a snapshot";
/// A log keeps the hundred entries before a snapshot, of which there is one every hundred: one who has missed as many
/// as this is sent a snapshot. How long that is waited for.
const BEHIND: u64 = 350;
const BEHIND_WITHIN: Duration = Duration::from_secs(10);
/// What it writes when one is in force.
const INSTALLED: &str = "Done install complete snapshot";

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
            Ok(felt("killed", self.ran).into())
        })
    }
}

/// They are down until the others' logs begin behind theirs, are sent a snapshot, and killed in the middle of it.
pub(super) async fn behind(
    world: &mut World,
    target: Target,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    let committed = committed(world).await;
    world.take_down(&nodes, step)?;
    Ok(Begun::new(names(world, &nodes), Behind { nodes, step, committed }))
}

struct Behind {
    nodes: Vec<usize>,
    step: usize,
    /// How far each group was when they went.
    committed: BTreeMap<u32, u64>,
}

/// How far each group is, as far as anybody says.
async fn committed(world: &World) -> BTreeMap<u32, u64> {
    world.groups().await.into_iter().map(|group| (group.id, group.committed)).collect()
}

impl Behind {
    /// Waits until the log of some group begins behind them.
    async fn are_behind(&self, world: &World) {
        let until = Instant::now() + BEHIND_WITHIN;
        while Instant::now() < until {
            let now = committed(world).await;
            let came =
                |(group, at): (&u32, &u64)| at.abs_diff(*self.committed.get(group).unwrap_or(at));
            if now.iter().map(came).max().is_some_and(|most| most > BEHIND) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Undo for Behind {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            self.are_behind(world).await;
            let mut cut = 0;
            for node in self.nodes {
                let logged = world.logged(node);
                world.let_up(&[node], self.step)?;
                if world.pid(node).is_some() && is_sent_a_snapshot(world, node, logged).await {
                    world.take_down(&[node], self.step)?;
                    cut += u64::from(was_cut(&world.said(node, logged)));
                    world.let_up(&[node], self.step)?;
                }
            }
            Ok(felt("cut_snapshots", cut).into())
        })
    }
}

/// Whether a snapshot had begun to come in and was not in force yet, by what a node said before it was killed.
fn was_cut(said: &str) -> bool {
    said.matches(RECEIVING).count() > said.matches(INSTALLED).count()
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

/// The nodes go one after the other, each when the one before it answers again.
pub(super) async fn rolling(world: &mut World, step: usize) -> Result<Begun, NotBegun> {
    let nodes = world.members();
    let (since, mut restarted) = (Instant::now(), 0);
    for node in &nodes {
        restarted += u64::from(world.stop(*node, DRAINS_WITHIN).await?);
        // Whoever else keeps it down still does.
        world.let_up(&[*node], step)?;
        if world.pid(*node).is_some() {
            // Another fault may keep it from answering: that is what mixtures are for.
            let _ = world.cluster.wait_answering(*node, DRAINS_WITHIN).await;
        }
    }
    Ok(Begun::new(names(world, &nodes), Over(felt("restarted", restarted))).done(since))
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
            Ok(felt("paused", still as u64).into())
        })
    }
}

/// Whether the kernel says that a process is stopped.
fn stands_still(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_that_was_installed_before_the_kill_was_not_cut() {
        let (begins, ends) = (format!("{RECEIVING} group=2\n"), format!("worker: {INSTALLED}\n"));
        assert!(was_cut(&begins) && was_cut(&format!("{begins}{begins}{ends}")));
        assert!(!was_cut(&format!("{begins}{ends}")) && !was_cut(""));
    }
}
