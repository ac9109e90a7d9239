//! Acts on the cluster: its nodes, policies and key epochs.

use types::ids::{GroupId, Incarnation, NodeId};
use types::node::{NodeInfo, NodeState};

use super::apply::{Halt, refused};
use super::view::View;
use crate::command::{NewNode, SystemReply};
use crate::keys::Key;
use crate::policy::Policy;
use crate::rows::{ClusterRow, EpochRow, EpochState, PlacementRow};

/// No name, data centre or address is longer, in bytes.
const TEXT_MAX: usize = 255;

/// The cluster as group 0 knows it; refused in any other group, and before a cluster began.
pub(super) fn known(view: &mut View<'_>) -> Result<ClusterRow, Halt> {
    if view.group() != GroupId::SYSTEM {
        return Err(refused(
            "wrong_group",
            format!("this is for group 0, not for group {}", view.group()),
        ));
    }
    view.get(&Key::Cluster)?
        .ok_or_else(|| refused("no_cluster", "there is no cluster yet: bootstrap one first"))
}

/// Changes the limits of the group.
pub(super) fn set_policy(view: &mut View<'_>, policy: &Policy) -> Result<SystemReply, Halt> {
    check_policy(policy)?;
    view.put(&Key::Policy, policy);
    Ok(SystemReply::Done)
}

/// Refuses limits with which a cluster could not be run.
pub(super) fn check_policy(policy: &Policy) -> Result<(), Halt> {
    match policy.below_floor() {
        Some((name, floor)) => {
            Err(refused("below_floor", format!("{name} must be at least {floor}")))
        }
        None => Ok(()),
    }
}

/// Gives a node its id.
///
/// A name that is in use stays with the life of the directory that took it: a wiped directory, which
/// comes with another incarnation, must wait until the former node was removed or fenced, and then gets
/// a new id. A fenced node that has no replica any more is removed by this.
pub(super) fn register(view: &mut View<'_>, node: &NewNode) -> Result<SystemReply, Halt> {
    let mut cluster = known(view)?;
    check_node(node)?;
    if node.incarnation == Incarnation::ZERO {
        return Err(refused(
            "malformed",
            "a node that registers brings the incarnation of its directory",
        ));
    }
    match holder(view, &cluster, &node.name)? {
        Some(fenced)
            if fenced.state == NodeState::Fenced && fenced.incarnation != node.incarnation =>
        {
            remove(view, &cluster, fenced)?;
        }
        Some(registered) => return adopt(view, registered, node),
        None => {}
    }
    cluster.nodes += 1;
    let id = NodeId(cluster.nodes);
    view.put(&Key::Cluster, &cluster);
    view.put(&Key::Node(id), &info(id, node));
    Ok(SystemReply::Registered { node: id })
}

/// The node that holds a name: the one that has it and was not removed.
fn holder(view: &mut View<'_>, cluster: &ClusterRow, name: &str) -> Result<Option<NodeInfo>, Halt> {
    for id in (1..=cluster.nodes).map(NodeId) {
        let node: NodeInfo = view.expect(&Key::Node(id))?;
        if node.name == name && node.state != NodeState::Removed {
            return Ok(Some(node));
        }
    }
    Ok(None)
}

fn adopt(view: &mut View<'_>, registered: NodeInfo, node: &NewNode) -> Result<SystemReply, Halt> {
    let id = registered.id;
    // A node that bootstrap named has no incarnation until it comes for the first time.
    let same_life = [Incarnation::ZERO, node.incarnation].contains(&registered.incarnation);
    if !same_life {
        let message = format!(
            "the name {} belongs to node {id}, which has another directory: remove node {id} first, or bring its directory back",
            node.name
        );
        return Err(refused("node_known", message));
    }
    if registered.dc != node.dc || registered.role != node.role {
        let message = format!(
            "node {id} is a {} node in {}, not a {} node in {}: remove it first, and register it anew",
            registered.role, registered.dc, node.role, node.dc
        );
        return Err(refused("node_differs", message));
    }
    view.put(&Key::Node(id), &NodeInfo { state: registered.state, ..info(id, node) });
    Ok(SystemReply::Registered { node: id })
}

/// Changes where a node is reached.
pub(super) fn update(
    view: &mut View<'_>,
    id: NodeId,
    peer: &str,
    endpoint: &str,
) -> Result<SystemReply, Halt> {
    known(view)?;
    check_text("peer address", peer)?;
    check_text("endpoint", endpoint)?;
    let node = in_service(view, id)?;
    view.put(&Key::Node(id), &NodeInfo { peer: peer.into(), endpoint: endpoint.into(), ..node });
    Ok(SystemReply::Done)
}

/// Moves a node on in its life.
pub(super) fn set_state(
    view: &mut View<'_>,
    id: NodeId,
    state: NodeState,
) -> Result<SystemReply, Halt> {
    let cluster = known(view)?;
    let node = registered(view, id)?;
    match (node.state, state) {
        (present, wanted) if present == wanted => {}
        (NodeState::Removed, _) => return Err(removed(id)),
        (_, NodeState::Removed) => remove(view, &cluster, node)?,
        (NodeState::Fenced, _) => return Err(fenced(id)),
        (_, NodeState::Fenced) => {
            one_after_the_other(view, &cluster)?;
            view.put(&Key::Node(id), &NodeInfo { state, ..node });
        }
        _ => view.put(&Key::Node(id), &NodeInfo { state, ..node }),
    }
    Ok(SystemReply::Done)
}

