//! Membership: nodes join, are drained, and are removed for ever, while clients work. A machine whose node was
//! removed is wiped and comes back as another node.

use proto::admin::{JoinRequest, NodeRequest};
use rand::{Rng, RngExt, rngs::StdRng, seq::IndexedRandom};
use std::{
    fs, io,
    ops::Range,
    path::Path,
    time::{Duration, Instant},
};
use tonic::Code;

use super::{
    Target,
    act::{Begun, NotBegun, Over, felt, leader, meant, whole},
    transfer,
};
use crate::{
    net::{
        Cut,
        shapes::{Members, Shape},
    },
    world::{Excuse, HEALS_WITHIN, Operator, World, WorldError},
};

/// How long a change may take: as long as a cluster may take to heal, since nothing lasts that is in its way.
const CHANGES_WITHIN: Duration = HEALS_WITHIN;
/// Before the same is asked again.
const AGAIN: Duration = Duration::from_millis(200);
/// How long a leader is cut off, and another member dead, while a change is under way, in milliseconds.
const TROUBLE_MS: Range<u64> = 700..2_500;
/// How long a drained node stays that before it is removed, in milliseconds.
const DRAINED_MS: Range<u64> = 500..2_000;

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
                    let (name, code) = (change.name(), status.code());
                    return Err(NotBegun::Refused(format!(
                        "{name}, {code:?}: {}",
                        status.message()
                    )));
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
    let (name, within) = (change.name(), CHANGES_WITHIN.as_secs());
    Err(NotBegun::Refused(format!("{name}, not done within {within} s: {said}")))
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
/// one that is not a member from then on. `whom` is whether that one leads a group, or whoever it is; with none,
/// each change is under way while the leader of a group is cut off, and then while a member is dead.
pub(super) async fn replace(
    world: &mut World,
    whom: Option<Target>,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    whole(world).await?;
    let Some(spare) = (0..world.count()).find(|node| !world.is_wanted(*node)) else {
        return Err(NotBegun::skipped("every machine is a member"));
    };
    let Some(leaves) = world.of_dc(spare).first().copied() else {
        return Err(NotBegun::skipped(
            "no member is in the data centre of the machine that is free",
        ));
    };
    let targets = vec![format!("+{}", world.name(spare)), format!("-{}", world.name(leaves))];
    let (since, trouble) = (Instant::now(), whom.is_none().then_some(step));
    let mut open = joins(world, spare, trouble, step, random).await?;
    let mut felt = felt("changes", 2);
    if whom == Some(Target::Leader) {
        let leads = transfer::lead(world, leaves, random).await;
        felt.insert("leaders_removed".to_owned(), leads.into());
    }
    // A member has joined by now: that is no fault that was skipped.
    open += leaves_for_ever(world, leaves, trouble, step, random).await.map_err(NotBegun::begun)?;
    if whom.is_none() {
        felt.insert("in_trouble".to_owned(), open);
    }
    Ok(Begun::new(targets, Over(felt)).done(since))
}

/// A node is drained, removed, wiped, and joins again.
pub(super) async fn drain(
    world: &mut World,
    target: Target,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    whole(world).await?;
    let Some(node) = meant(world, target, random).await?.first().copied() else {
        return Err(NotBegun::skipped("no node is meant"));
    };
    let since = Instant::now();
    let drains = Change::drain(world, node, random);
    ask(beside(world, node)?, drains).await?;
    let again = async {
        tokio::time::sleep(Duration::from_millis(random.random_range(DRAINED_MS))).await;
        leaves_for_ever(world, node, None, step, random).await?;
        joins(world, node, None, step, random).await
    };
    again.await.map_err(NotBegun::begun)?;
    Ok(Begun::new(vec![world.name(node)], Over(felt("changes", 3))).done(since))
}

/// A machine's node starts and joins. Says during how much trouble that was open. A node that is not taken in is
/// ended.
async fn joins(
    world: &mut World,
    node: usize,
    trouble: Option<usize>,
    step: usize,
    random: &mut StdRng,
) -> Result<u64, NotBegun> {
    start(world, node).await?;
    let change = Change::join(world, node, random);
    let joined = changed(world, node, change, trouble, random).await;
    match joined {
        // Clients ask it from now on.
        Ok(_) => world.tell_clients()?,
        Err(_) => clear(world, node, step)?,
    }
    joined
}

/// A member is removed for ever, and its machine wiped. Says during how much trouble that was open.
async fn leaves_for_ever(
    world: &mut World,
    node: usize,
    trouble: Option<usize>,
    step: usize,
    random: &mut StdRng,
) -> Result<u64, NotBegun> {
    let change = Change::remove(world, node, random);
    // Whoever learns that it was removed may end.
    world.may_end(node, step, Some(Excuse::Removed));
    let removed = changed(world, node, change, trouble, random).await;
    let cleared = match removed {
        Ok(open) => clear(world, node, step).map(|()| open),
        Err(error) => Err(error),
    };
    world.may_end(node, step, None);
    cleared
}

/// A machine's node starts, and waits for a cluster.
async fn start(world: &mut World, node: usize) -> Result<(), NotBegun> {
    world.want(node)?;
    let answering = world.cluster.wait_answering(node, CHANGES_WITHIN).await;
    Ok(answering.map_err(WorldError::from)?)
}

/// Makes a change of a node, through trouble of this step. Says during how much of it the change was open.
async fn changed(
    world: &mut World,
    node: usize,
    change: Change,
    trouble: Option<usize>,
    random: &mut StdRng,
) -> Result<u64, NotBegun> {
    let operator = beside(world, node)?;
    let Some(step) = trouble else { return ask(operator, change).await.map(|()| 0) };
    let known = Some(leader(world, random).await?);
    let members = Members { dcs: world.net.layout().dcs(), leader: known };
    world.net.cut(&Shape::IsolatedLeader.cuts(&members, random.random()), Cut::Silent);
    let asking = tokio::spawn(ask(operator, change));
    tokio::time::sleep(Duration::from_millis(random.random_range(TROUBLE_MS))).await;
    let mut open = u64::from(!asking.is_finished());
    world.net.heal().map_err(WorldError::from)?;
    let mut others = world.members();
    others.retain(|other| *other != node);
    if let Some(dies) = others.choose(random) {
        world.take_down(&[*dies], step)?;
        open += u64::from(!asking.is_finished());
        tokio::time::sleep(Duration::from_millis(random.random_range(TROUBLE_MS))).await;
        world.let_up(&[*dies], step)?;
    }
    match asking.await {
        Ok(asked) => asked.map(|()| open),
        Err(ended) => Err(NotBegun::Unclear(ended.to_string())),
    }
}

/// The machine of a node that was removed is as new.
fn clear(world: &mut World, node: usize, step: usize) -> Result<(), NotBegun> {
    world.leave(node, step)?;
    world.tell_clients()?;
    let data = world.data(node);
    Ok(wipe(&data).map_err(|source| WorldError::File { file: data, source })?)
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
