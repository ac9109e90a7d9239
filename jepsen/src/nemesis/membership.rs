//! Membership: nodes join, are drained, and are removed for ever, while clients work. A machine whose node was
//! removed is wiped and comes back as another node.

use proto::admin::{JoinRequest, NodeRequest};
use rand::{Rng, RngExt, rngs::StdRng, seq::IndexedRandom};
use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};
use tonic::Code;

use super::act::{Begun, Ending, NotBegun, Undo, felt, leader};
use crate::{
    inject::Skipped,
    net::{
        Cut,
        shapes::{Members, Shape},
    },
    world::{Excuse, Operator, World, WorldError},
};

/// A change waits for those before it, and for an end of whatever else goes wrong.
const CHANGES_WITHIN: Duration = Duration::from_secs(60);
/// Before the same is asked again.
const AGAIN: Duration = Duration::from_millis(200);
/// How long a leader is cut off, and another member dead, while a change is under way, in milliseconds.
const TROUBLE_MS: std::ops::Range<u64> = 700..2_500;

/// What an operator asks for.
enum Change {
    Join(JoinRequest),
    Drain(NodeRequest),
    Remove(NodeRequest),
}

impl Change {
    fn join(world: &World, node: usize, random: &mut StdRng) -> Change {
        let peer = world.cluster.nodes()[node].peer.clone();
        Change::Join(JoinRequest { peer, request_id: id(random) })
    }

    fn drain(world: &World, node: usize, random: &mut StdRng) -> Change {
        Change::Drain(NodeRequest { name: world.name(node), request_id: id(random) })
    }

    fn remove(world: &World, node: usize, random: &mut StdRng) -> Change {
        Change::Remove(NodeRequest { name: world.name(node), request_id: id(random) })
    }

    fn name(&self) -> &'static str {
        match self {
            Change::Join(_) => "join",
            Change::Drain(_) => "drain",
            Change::Remove(_) => "remove",
        }
    }
}

fn id(random: &mut StdRng) -> Vec<u8> {
    let mut id = vec![0; 32];
    random.fill_bytes(&mut id);
    id
}

