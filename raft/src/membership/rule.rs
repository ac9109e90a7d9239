//! The rule of zero loss: a majority of any voter set spans at least two data centres, so that the
//! loss of one data centre never loses what was acknowledged.
//!
//! It is held against every set of a membership: while voters change there are two, and an entry is
//! committed when a majority of each has it.

use std::collections::{BTreeMap, BTreeSet};

use types::zero_loss;

use crate::types::{Membership, Replica};

/// Holds every voter set of a membership against the rule.
///
/// # Errors
/// The first set that breaks it, and how.
pub(crate) fn check(membership: &Membership, allow_single_dc: bool) -> Result<(), String> {
    let nodes = membership.nodes().map(|(node, replica)| (*node, replica.clone())).collect();
    check_sets(membership.get_joint_config(), &nodes, allow_single_dc)
}

/// Holds voter sets against the rule; `nodes` says where each stands.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_sets(
    sets: &[BTreeSet<u64>],
    nodes: &BTreeMap<u64, Replica>,
    allow_single_dc: bool,
) -> Result<(), String> {
    if sets.is_empty() || sets.iter().any(BTreeSet::is_empty) {
        return Err("there are no voters".to_owned());
    }
    for set in sets {
        let mut dcs = Vec::with_capacity(set.len());
        for node in set {
            let replica =
                nodes.get(node).ok_or_else(|| format!("nobody knows where node {node} stands"))?;
            dcs.push(replica.dc.as_str());
        }
        if !allow_single_dc && !zero_loss(dcs.iter().copied()) {
            return Err(format!(
                "the voters {set:?} stand in {dcs:?}: one data centre holds a majority of them, and its loss could \
                 lose what was acknowledged; spread them over more data centres, or set allow_single_dc"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
