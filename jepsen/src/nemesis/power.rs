//! Power: a disk that loses it has only what was synced when it is back.

use rand::rngs::StdRng;
use server::cluster::Signal;

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Undo, felt, meant, names},
};
use crate::world::World;

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
    let ran = nodes.iter().filter(|node| world.pid(**node).is_some()).count() as u64;
    // They stand still first, so that all of them lose it at one moment.
    world.signal(&nodes, Signal::STOP)?;
    for node in &nodes {
        world.disk(*node)?.lose_power()?;
    }
    world.take_down(&nodes, step)?;
    Ok(Begun { targets: names(world, &nodes), undo: Box::new(Lost { nodes, step, ran }) })
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