/// Asks one member after the other, with the same request id, until the change is decided.
async fn ask(operator: Operator, change: Change) -> Result<(), NotBegun> {
    let until = Instant::now() + CHANGES_WITHIN;
    let mut said = "no other member answers".to_owned();
    for endpoint in operator.endpoints().iter().cycle() {
        if Instant::now() > until {
            break;
        }
        if let Ok(mut admin) = operator.connect(endpoint).await {
            let answer = match &change {
                Change::Join(request) => admin.join(request.clone()).await.map(drop),
                Change::Drain(request) => admin.drain(request.clone()).await.map(drop),
                Change::Remove(request) => admin.remove(request.clone()).await.map(drop),
            };
            match answer {
                Ok(()) => return Ok(()),
                Err(status) if is_open(status.code()) => status.message().clone_into(&mut said),
                Err(status) => {
                    let reason = format!("{}: {}", change.name(), status.message());
                    return Err(NotBegun::skipped(reason));
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
    Err(NotBegun::Unclear(format!("{}: {said}", change.name())))
}

/// Whether the same may be asked again: it may have been done, or may be done yet.
fn is_open(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled)
}

/// The operator, at the doors of all members but this one.
fn beside(world: &World, node: usize) -> Result<Operator, NotBegun> {
    let mut others = world.members();
    others.retain(|member| *member != node);
    Ok(world.operator(&others)?)
}

/// The machine that is not a member joins; a member of its data centre leaves for ever, and its machine is the
/// one that is not a member from then on. In trouble, each change is under way while the leader of a group is cut
/// off, and then while a member is dead.
pub(super) async fn replace(
    world: &mut World,
    in_trouble: bool,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    world.whole(CHANGES_WITHIN).await??;
    let Some(spare) = (0..world.count()).find(|node| !world.is_wanted(*node)) else {
        return Err(NotBegun::skipped("every machine is a member"));
    };
    let Some(leaves) = world.of_dc(spare).first().copied() else {
        return Err(NotBegun::skipped(
            "no member is in the data centre of the machine that is free",
        ));
    };
    let targets = vec![format!("+{}", world.name(spare)), format!("-{}", world.name(leaves))];
    start(world, spare).await?;
    let joins = Change::join(world, spare, random);
    changed(world, spare, joins, in_trouble.then_some(step), random).await?;
    let removes = Change::remove(world, leaves, random);
    // Whoever learns that it was removed may end.
    world.may_end(leaves, step, Some(Excuse::Removed));
    let removed = changed(world, leaves, removes, in_trouble.then_some(step), random).await;
    let cleared = removed.and_then(|()| clear(world, leaves, step));
    world.may_end(leaves, step, None);
    // A member has joined by now: that is no fault that was skipped.
    cleared.map_err(NotBegun::begun)?;
    Ok(Begun::new(targets, Done { back: None, step, changes: 2 }))
}

/// A node is drained; when the step ends it is removed, wiped, and joins again.
pub(super) async fn drain(
    world: &mut World,
    node: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    world.whole(CHANGES_WITHIN).await??;
    if !world.is_wanted(node) {
        return Err(NotBegun::skipped("the node that is meant is not a member"));
    }
    ask(beside(world, node)?, Change::drain(world, node, random)).await?;
    let random = rand::SeedableRng::seed_from_u64(random.next_u64());
    let targets = vec![world.name(node)];
    Ok(Begun::new(targets, Done { back: Some((node, random)), step: usize::MAX, changes: 1 }))
}

/// A machine's node starts, and waits for a cluster.
async fn start(world: &mut World, node: usize) -> Result<(), NotBegun> {
    world.want(node)?;
    let answering = world.cluster.wait_answering(node, CHANGES_WITHIN).await;
    Ok(answering.map_err(WorldError::from)?)
}

/// Makes a change of a node, through trouble of this step.
async fn changed(
    world: &mut World,
    node: usize,
    change: Change,
    trouble: Option<usize>,
    random: &mut StdRng,
) -> Result<(), NotBegun> {
    let asking = tokio::spawn(ask(beside(world, node)?, change));
    if let Some(step) = trouble {
        let known = leader(world, random).await.ok();
        let members = Members { dcs: world.net.layout().dcs(), leader: known };
        world.net.cut(&Shape::IsolatedLeader.cuts(&members, random.random()), Cut::Silent);
        tokio::time::sleep(Duration::from_millis(random.random_range(TROUBLE_MS))).await;
        world.net.heal().map_err(WorldError::from)?;
        let mut others = world.members();
        others.retain(|other| *other != node);
        if let Some(dies) = others.choose(random) {
            world.take_down(&[*dies], step)?;
            tokio::time::sleep(Duration::from_millis(random.random_range(TROUBLE_MS))).await;
            world.let_up(&[*dies], step)?;
        }
    }
    match asking.await {
        Ok(asked) => asked,
        Err(ended) => Err(NotBegun::Unclear(ended.to_string())),
    }
}

/// The machine of a node that was removed is as new.
fn clear(world: &mut World, node: usize, step: usize) -> Result<(), NotBegun> {
    world.leave(node, step)?;
    let data = world.data(node);
    Ok(wipe(&data).map_err(|source| WorldError::File { file: data, source })?)
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
                let removes = Change::remove(world, node, &mut random);
                world.may_end(node, self.step, Some(Excuse::Removed));
                let removed = changed(world, node, removes, None, &mut random).await;
                let cleared = removed.and_then(|()| clear(world, node, self.step));
                world.may_end(node, self.step, None);
                cleared?;
                start(world, node).await?;
                let joins = Change::join(world, node, &mut random);
                changed(world, node, joins, None, &mut random).await
            };
            match again.await {
                Ok(()) => Ok(felt("changes", self.changes + 2)),
                Err(NotBegun::World(error)) => Err(error),
                Err(NotBegun::Skipped(skipped)) => Err(skipped.into()),
                Err(NotBegun::Unclear(reason)) => Err(Skipped(reason).into()),
            }
        })
    }
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
