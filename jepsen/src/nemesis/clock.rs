//! Wall clocks: turned and made to drift, while monotonic clocks run on as they are. Monotonic clocks: begun
//! elsewhere, by a start of the node as on a machine that was started at another time.

use rand::rngs::StdRng;
use std::time::{Duration, Instant};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::task::JoinHandle;

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Undo, felt, meant, names},
};
use crate::{
    inject::clock::{Boot, Clock},
    world::{World, WorldError},
};

/// A clock that is this far off was moved.
const MOVED: Duration = Duration::from_millis(500);
/// How often a clock that drifts is turned.
const MOMENT: Duration = Duration::from_millis(50);
/// How much of a log is looked at.
const TAIL: u64 = 64 << 10;

/// Clocks jump.
pub(super) async fn turn(
    world: &mut World,
    target: Target,
    seconds: i64,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    for clock in clocks(world, &nodes)? {
        let turned = clock.turn(seconds * 1_000);
        turned.map_err(|error| NotBegun::skipped(format!("the clock's file: {error}")))?;
    }
    let mut targets = names(world, &nodes);
    targets.push(format!("{seconds:+} s"));
    Ok(Begun::new(targets, Turned { nodes, drift: None }))
}

/// Clocks go at so many hundredths of their speed.
pub(super) async fn drift(
    world: &mut World,
    target: Target,
    speed: u32,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    let clocks = clocks(world, &nodes)?;
    let began = Instant::now();
    let drift = tokio::spawn(async move {
        loop {
            let elapsed = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
            let ahead = elapsed * (i64::from(speed) - 100) / 100;
            for clock in &clocks {
                // The next moment tries again.
                let _ = clock.turn(ahead);
            }
            tokio::time::sleep(MOMENT).await;
        }
    });
    let mut targets = names(world, &nodes);
    targets.push(format!("at {speed} %"));
    Ok(Begun::new(targets, Turned { nodes, drift: Some(drift) }))
}

/// The node starts again, on a machine that was started at another time.
pub(super) async fn boot(
    world: &mut World,
    target: Target,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    clocks(world, &nodes)?;
    let boot = Boot::new()?;
    world.take_down(&nodes, step)?;
    for node in &nodes {
        world.boots_in(*node, Some(&boot))?;
    }
    world.let_up(&nodes, step)?;
    Ok(Begun::new(names(world, &nodes), Elsewhere { nodes, step, boot }))
}

struct Elsewhere {
    nodes: Vec<usize>,
    step: usize,
    boot: Boot,
}

impl Undo for Elsewhere {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let pids = self.nodes.iter().filter_map(|node| world.pid(*node));
            let elsewhere = pids.filter(|pid| Boot::is_elsewhere(*pid)).count() as u64;
            world.take_down(&self.nodes, self.step)?;
            drop(self.boot);
            for node in &self.nodes {
                world.boots_in(*node, None)?;
            }
            world.let_up(&self.nodes, self.step)?;
            Ok(felt("other_boots", elsewhere).into())
        })
    }
}

fn clocks(world: &World, nodes: &[usize]) -> Result<Vec<Clock>, NotBegun> {
    Ok(nodes.iter().map(|node| world.clock(*node).cloned()).collect::<Result<_, _>>()?)
}

struct Turned {
    nodes: Vec<usize>,
    drift: Option<JoinHandle<()>>,
}

impl Undo for Turned {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            if let Some(drift) = self.drift {
                drift.abort();
                let _ = drift.await;
            }
            let mut wrong = 0;
            for node in &self.nodes {
                wrong += u64::from(reads_another(world, *node));
                let clock = world.clock(*node)?;
                let file = world.cluster.nodes()[*node].dir.join("clock");
                clock.set_right().map_err(|source| WorldError::File { file, source })?;
            }
            Ok(felt("wrong_clocks", wrong).into())
        })
    }
}

/// Whether a node's wall clock is another than this machine's, by the last line that it wrote into its log: the
/// line has the node's time, the file the machine's.
fn reads_another(world: &World, node: usize) -> bool {
    let log = world.cluster.nodes()[node].log();
    let Ok(written) = log.metadata().and_then(|about| about.modified()) else { return false };
    let written = OffsetDateTime::from(written);
    let text = world.said(node, world.logged(node).saturating_sub(TAIL));
    match text.lines().rev().find_map(stamp) {
        Some(stamp) => (stamp - written).unsigned_abs() > MOVED,
        None => false,
    }
}

/// The time at the beginning of a line.
fn stamp(line: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(line.split(' ').next()?, &Rfc3339).ok()
}
