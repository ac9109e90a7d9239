//! Disks: full, slow, failing.

use rand::rngs::StdRng;

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Undo, felt, meant, names},
};
use crate::{
    inject::{
        Skipped,
        calls::{Injected, SYNCS},
        disk::Ballast,
    },
    world::World,
};

pub(super) async fn full(
    world: &mut World,
    target: Target,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    let mut taken = 0;
    let mut ballasts = Vec::new();
    for node in &nodes {
        let ballast = Ballast::on(world.disk(*node)?.path());
        let filled = ballast.fill_up();
        taken += filled.map_err(|error| NotBegun::skipped(format!("fill the disk: {error}")))?;
        world.may_end(*node, step, true);
        ballasts.push(ballast);
    }
    let targets = names(world, &nodes);
    Ok(Begun { targets, undo: Box::new(Full { nodes, ballasts, step, taken }) })
}

struct Full {
    nodes: Vec<usize>,
    ballasts: Vec<Ballast>,
    step: usize,
    taken: u64,
}

impl Undo for Full {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            // Whoever ended because of it is noticed before that is forgotten.
            world.supervise()?;
            for ballast in &self.ballasts {
                ballast.free().map_err(|error| Skipped(format!("free the disk: {error}")))?;
            }
            for node in &self.nodes {
                world.may_end(*node, self.step, false);
            }
            world.supervise()?;
            Ok(felt("bytes_taken", self.taken))
        })
    }
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
    Ok(Begun { targets: names(world, &nodes), undo: Box::new(Slow { injected }) })
}

struct Slow {
    injected: Vec<Injected>,
}

impl Undo for Slow {
    fn end<'a>(self: Box<Self>, _: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let slowed = self.injected.len() as u64;
            // strace waits for the process that it lets go of.
            let _ = tokio::task::spawn_blocking(move || drop(self)).await;
            Ok(felt("slow_disks", slowed))
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
    let mut injected = Vec::new();
    for node in &nodes {
        if let Some(pid) = world.pid(*node) {
            injected.push(Injected::into(pid, SYNCS, "error=EIO")?);
            world.may_end(*node, step, true);
        }
    }
    if injected.is_empty() {
        return Err(NotBegun::skipped("none of the nodes that are meant runs"));
    }
    let targets = names(world, &nodes);
    Ok(Begun { targets, undo: Box::new(Failing { nodes, injected, step }) })
}

struct Failing {
    nodes: Vec<usize>,
    injected: Vec<Injected>,
    step: usize,
}

impl Undo for Failing {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let Failing { nodes, injected, step } = *self;
            let _ = tokio::task::spawn_blocking(move || drop(injected)).await;
            world.supervise()?;
            let ended = nodes.iter().filter(|node| world.pid(**node).is_none()).count() as u64;
            for node in nodes {
                world.may_end(node, step, false);
            }
            world.supervise()?;
            Ok(felt("failed_syncs_ended", ended))
        })
    }
}
