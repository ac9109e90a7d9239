//! Membership: nodes join, are drained, and are removed for ever, while clients work. A machine whose node was
//! removed is wiped and comes back as another node.

use proto::admin::{JoinRequest, NodeRequest};
use rand::{Rng, rngs::StdRng};
use std::{fs, io, path::Path, time::Duration};

use super::act::{Begun, Ending, NotBegun, Undo, felt};
use crate::world::{World, WorldError};

/// A change waits for those before it.
const CHANGES_WITHIN: Duration = Duration::from_secs(60);

/// The machine that is not a member joins; a member of its data centre leaves for ever, and its machine is the
/// one that is not a member from then on.
pub(super) async fn replace(
    world: &mut World,
    _: usize,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    world.whole(CHANGES_WITHIN).await?;
    let Some(spare) = (0..world.count()).find(|node| !world.is_wanted(*node)) else {
        return Err(NotBegun::skipped("every machine is a member"));
    };
    let Some(leaves) = world.of_dc(spare).first().copied() else {
        return Err(NotBegun::skipped(
            "no member is in the data centre of the machine that is free",
        ));
    };
    let targets = vec![format!("+{}", world.name(spare)), format!("-{}", world.name(leaves))];
    world.want(spare)?;
    join(world, spare, random).await?;
    remove(world, leaves, step, random).await?;
    Ok(Begun { targets, undo: Box::new(Done { back: None, step, changes: 2 }) })
}

/// A node is drained; when the step ends it is removed, wiped, and joins again.
pub(super) async fn drain(
    world: &mut World,
    node: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    world.whole(CHANGES_WITHIN).await?;
    if !world.is_wanted(node) {
        return Err(NotBegun::skipped("the node that is meant is not a member"));
    }
    let request = NodeRequest { name: world.name(node), request_id: id(random) };
    let mut admin = other(world, node).await?;
    let drained = admin.drain(request).await;
    drained.map_err(|status| NotBegun::skipped(format!("drain: {}", status.message())))?;
    let random = rand::SeedableRng::seed_from_u64(random.next_u64());
    let targets = vec![world.name(node)];
    Ok(Begun {
        targets,
        undo: Box::new(Done { back: Some((node, random)), step: usize::MAX, changes: 1 }),
    })
}

async fn join(world: &mut World, node: usize, random: &mut StdRng) -> Result<(), NotBegun> {
    let answering = world.cluster.wait_answering(node, CHANGES_WITHIN).await;
    answering.map_err(WorldError::from)?;
    let peer = world.cluster.nodes()[node].peer.clone();
    let request = JoinRequest { peer, request_id: id(random) };
    let joined = other(world, node).await?.join(request).await;
    joined.map_err(|status| NotBegun::skipped(format!("join: {}", status.message())))?;
    Ok(())
}

async fn remove(
    world: &mut World,
    node: usize,
    step: usize,
    random: &mut StdRng,
) -> Result<(), NotBegun> {
    let request = NodeRequest { name: world.name(node), request_id: id(random) };
    let mut admin = other(world, node).await?;
    // Whoever learns that it was removed may end.
    world.may_end(node, step, true);
    let removed = admin.remove(request).await;
    if let Err(status) = removed {
        world.may_end(node, step, false);
        return Err(NotBegun::skipped(format!("remove: {}", status.message())));
    }
    world.leave(node, step)?;
    world.may_end(node, step, false);
    wipe(&world.data(node))
        .map_err(|source| WorldError::File { file: world.data(node), source })?;
    Ok(())
}

struct Done {
    /// A node that leaves and joins again.
    back: Option<(usize, StdRng)>,
    step: usize,
    changes: u64,
}

impl Undo for Done {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let Some((node, mut random)) = self.back else {
                return Ok(felt("changes", self.changes));
            };
            let again = async {
                remove(world, node, self.step, &mut random).await?;
                world.want(node)?;
                join(world, node, &mut random).await
            };
            match again.await {
                Ok(()) => Ok(felt("changes", self.changes + 2)),
                Err(NotBegun::World(error)) => Err(error),
                Err(NotBegun::Skipped(skipped)) => Err(skipped.into()),
            }
        })
    }
}

/// Another member's door for operators.
async fn other(
    world: &World,
    node: usize,
) -> Result<proto::admin::admin_client::AdminClient<tonic::transport::Channel>, NotBegun> {
    for member in world.members() {
        if member != node
            && let Ok(admin) = world.cluster.admin(member).await
        {
            return Ok(admin);
        }
    }
    Err(NotBegun::skipped("no other member answers"))
}

fn id(random: &mut StdRng) -> Vec<u8> {
    let mut id = vec![0; 32];
    random.fill_bytes(&mut id);
    id
}

/// Empties a directory, which may be where a disk is mounted.
fn wipe(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name() == "lost+found" {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}
