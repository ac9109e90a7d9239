//! Why nothing acknowledged is lost: what the survivors' logs and the memberships in them have to be like.

use std::collections::{BTreeMap, BTreeSet};

use types::NodeId;

use crate::recovery::survey::Standing;
use crate::types::Membership;

/// The survivor whose log goes furthest, and the latest membership in it. Only voters count: an entry is
/// committed by votes.
///
/// # Errors
/// Nobody who is left votes.
pub(super) fn furthest(
    standings: &BTreeMap<NodeId, Standing>,
) -> Result<(NodeId, Membership), String> {
    // A node may learn of its vote from the very entry that others lack: whoever sees itself vote counts.
    let voters = standings
        .iter()
        .filter(|(id, standing)| standing.membership.voter_ids().any(|voter| voter == id.0));
    let best = voters.max_by_key(|(_, standing)| standing.last);
    best.map(|(id, standing)| (*id, standing.membership.clone()))
        .ok_or_else(|| "no node that is left votes".to_owned())
}

/// Whether every majority of every voter set has a survivor in it.
///
/// # Errors
/// Those who are lost were a majority of a set: they may have committed what no survivor has.
pub(super) fn nothing_is_lost(
    sets: &[BTreeSet<u64>],
    survivors: &BTreeSet<u64>,
) -> Result<(), String> {
    for set in sets {
        let lost: Vec<u64> = set.difference(survivors).copied().collect();
        if lost.len() > set.len() / 2 {
            return Err(format!(
                "of its voters {set:?}, {lost:?} would be lost, which is a majority: they may have acknowledged what \
                 nobody else has. Bring one of them back, or restore a backup"
            ));
        }
    }
    Ok(())
}

/// Whether the survivors are a majority of every set, and so go on by themselves.
pub(super) fn goes_on(sets: &[BTreeSet<u64>], survivors: &BTreeSet<u64>) -> bool {
    sets.iter().all(|set| set.intersection(survivors).count() > set.len() / 2)
}

#[cfg(test)]
mod tests;
