//! A node that has too little of what its machine gives: processor time, memory, files.

use proto::admin::admin_client::AdminClient;
use rand::rngs::StdRng;
use std::time::Duration;
use tokio::{task::JoinSet, time::timeout};
use tonic::transport::Channel;

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Undo, felt, meant, names},
};
use crate::{
    inject::rations::{self, Ration},
    world::{Excuse, World},
};

/// What a node says of a file that it does not get: EMFILE, in the system's words.
const NO_FILE: &str = "Too many open files";
/// How many connections a node without files is asked for, and how long each may take.
const GUESTS: usize = 16;
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

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
            Ok(felt("throttled", throttled).into())
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
            let before = rations::files(pid, rations::open_files(pid))?;
            world.may_end(*node, step, Some(Excuse::Refused));
            bounds.push(Bound { node: *node, pid, before, logged: world.logged(*node) });
        }
    }
    if bounds.is_empty() {
        return Err(NotBegun::skipped("none of the nodes that are meant runs"));
    }
    let guests = knock(world, &bounds).await?;
    Ok(Begun::new(names(world, &nodes), Bounded { bounds, guests, step }))
}

struct Bound {
    node: usize,
    pid: u32,
    /// The bound that stood before.
    before: u64,
    /// How long its log was.
    logged: u64,
}

type Guest = AdminClient<Channel>;

/// Connects to the nodes more often than they have files left. Who was let in stays.
async fn knock(world: &World, bounds: &[Bound]) -> Result<Vec<Guest>, NotBegun> {
    let mut knocking = JoinSet::new();
    for bound in bounds {
        let operator = world.operator(&[bound.node])?;
        for _ in 0..GUESTS {
            let operator = operator.clone();
            knocking.spawn(async move {
                let door = operator.endpoints().first()?.clone();
                timeout(ANSWERS_WITHIN, operator.connect(&door)).await.ok()?.ok()
            });
        }
    }
    Ok(knocking.join_all().await.into_iter().flatten().collect())
}

struct Bounded {
    bounds: Vec<Bound>,
    guests: Vec<Guest>,
    step: usize,
}

impl Undo for Bounded {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            world.supervise()?;
            let mut felt_by: u64 = 0;
            for bound in &self.bounds {
                let ended = world.pid(bound.node) != Some(bound.pid);
                let told = world.said(bound.node, bound.logged).contains(NO_FILE);
                felt_by += u64::from(ended || told);
                if !ended {
                    rations::files(bound.pid, bound.before)?;
                }
                world.may_end(bound.node, self.step, None);
            }
            drop(self.guests);
            world.supervise()?;
            Ok(felt("without_files", felt_by).into())
        })
    }
}
