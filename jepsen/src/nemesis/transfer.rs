//! Leadership: handed from node to node while clients work.

use proto::admin::TransferRequest;
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use std::time::Instant;

use super::act::{Begun, Ending, NotBegun, Undo, felt, names, some_group};
use crate::world::{FIRST_GROUP, WALLET_GROUPS, World};

/// Hands a wallet group to another node; every one of them when the step ends.
pub(super) async fn around(world: &mut World, random: &mut StdRng) -> Result<Begun, NotBegun> {
    let group = some_group(random);
    let Some(struck) = hand_over(world, group, random).await else {
        return Err(NotBegun::skipped("no leader handed over: nobody was there to take it"));
    };
    let random = rand::SeedableRng::seed_from_u64(random.random());
    let targets = names(world, &world.members());
    Ok(Begun::new(targets, Again { random }).struck(struck).of_group(group))
}

/// When the leader was asked, if it then handed over.
async fn hand_over(world: &World, group: u32, random: &mut StdRng) -> Option<Instant> {
    let leader = world.leader(group).await?;
    let mut others = world.members();
    others.retain(|node| *node != leader && world.pid(*node).is_some());
    let to = world.name(*others.choose(random)?);
    let mut admin = world.cluster.admin(leader).await.ok()?;
    let asked = Instant::now();
    admin.transfer(TransferRequest { group, to }).await.is_ok().then_some(asked)
}

struct Again {
    random: StdRng,
}

impl Undo for Again {
    fn end<'a>(mut self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let mut handed = 1;
            for group in FIRST_GROUP..FIRST_GROUP + WALLET_GROUPS {
                handed += u64::from(hand_over(world, group, &mut self.random).await.is_some());
            }
            Ok(felt("handed_over", handed))
        })
    }
}
