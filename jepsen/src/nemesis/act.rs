//! A fault that is in place, and how it is taken back.

use rand::rngs::StdRng;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    Act, Target, clock, corrupt, disk, membership, partition, power, processes, starve, transfer,
};
use crate::{
    inject::Skipped,
    world::{FIRST_GROUP, HEALS_WITHIN, WALLET_GROUPS, World, WorldError},
};

/// How long a leader is waited for that a fault is to meet.
const LED_WITHIN: Duration = Duration::from_secs(5);

/// What came of putting a fault in.
pub(super) struct Begun {
    /// Which nodes or links it met.
    pub(super) targets: Vec<String>,
    /// What takes it back.
    pub(super) undo: Box<dyn Undo>,
    /// When it struck, where that is later than the first step towards it.
    pub(super) struck: Option<Instant>,
    /// From when on something was wrong that only leads to it.
    pub(super) from: Option<Instant>,
    /// Nothing of it lasts: it is over as soon as it has begun.
    pub(super) done: bool,
}

impl Begun {
    /// It met these nodes or links.
    pub(super) fn new(targets: Vec<String>, undo: impl Undo + 'static) -> Begun {
        Begun { targets, undo: Box::new(undo), struck: None, from: None, done: false }
    }

    /// It struck then, and everything of it is done.
    pub(super) fn done(self, since: Instant) -> Begun {
        Begun { done: true, ..self.struck(since) }
    }

    /// It struck then.
    pub(super) fn struck(mut self, at: Instant) -> Begun {
        self.struck = Some(at);
        self
    }

    /// Something was wrong from then on, before it struck.
    pub(super) fn from(mut self, at: Instant) -> Begun {
        self.from = Some(at);
        self
    }
}

/// Takes a fault back.
pub(super) trait Undo: Send {
    /// Takes it back, and says what was felt of it.
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a>;
}

/// What is left of a fault.
pub(super) type Ending<'a> =
    std::pin::Pin<Box<dyn std::future::Future<Output = Result<Left, WorldError>> + Send + 'a>>;

/// What a fault left behind, and what was seen of it.
#[derive(Default)]
pub(super) struct Left {
    /// By what it was felt.
    pub(super) felt: Felt,
    /// Each time that it struck, and which group, where that is more than once.
    pub(super) moments: Vec<(Instant, u32)>,
    /// What an operator asked for in vain, each counted.
    pub(super) refused: BTreeMap<String, u64>,
    /// What must not be.
    pub(super) wrong: Vec<String>,
    /// Why nobody can say that it was there.
    pub(super) unclear: Option<String>,
}

impl From<Felt> for Left {
    fn from(felt: Felt) -> Left {
        Left { felt, ..Left::default() }
    }
}

/// What a fault left behind, each counted. The names are those of `history.md`.
pub(super) type Felt = BTreeMap<String, u64>;

/// One thing that was felt.
pub(super) fn felt(name: &str, count: u64) -> Felt {
    Felt::from([(name.to_owned(), count)])
}

/// Nothing has to be taken back: what was felt is known.
pub(super) struct Over(pub(super) Felt);

impl Undo for Over {
    fn end<'a>(self: Box<Self>, _: &'a mut World) -> Ending<'a> {
        Box::pin(async move { Ok(self.0.into()) })
    }
}

