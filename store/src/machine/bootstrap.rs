//! How a cluster begins: one command, the same in every group, applied once in each.
//!
//! Every group keeps the cluster's identity and its own limits. A wallet group keeps the slots it
//! owns; group 0 the nodes, the placements and which group owns which slots.

use types::ids::{GroupId, NodeId, Slot};
use types::layout::strictly_ascending;
use types::rejection::Rejection;

use super::apply::{Halt, refused};
use super::view::View;
use super::{cluster, placement};
use crate::command::{Bootstrap, SystemReply};
use crate::keys::Key;
use crate::rows::{ClusterRow, PlacementRow, SlotMapRow, SlotSpan, SlotsRow};

/// No cluster begins with more nodes than this.
const NODES_MAX: usize = 64;

/// Applies a bootstrap to the group of `view`.
pub(super) fn begin(view: &mut View<'_>, bootstrap: &Bootstrap) -> Result<SystemReply, Halt> {
    if view.get::<ClusterRow>(&Key::Cluster)?.is_some() {
        return Err(Rejection::Exists.into());
    }
    check(bootstrap)?;
    let group = view.group();
    let wallet_group = group.0.checked_sub(GroupId::FIRST_WALLET.0);
    if wallet_group.is_some_and(|number| number >= bootstrap.wallet_groups) {
        return Err(refused("no_such_group", format!("the cluster would have no group {group}")));
    }

    let nodes = bootstrap.nodes.len() as u64;
    let Bootstrap { cluster, wallet_groups, allow_single_dc, .. } = *bootstrap;
    let regions = bootstrap.regions.clone();
    view.put(
        &Key::Cluster,
        &ClusterRow { cluster, wallet_groups, regions, allow_single_dc, nodes, epoch: 0 },
    );
    view.put(&Key::Policy, &bootstrap.policy);
    if let Some(number) = wallet_group {
        let (first, last) = share(number, wallet_groups);
        let spans =
            bootstrap.regions.iter().map(|region| SlotSpan { region: *region, first, last });
        view.put(&Key::Slots, &SlotsRow { spans: spans.collect() });
    }
    if group == GroupId::SYSTEM {
        begin_system(view, bootstrap);
    }
    Ok(SystemReply::Done)
}

fn begin_system(view: &mut View<'_>, bootstrap: &Bootstrap) {
    let ids = (1..).map(NodeId);
    for (id, node) in ids.clone().zip(&bootstrap.nodes) {
        view.put(&Key::Node(id), &cluster::info(id, node));
    }
    let voters: Vec<NodeId> = ids.take(bootstrap.nodes.len()).collect();
    for group in (0..GroupId::FIRST_WALLET.0 + bootstrap.wallet_groups).map(GroupId) {
        let placement = PlacementRow { version: 1, voters: voters.clone(), learners: Vec::new() };
        view.put(&Key::Placement(group), &placement);
    }
    let spans: Vec<_> = (0..bootstrap.wallet_groups)
        .map(|number| {
            (share(number, bootstrap.wallet_groups).1, GroupId(GroupId::FIRST_WALLET.0 + number))
        })
        .collect();
    for region in &bootstrap.regions {
        view.put(&Key::SlotMap(*region), &SlotMapRow { spans: spans.clone() });
    }
}

/// The first and last slot of wallet group `number` of `groups`. The shares differ by one slot at most.
fn share(number: u32, groups: u32) -> (Slot, Slot) {
    let bound = |number: u32| (u32::from(Slot::COUNT) * number / groups) as u16;
    let slot = |number: u16| Slot::new(number).unwrap_or_default();
    (slot(bound(number)), slot(bound(number + 1) - 1))
}

fn check(bootstrap: &Bootstrap) -> Result<(), Halt> {
    let no =
        |message: String| Err(refused("malformed", format!("the cluster cannot begin: {message}")));
    let Bootstrap { nodes, wallet_groups, regions, policy, allow_single_dc, .. } = bootstrap;
    if !(1..=u32::from(Slot::COUNT)).contains(wallet_groups) {
        return no(format!(
            "there must be 1 to {} wallet groups, not {wallet_groups}",
            Slot::COUNT
        ));
    }
    if nodes.is_empty() || nodes.len() > NODES_MAX {
        return no(format!("it must name 1 to {NODES_MAX} nodes, not {}", nodes.len()));
    }
    if regions.is_empty() || strictly_ascending("bootstrap", "regions", regions).is_err() {
        return no("its regions must be at least one, each once, ascending".into());
    }
    cluster::check_policy(policy)?;
    nodes.iter().try_for_each(cluster::check_node)?;
    placement::check_zero_loss(*allow_single_dc, nodes.iter().map(|node| node.dc.clone()))?;
    let mut names: Vec<_> = nodes.iter().map(|node| &node.name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => no(format!("two nodes are called {}", twice[0])),
        None => Ok(()),
    }
}