/// Refuses to fence one more node while another fenced one still has replicas: the second could take
/// the majority of what the first one's replicas are being moved by.
fn one_after_the_other(view: &mut View<'_>, cluster: &ClusterRow) -> Result<(), Halt> {
    for id in (1..=cluster.nodes).map(NodeId) {
        let node: NodeInfo = view.expect(&Key::Node(id))?;
        if node.state == NodeState::Fenced
            && let Some(group) = placed(view, cluster, id)?
        {
            let message = format!(
                "node {id} is fenced and still has a replica of group {group}: one node after the other"
            );
            return Err(refused("node_fenced", message));
        }
    }
    Ok(())
}

/// The first group whose placement names a node.
fn placed(view: &mut View<'_>, cluster: &ClusterRow, id: NodeId) -> Result<Option<GroupId>, Halt> {
    for group in (0..GroupId::FIRST_WALLET.0 + cluster.wallet_groups).map(GroupId) {
        let placed = view.get::<PlacementRow>(&Key::Placement(group))?;
        if placed.is_some_and(|placed| placed.voters.contains(&id) || placed.learners.contains(&id))
        {
            return Ok(Some(group));
        }
    }
    Ok(None)
}

/// Ends a node's life, once it has no place any more.
fn remove(view: &mut View<'_>, cluster: &ClusterRow, node: NodeInfo) -> Result<(), Halt> {
    let id = node.id;
    if let Some(group) = placed(view, cluster, id)? {
        let message = format!(
            "node {id} still has a replica of group {group}: place the group elsewhere first"
        );
        return Err(refused("node_placed", message));
    }
    view.put(&Key::Node(id), &NodeInfo { state: NodeState::Removed, ..node });
    Ok(())
}

/// A node of the registry, whatever its state.
pub(super) fn registered(view: &mut View<'_>, id: NodeId) -> Result<NodeInfo, Halt> {
    view.get(&Key::Node(id))?
        .ok_or_else(|| refused("no_such_node", format!("there is no node {id}")))
}

/// A node whose word counts.
pub(super) fn in_service(view: &mut View<'_>, id: NodeId) -> Result<NodeInfo, Halt> {
    let node = registered(view, id)?;
    match node.state {
        NodeState::Active | NodeState::Draining => Ok(node),
        NodeState::Removed => Err(removed(id)),
        NodeState::Fenced => Err(fenced(id)),
    }
}

fn removed(id: NodeId) -> Halt {
    refused("node_removed", format!("node {id} was removed for ever; register its machine anew"))
}

fn fenced(id: NodeId) -> Halt {
    refused(
        "node_fenced",
        format!("node {id} is fenced: its machine comes back under another id, or is removed"),
    )
}

/// Allows, or again refuses, voter sets that one data centre's loss can outvote.
pub(super) fn allow_single_dc(view: &mut View<'_>, allow: bool) -> Result<SystemReply, Halt> {
    let cluster = known(view)?;
    view.put(&Key::Cluster, &ClusterRow { allow_single_dc: allow, ..cluster });
    Ok(SystemReply::Done)
}

/// Makes a key epoch the current one.
pub(super) fn add_epoch(
    view: &mut View<'_>,
    epoch: u32,
    commitment: [u8; 32],
    time_ms: u64,
) -> Result<SystemReply, Halt> {
    let cluster = known(view)?;
    if epoch.checked_sub(1) != Some(cluster.epoch) {
        let next = u64::from(cluster.epoch) + 1;
        return Err(refused(
            "epoch",
            format!("epoch {epoch} is not the next one, which is {next}"),
        ));
    }
    if cluster.epoch > 0 {
        let last: EpochRow = view.expect(&Key::Epoch(cluster.epoch))?;
        view.put(
            &Key::Epoch(cluster.epoch),
            &EpochRow { state: EpochState::Retired, since_ms: time_ms, ..last },
        );
    }
    view.put(
        &Key::Epoch(epoch),
        &EpochRow { commitment, state: EpochState::Current, since_ms: time_ms },
    );
    view.put(&Key::Cluster, &ClusterRow { epoch, ..cluster });
    Ok(SystemReply::Done)
}

/// Notes that an epoch's key is gone.
pub(super) fn destroy_epoch(
    view: &mut View<'_>,
    epoch: u32,
    time_ms: u64,
) -> Result<SystemReply, Halt> {
    known(view)?;
    let row = view.get::<EpochRow>(&Key::Epoch(epoch))?;
    let row = row.ok_or_else(|| refused("epoch", format!("there is no epoch {epoch}")))?;
    match row.state {
        EpochState::Current => Err(refused(
            "epoch",
            format!("epoch {epoch} is the current one: add the next one first"),
        )),
        EpochState::Retired => {
            view.put(
                &Key::Epoch(epoch),
                &EpochRow { state: EpochState::Destroyed, since_ms: time_ms, ..row },
            );
            Ok(SystemReply::Done)
        }
        EpochState::Destroyed => Ok(SystemReply::Done),
    }
}

/// What the registry keeps of a node that is new.
pub(super) fn info(id: NodeId, node: &NewNode) -> NodeInfo {
    let NewNode { name, dc, role, peer, endpoint, incarnation } = node.clone();
    NodeInfo { id, name, dc, role, peer, endpoint, incarnation, state: NodeState::Active }
}

/// Refuses a node whose description cannot be one.
pub(super) fn check_node(node: &NewNode) -> Result<(), Halt> {
    check_text("name", &node.name)?;
    check_text("data centre", &node.dc)?;
    check_text("peer address", &node.peer)?;
    check_text("endpoint", &node.endpoint)
}

fn check_text(what: &str, text: &str) -> Result<(), Halt> {
    if text.is_empty() || text.len() > TEXT_MAX {
        return Err(refused(
            "malformed",
            format!("a node's {what} must have 1 to {TEXT_MAX} bytes, not {}", text.len()),
        ));
    }
    Ok(())
}
