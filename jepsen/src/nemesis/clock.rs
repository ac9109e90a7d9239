//! Wall clocks: turned and made to drift. Monotonic clocks run on as they are.

use rand::rngs::StdRng;

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Undo, felt, meant, names},
};
use crate::world::{World, WorldError};

pub(super) async fn turn(
    world: &mut World,
    target: Target,
    by: &str,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    for node in &nodes {
        let turned = world.clock(*node)?.turn(by);
        turned.map_err(|error| NotBegun::skipped(format!("the clock's file: {error}")))?;
    }
    let mut targets = names(world, &nodes);
    targets.push(by.to_owned());
    Ok(Begun { targets, undo: Box::new(Turned { nodes }) })
}

struct Turned {
    nodes: Vec<usize>,
}

impl Undo for Turned {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let mut wrong = 0;
            for node in &self.nodes {
                // A node reads its clock for every line that it logs and every commit that it stamps.
                wrong += u64::from(reads_another(world, *node));
                let clock = world.clock(*node)?;
                let file = world.cluster.nodes()[*node].dir.join("clock");
                clock.turn("+0").map_err(|source| WorldError::File { file, source })?;
            }
            Ok(felt("wrong_clocks", wrong))
        })
    }
}

/// Whether the process has libfaketime's library in it, so that it reads the clock that was turned.
fn reads_another(world: &World, node: usize) -> bool {
    let maps = world.pid(node).map(|pid| std::fs::read_to_string(format!("/proc/{pid}/maps")));
    maps.is_some_and(|maps| maps.is_ok_and(|maps| maps.contains("libfaketime")))
}
