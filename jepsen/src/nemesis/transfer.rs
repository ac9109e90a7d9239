//! Leadership: handed from node to node while clients work.

use proto::admin::TransferRequest;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::act::{Begun, Ending, Left, NotBegun, Undo, felt, names, some_group};
use crate::world::{Operator, World};

/// Between two hand-overs, in milliseconds: long enough for a write in between.
const PAUSE_MS: Range<u64> = 300..900;
/// How long a leader is waited for.
const LED_WITHIN: Duration = Duration::from_secs(5);

/// Hands wallet groups to other nodes, one after the other, as long as the step lasts.
pub(super) async fn around(world: &mut World, random: &mut StdRng) -> Result<Begun, NotBegun> {
    let circle = Circle::of(world)?;
    let mut random = StdRng::seed_from_u64(random.random());
    let group = some_group(&mut random);
    let first = circle.hand_over(group, None, &mut random).await.map_err(NotBegun::Refused)?;
    let end = CancellationToken::new();
    let handing = tokio::spawn(circle.again_and_again((first, group), random, end.clone()));
    let targets = names(world, &world.members());
    Ok(Begun::new(targets, Around { handing, end }).struck(first))
}

/// Hands a group to this node. Whether it did.
pub(super) async fn lead(world: &World, node: usize, random: &mut StdRng) -> bool {
    let Ok(circle) = Circle::of(world) else { return false };
    let (group, to) = (some_group(random), world.name(node));
    world.leader(group).await == Some(node)
        || circle.hand_over(group, Some(to), random).await.is_ok()
}

/// Whoever may lead.
struct Circle {
    operator: Operator,
    /// In the order of the operator's doors.
    names: Vec<String>,
}

impl Circle {
    fn of(world: &World) -> Result<Circle, NotBegun> {
        let members = world.members();
        Ok(Circle { operator: world.operator(&members)?, names: names(world, &members) })
    }

    /// Asks the leader of a group to hand over to a node, or to some other one. Says when it was asked, or why it
    /// did not.
    async fn hand_over(
        &self,
        group: u32,
        to: Option<String>,
        random: &mut StdRng,
    ) -> Result<Instant, String> {
        let leader = timeout(LED_WITHIN, self.leader(group)).await;
        let leader = leader.map_err(|_| format!("nobody leads group {group}"))?;
        let others: Vec<&String> = self.names.iter().filter(|name| **name != leader).collect();
        let to = to.or_else(|| others.choose(random).map(|name| (*name).clone()));
        let place = self.names.iter().position(|name| *name == leader);
        let door = place.and_then(|place| self.operator.endpoints().get(place));
        let (Some(to), Some(door)) = (to, door) else {
            return Err(format!("group {group} is led by {leader}, which is no member"));
        };
        let mut admin = self.operator.connect(door).await.map_err(|error| error.to_string())?;
        let asked = Instant::now();
        let answer = admin.transfer(TransferRequest { group, to }).await;
        let refused = |status: tonic::Status| format!("{:?}: {}", status.code(), status.message());
        answer.map(|_| asked).map_err(refused)
    }

    async fn leader(&self, group: u32) -> String {
        loop {
            let leaders = self.operator.leaders().await;
            let of_group = leaders.into_iter().find(|leader| leader.group == u64::from(group));
            if let Some(name) = of_group.and_then(|leader| leader.node) {
                return name;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn again_and_again(
        self,
        first: (Instant, u32),
        mut random: StdRng,
        end: CancellationToken,
    ) -> Left {
        let mut moments = vec![first];
        let mut refused = BTreeMap::new();
        loop {
            let pause = Duration::from_millis(random.random_range(PAUSE_MS));
            if timeout(pause, end.cancelled()).await.is_ok() {
                break;
            }
            let group = some_group(&mut random);
            match self.hand_over(group, None, &mut random).await {
                Ok(asked) => moments.push((asked, group)),
                Err(reason) => *refused.entry(reason).or_default() += 1,
            }
        }
        let felt = felt("handed_over", moments.len() as u64);
        Left { felt, moments, refused, ..Left::default() }
    }
}

struct Around {
    handing: JoinHandle<Left>,
    end: CancellationToken,
}

impl Undo for Around {
    fn end<'a>(self: Box<Self>, _: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            self.end.cancel();
            let unclear = |ended: tokio::task::JoinError| Left {
                unclear: Some(ended.to_string()),
                ..Left::default()
            };
            Ok(self.handing.await.unwrap_or_else(unclear))
        })
    }
}
