//! Leadership: handed from node to node while clients work.

use proto::admin::TransferRequest;
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};

use super::act::{Begun, Ending, NotBegun, Undo, felt, names};
use crate::world::{FIRST_GROUP, WALLET_GROUPS, World};

/// Hands every wallet group to another node; again when the step ends.
pub(super) async fn around(world: &mut World, random: &mut StdRng) -> Result<Begun, NotBegun> {
    let members = world.members();
    let handed = hand_over(world, random).await;
    if handed == 0 {
        return Err(NotBegun::skipped("no leader handed over: nobody was there to take it"));
    }
    let random = rand::SeedableRng::seed_from_u64(random.random());
    Ok(Begun { targets: names(world, &members), undo: Box::new(Again { handed, random }) })
}

async fn hand_over(world: &World, random: &mut StdRng) -> u64 {
    let mut handed = 0;
    for group in FIRST_GROUP..FIRST_GROUP + WALLET_GROUPS {
        let Some(leader) = world.leader(group).await else { continue };
        let mut others = world.members();
        others.retain(|node| *node != leader && world.pid(*node).is_some());
        let Some(to) = others.choose(random) else { continue };
        let Ok(mut admin) = world.cluster.admin(leader).await else { continue };
        let request = TransferRequest { group, to: world.name(*to) };
        handed += u64::from(admin.transfer(request).await.is_ok());
    }
    handed
}

struct Again {
    handed: u64,
    random: StdRng,
}

impl Undo for Again {
    fn end<'a>(mut self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let again = hand_over(world, &mut self.random).await;
            Ok(felt("handed_over", self.handed + again))
        })
    }
}
