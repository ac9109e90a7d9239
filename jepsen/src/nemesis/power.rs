//! Power: a disk that loses it has only what was synced when it is back.

use rand::rngs::StdRng;
use server::cluster::Signal;
use std::time::{Duration, Instant};

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Undo, felt, leader_of, meant, names, some_group},
};
use crate::{
    inject::calls::{Injected, SYNCS},
    world::{World, WorldError},
};

/// How late syncs are when the power goes in the middle of them.
const LATE: Duration = Duration::from_millis(1_200);
/// How long a leader is waited for before all that.
const LED_WITHIN: Duration = Duration::from_secs(10);
/// How long clients work on late disks.
const LATE_FOR: Duration = Duration::from_secs(1);
/// How long an election is waited for, and how soon behind it the power goes: before the sync of what the new
/// leader writes first has ended, and not before nodes have written down who leads.
const ELECTED_WITHIN: Duration = Duration::from_secs(6);
const WRITTEN_WITHIN: Duration = Duration::from_millis(100);

pub(super) async fn lose(
    world: &mut World,
    target: Target,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    for node in &nodes {
        world.disk(*node)?;
    }
    off(world, nodes, step)
}

fn off(world: &mut World, nodes: Vec<usize>, step: usize) -> Result<Begun, NotBegun> {
    let ran = nodes.iter().filter(|node| world.pid(**node).is_some()).count() as u64;
    let struck = Instant::now();
    // They stand still first, so that all of them lose it at one moment.
    world.signal(&nodes, Signal::STOP)?;
    let lost = nodes.iter().try_for_each(|node| world.disk(*node)?.lose_power());
    world.take_down(&nodes, step)?;
    // Some may have lost it and others not: that is no fault that was skipped.
    lost.map_err(WorldError::from)?;
    Ok(Begun::new(names(world, &nodes), Lost { nodes, step, ran }).struck(struck))
}

/// Takes power from all in the middle of late syncs, just behind an election: whatever was voted or acknowledged
/// before it was on a disk is lost on every node.
pub(super) async fn lose_in_sync(
    world: &mut World,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, Target::All, random).await?;
    for node in &nodes {
        world.disk(*node)?;
    }
    let group = some_group(random);
    let leader = led(world, group).await?;
    let late = format!("delay_enter={}", LATE.as_micros());
    let pids = nodes.iter().filter_map(|node| world.pid(*node));
    let injected: Vec<Injected> =
        pids.map(|pid| Injected::into(pid, SYNCS, &late)).collect::<Result<_, _>>()?;
    tokio::time::sleep(LATE_FOR).await;
    world.take_down(&[leader], step)?;
    let until = Instant::now() + ELECTED_WITHIN;
    while Instant::now() < until {
        if leader_of(world, group).await.is_ok_and(|now| now != leader) {
            tokio::time::sleep(WRITTEN_WITHIN).await;
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let begun = off(world, nodes, step);
    // strace waits for the processes that it lets go of.
    let _ = tokio::task::spawn_blocking(move || drop(injected)).await;
    begun
}

/// The leader of a group; an election may be on its way.
async fn led(world: &World, group: u32) -> Result<usize, NotBegun> {
    let until = Instant::now() + LED_WITHIN;
    loop {
        match leader_of(world, group).await {
            Err(NotBegun::Skipped(_)) if Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            led => return led,
        }
    }
}

struct Lost {
    nodes: Vec<usize>,
    step: usize,
    ran: u64,
}

impl Undo for Lost {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            for node in &self.nodes {
                world.disk(*node)?.power_up()?;
            }
            world.let_up(&self.nodes, self.step)?;
            Ok(felt("lost_power", self.ran))
        })
    }
}
