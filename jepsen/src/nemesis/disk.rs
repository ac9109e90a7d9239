//! Disks: full, slow, failing.

use rand::rngs::StdRng;
use std::time::{Duration, Instant};

use super::{
    Target,
    act::{Begun, Ending, Left, NotBegun, Undo, felt, meant, names},
};
use crate::{
    inject::{
        Skipped,
        calls::{Injected, SYNCS},
        disk::Ballast,
    },
    world::{Excuse, World, WorldError},
};

/// A node whose sync failed has to end, within this time.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// What a node writes into its log when there is little room.
const BELOW_RESERVE: &str = "the disk is below its reserve";

pub(super) async fn full(
    world: &mut World,
    target: Target,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    let logged = nodes.iter().map(|node| world.logged(*node)).collect();
    let mut ballasts = Vec::new();
    for node in &nodes {
        let ballast = Ballast::on(world.disk(*node)?.path());
        let filled = ballast.fill_up();
        filled.map_err(|error| NotBegun::skipped(format!("fill the disk: {error}")))?;
        world.may_end(*node, step, Some(Excuse::Refused));
        ballasts.push(ballast);
    }
    let targets = names(world, &nodes);
    Ok(Begun::new(targets, Full { nodes, logged, ballasts, step }))
}

struct Full {
    nodes: Vec<usize>,
    /// How long their logs were.
    logged: Vec<u64>,
    ballasts: Vec<Ballast>,
    step: usize,
}

impl Undo for Full {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            // Whoever ended because of it is noticed before that is forgotten.
            world.supervise()?;
            let each = self.nodes.iter().zip(&self.logged);
            let noticed = each.filter(|(node, logged)| {
                world.pid(**node).is_none() || world.said(**node, **logged).contains(BELOW_RESERVE)
            });
            let noticed = noticed.count() as u64;
            for ballast in &self.ballasts {
                ballast.free().map_err(|error| Skipped(format!("free the disk: {error}")))?;
            }
            for node in &self.nodes {
                world.may_end(*node, self.step, None);
            }
            world.supervise()?;
            Ok(felt("full_disks_noticed", noticed).into())
        })
    }
}

/// How many calls of each process were changed. strace waits for the process that it lets go of.
async fn taken_back(injected: Vec<Injected>) -> Vec<u64> {
    let each = move || injected.into_iter().map(Injected::taken_back).collect();
    tokio::task::spawn_blocking(each).await.unwrap_or_default()
}

pub(super) async fn slow(
    world: &mut World,
    target: Target,
    ms: u64,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    let mut injected = Vec::new();
    for node in &nodes {
        if let Some(pid) = world.pid(*node) {
            injected.push(Injected::into(pid, SYNCS, &format!("delay_enter={}", ms * 1_000))?);
        }
    }
    if injected.is_empty() {
        return Err(NotBegun::skipped("none of the nodes that are meant runs"));
    }
    Ok(Begun::new(names(world, &nodes), Slow { injected }))
}

struct Slow {
    injected: Vec<Injected>,
}

impl Undo for Slow {
    fn end<'a>(self: Box<Self>, _: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let late = taken_back(self.injected).await.into_iter().sum();
            Ok(felt("late_syncs", late).into())
        })
    }
}

pub(super) async fn fail(
    world: &mut World,
    target: Target,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    let (mut failing, mut injected) = (Vec::new(), Vec::new());
    for node in &nodes {
        if let Some(pid) = world.pid(*node) {
            injected.push(Injected::into(pid, SYNCS, "error=EIO")?);
            failing.push((*node, pid));
            world.may_end(*node, step, Some(Excuse::Refused));
        }
    }
    if injected.is_empty() {
        return Err(NotBegun::skipped("none of the nodes that are meant runs"));
    }
    let targets = names(world, &nodes);
    Ok(Begun::new(targets, Failing { nodes: failing, injected, step }))
}

struct Failing {
    /// With their processes.
    nodes: Vec<(usize, u32)>,
    injected: Vec<Injected>,
    step: usize,
}

impl Undo for Failing {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let Failing { nodes, injected, step } = *self;
            let failed = taken_back(injected).await;
            let mut wrong = Vec::new();
            for ((node, pid), failed) in nodes.iter().zip(&failed) {
                if *failed > 0 && goes_on(world, *node, *pid).await? {
                    wrong.push(format!(
                        "{} goes on although {failed} of its syncs failed: what it takes for durable may not be",
                        world.name(*node)
                    ));
                }
            }
            for (node, _) in nodes {
                world.may_end(node, step, None);
            }
            world.supervise()?;
            let felt = felt("failed_syncs", failed.iter().sum());
            Ok(Left { felt, wrong, ..Left::default() })
        })
    }
}

/// Whether a node's process is still the same one after the time in which it has to end.
async fn goes_on(world: &mut World, node: usize, pid: u32) -> Result<bool, WorldError> {
    let until = Instant::now() + ENDS_WITHIN;
    while Instant::now() < until {
        world.supervise()?;
        if world.pid(node) != Some(pid) {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(true)
}