/// Why a fault is not in place.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotBegun {
    /// It cannot be had here, or not now.
    #[error(transparent)]
    Skipped(#[from] Skipped),
    /// Nobody can say how far it came; nothing of it is in place any more.
    #[error("{0}")]
    Unclear(String),
    /// What an operator asked for was refused, or not done in time, although nothing else was wrong; or the
    /// cluster was not whole in time.
    #[error("{0}")]
    Refused(String),
    /// The harness failed.
    #[error(transparent)]
    World(#[from] WorldError),
}

impl NotBegun {
    pub(super) fn skipped(reason: impl Into<String>) -> NotBegun {
        NotBegun::Skipped(Skipped(reason.into()))
    }

    /// A part of the fault was there already.
    pub(super) fn begun(self) -> NotBegun {
        match self {
            NotBegun::Skipped(Skipped(reason)) => NotBegun::Unclear(reason),
            other => other,
        }
    }
}

/// Puts a fault in. `step` is its number in the plan.
pub(super) async fn begin(
    world: &mut World,
    act: &Act,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    match *act {
        Act::Cut(shape) => partition::cut(world, shape, random).await,
        Act::Flap(target) => partition::flap(world, target, random).await,
        Act::Filter(target) => partition::filter(world, target, random).await,
        Act::Packets(harm, links) => partition::harm(world, harm, links, random).await,
        Act::Kill(target) => processes::kill(world, target, step, random).await,
        Act::Rolling => processes::rolling(world, step).await,
        Act::Behind(target) => processes::behind(world, target, step, random).await,
        Act::Pause(target) => processes::pause(world, target, random).await,
        Act::Power(target) => power::lose(world, target, step, random).await,
        Act::PowerInSync => power::lose_in_sync(world, step, random).await,
        Act::Jump(target, seconds) => clock::turn(world, target, seconds, random).await,
        Act::Drift(target, speed) => clock::drift(world, target, speed, random).await,
        Act::Boot(target) => clock::boot(world, target, step, random).await,
        Act::DiskFull(target) => disk::full(world, target, step, random).await,
        Act::SlowSync(target, ms) => disk::slow(world, target, ms, random).await,
        Act::FailSync(target) => disk::fail(world, target, step, random).await,
        Act::Corrupt(node, damage, place) => {
            corrupt::damaged(world, node, damage, place, step, random).await
        }
        Act::Replace(whom) => membership::replace(world, Some(whom), step, random).await,
        Act::ReplaceInTrouble => membership::replace(world, None, step, random).await,
        Act::Drain(target) => membership::drain(world, target, step, random).await,
        Act::Transfer => transfer::around(world, random).await,
        Act::Processor(target, share) => starve::processor(world, target, share, random).await,
        Act::Memory(target, mib) => starve::memory(world, target, mib, step, random).await,
        Act::Files(target) => starve::files(world, target, step, random).await,
    }
}

/// The nodes that a target means now.
pub(super) async fn meant(
    world: &World,
    target: Target,
    random: &mut StdRng,
) -> Result<Vec<usize>, NotBegun> {
    let nodes = match target {
        Target::Leader => vec![leader(world, random).await?],
        Target::One(node) if world.is_wanted(node) => vec![node],
        Target::One(_) => world.members().into_iter().take(1).collect(),
        Target::Dc(node) => world.of_dc(node),
        Target::All => world.members(),
    };
    match nodes.is_empty() {
        true => Err(NotBegun::skipped("no node that is meant takes part now")),
        false => Ok(nodes),
    }
}

/// Waits until the cluster is whole: where nothing else is wrong, it has to be in time.
pub(super) async fn whole(world: &mut World) -> Result<(), NotBegun> {
    match world.whole(HEALS_WITHIN).await? {
        Ok(()) => Ok(()),
        Err(Skipped(reason)) => Err(NotBegun::Refused(reason)),
    }
}

/// The leader of one of the wallet groups.
pub(super) async fn leader(world: &World, random: &mut StdRng) -> Result<usize, NotBegun> {
    leader_of(world, some_group(random)).await
}

/// One of the wallet groups.
pub(super) fn some_group(random: &mut StdRng) -> u32 {
    FIRST_GROUP + rand::RngExt::random_range(random, 0..WALLET_GROUPS)
}

/// The leader of a group; an election may be on its way.
pub(super) async fn leader_of(world: &World, group: u32) -> Result<usize, NotBegun> {
    let until = Instant::now() + LED_WITHIN;
    loop {
        match world.leader(group).await {
            Some(leader) => return Ok(leader),
            None if Instant::now() > until => {
                let reason = format!("nobody knows a leader of group {group}");
                return Err(NotBegun::skipped(reason));
            }
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// The names of nodes.
pub(super) fn names(world: &World, nodes: &[usize]) -> Vec<String> {
    nodes.iter().map(|node| world.name(*node)).collect()
}
