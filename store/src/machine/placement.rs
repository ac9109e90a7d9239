//! Where the replicas of a group should be.

use types::ids::{GroupId, NodeId};
use types::layout::strictly_ascending;
use types::node::zero_loss;

use super::apply::{Halt, refused};
use super::cluster;
use super::view::View;
use crate::command::{Placing, SystemReply};
use crate::keys::Key;
use crate::rows::PlacementRow;

/// No group has more replicas than this.
const REPLICAS_MAX: usize = 32;

/// Replaces the placement of a group by the next version.
///
/// Voters that one data centre's loss could outvote are refused here, before any replica moves,
/// unless the cluster allows them. Learners do not count.
pub(super) fn set(view: &mut View<'_>, placing: &Placing) -> Result<SystemReply, Halt> {
    let cluster = cluster::known(view)?;
    let Placing { group, replaces, voters, learners } = placing;
    if group.0 >= GroupId::FIRST_WALLET.0 + cluster.wallet_groups {
        return Err(refused("no_such_group", format!("there is no group {group}")));
    }
    check_lists(placing)?;
    let present =
        view.get::<PlacementRow>(&Key::Placement(*group))?.map_or(0, |placed| placed.version);
    if present != *replaces {
        let message = format!(
            "the placement of group {group} is at version {present}, not {replaces}: look again"
        );
        return Err(refused("stale_placement", message));
    }
    let mut dcs = Vec::with_capacity(voters.len());
    for id in voters {
        dcs.push(cluster::in_service(view, *id)?.dc);
    }
    for id in learners {
        cluster::in_service(view, *id)?;
    }
    check_zero_loss(cluster.allow_single_dc, dcs)?;
    let version = present + 1;
    view.put(
        &Key::Placement(*group),
        &PlacementRow { version, voters: voters.clone(), learners: learners.clone() },
    );
    Ok(SystemReply::Placed { version })
}

/// Promise P1: every majority of the voters spans two data centres, unless the cluster renounces it.
pub(super) fn check_zero_loss(
    allow_single_dc: bool,
    dcs: impl IntoIterator<Item = String>,
) -> Result<(), Halt> {
    if allow_single_dc || zero_loss(dcs) {
        return Ok(());
    }
    let message = "the loss of one data centre could lose acknowledged writes: spread the voters so that none \
                   holds a majority, or allow a single data centre";
    Err(refused("zero_loss", message))
}

fn check_lists(placing: &Placing) -> Result<(), Halt> {
    let Placing { group, voters, learners, .. } = placing;
    let sorted = |list: &[NodeId]| strictly_ascending("placement", "nodes", list).is_ok();
    let disjoint = learners.iter().all(|learner| !voters.contains(learner));
    if voters.is_empty() || voters.len() + learners.len() > REPLICAS_MAX {
        let message =
            format!("group {group} must have a voter, and at most {REPLICAS_MAX} replicas");
        return Err(refused("malformed", message));
    }
    if !(sorted(voters) && sorted(learners) && disjoint) {
        let message =
            format!("the voters and learners of group {group} must be ascending, and no node both");
        return Err(refused("malformed", message));
    }
    Ok(())
}
