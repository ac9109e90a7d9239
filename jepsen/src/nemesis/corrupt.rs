//! Bytes of files that are other bytes when a node starts. One node at a time: what a minority has lost the
//! others have.

use rand::{rngs::StdRng, seq::IndexedRandom};
use std::path::PathBuf;

use super::{
    act::{Begun, Ending, NotBegun, Undo, felt, whole},
    acts::Place,
};
use crate::{
    inject::bytes::{self, Damage},
    world::World,
};

pub(super) async fn damaged(
    world: &mut World,
    node: usize,
    damage: Damage,
    place: Place,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    if !world.is_wanted(node) {
        return Err(NotBegun::skipped("the node that is meant does not take part now"));
    }
    // A node that was damaged has to be repaired before the next one is.
    whole(world).await?;
    for member in world.members() {
        world.harmed(member, false);
    }
    world.take_down(&[node], step)?;
    let chosen = files(world, node, place).choose(random).cloned();
    let harmed = match &chosen {
        Some(file) => bytes::damage(file, damage, random),
        None => Ok(0),
    };
    let (Some(file), Ok(harmed)) = (chosen, harmed) else {
        world.let_up(&[node], step)?;
        return Err(NotBegun::skipped(format!("there is no file to damage among {place:?}")));
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    world.harmed(node, true);
    let targets = vec![world.name(node), format!("{damage:?} of {name}")];
    Ok(Begun::new(targets, Damaged { node, step, harmed }))
}

/// Files of a node that are not empty.
fn files(world: &World, node: usize, place: Place) -> Vec<PathBuf> {
    let data = world.data(node);
    let all = bytes::files(&data).unwrap_or_default();
    let is_meant = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let in_database = file.starts_with(data.join("db"));
        let meant = match place {
            Place::Log => in_database && name.ends_with(".log"),
            Place::Tables => in_database && name.ends_with(".sst"),
            Place::Notes => !in_database && name.contains("marks"),
        };
        meant && file.metadata().is_ok_and(|about| about.len() > 0)
    };
    all.into_iter().filter(is_meant).collect()
}

struct Damaged {
    node: usize,
    step: usize,
    harmed: u64,
}

impl Undo for Damaged {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            world.let_up(&[self.node], self.step)?;
            Ok(felt("bytes_harmed", self.harmed).into())
        })
    }
}
