//! A node that has too little of what its machine gives: processor time, memory, files.

use rand::rngs::StdRng;

use super::{
    Target,
    act::{Begun, Ending, Felt, NotBegun, Undo, felt, meant, names},
};
use crate::{
    inject::rations::{self, Ration},
    world::{Excuse, World},
};

pub(super) async fn processor(
    world: &mut World,
    target: Target,
    hundredths: u64,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    let each = |pid| Ration::processor(pid, hundredths);
    let rations = rationed(world, &nodes, each)?;
    Ok(Begun::new(names(world, &nodes), Rationed { rations, ends: None }))
}

/// A process that meets the bound is ended by the kernel: as by SIGKILL.
pub(super) async fn memory(
    world: &mut World,
    target: Target,
    mib: u64,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    let rations = rationed(world, &nodes, |pid| Ration::memory(pid, mib))?;
    for node in &nodes {
        world.may_end(*node, step, Some(Excuse::Memory));
    }
    let targets = names(world, &nodes);
    Ok(Begun::new(targets, Rationed { rations, ends: Some((nodes, step)) }))
}

fn rationed(
    world: &World,
    nodes: &[usize],
    each: impl Fn(u32) -> Result<Ration, crate::inject::Skipped>,
) -> Result<Vec<Ration>, NotBegun> {
    let pids: Vec<u32> = nodes.iter().filter_map(|node| world.pid(*node)).collect();
    if pids.is_empty() {
        return Err(NotBegun::skipped("none of the nodes that are meant runs"));
    }
    Ok(pids.into_iter().map(each).collect::<Result<_, _>>()?)
}

struct Rationed {
    rations: Vec<Ration>,
    /// Nodes that may end because of it, and the step.
    ends: Option<(Vec<usize>, usize)>,
}

impl Undo for Rationed {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let mut throttled = self.rations.iter().map(Ration::felt).sum();
            if let Some((nodes, step)) = self.ends {
                world.supervise()?;
                throttled += nodes.iter().filter(|node| world.pid(**node).is_none()).count() as u64;
                drop(self.rations);
                for node in nodes {
                    world.may_end(node, step, None);
                }
                world.supervise()?;
            }
            Ok(felt("throttled", throttled))
        })
    }
}

pub(super) async fn files(
    world: &mut World,
    target: Target,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    let mut bounds = Vec::new();
    for node in &nodes {
        if let Some(pid) = world.pid(*node) {
            let open = rations::open_files(pid);
            let before = rations::files(pid, open)?;
            world.may_end(*node, step, Some(Excuse::Refused));
            bounds.push(Bound { node: *node, pid, open, before });
        }
    }
    if bounds.is_empty() {
        return Err(NotBegun::skipped("none of the nodes that are meant runs"));
    }
    Ok(Begun::new(names(world, &nodes), Bounded { bounds, step }))
}

struct Bound {
    node: usize,
    pid: u32,
    /// Files that were open when the bound came.
    open: u64,
    /// The bound that stood before.
    before: u64,
}

struct Bounded {
    bounds: Vec<Bound>,
    step: usize,
}

impl Undo for Bounded {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            world.supervise()?;
            let mut felt_by: u64 = 0;
            for bound in &self.bounds {
                let ended = world.pid(bound.node) != Some(bound.pid);
                // As many as it may have: whatever it wanted more of it did not get.
                let full = !ended && rations::open_files(bound.pid) + 1 >= bound.open;
                felt_by += u64::from(ended || full);
                if !ended {
                    rations::files(bound.pid, bound.before)?;
                }
                world.may_end(bound.node, self.step, None);
            }
            world.supervise()?;
            let felt: Felt = felt("without_files", felt_by);
            Ok(felt)
        })
    }
}
