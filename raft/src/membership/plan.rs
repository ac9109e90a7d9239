//! Where a group's replicas should be: a function of the registry and of where they are.
//!
//! Every node in service holds every group, as a voter or as a learner: then each can serve reads, and
//! one that has to replace another has caught up already. The voters are five, three or one, as many
//! as there are nodes for; an even number only where no odd one keeps the rule, and two rather than one:
//! what is acknowledged is then on two disks. Present voters stay
//! while they can, because moving a replica costs more than any better spread is worth.

use std::collections::{BTreeMap, BTreeSet};

use types::{NodeId, NodeInfo, NodeState, Role, zero_loss};

/// The most voters a group has. More would make every write slower and nothing safer that matters.
const VOTERS_MAX: usize = 5;

/// Where a group's replicas should be. Both lists ascend, and no node is in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) voters: Vec<NodeId>,
    pub(crate) learners: Vec<NodeId>,
}

/// Plans one group. `present` are its voters now.
///
/// # Errors
/// Why there is no set of voters that keeps the rule.
pub(crate) fn place<'a>(
    nodes: impl IntoIterator<Item = &'a NodeInfo>,
    present: &[NodeId],
    allow_single_dc: bool,
) -> Result<Plan, String> {
    let active: Vec<&NodeInfo> =
        nodes.into_iter().filter(|node| node.state == NodeState::Active).collect();
    let most = active.len().min(VOTERS_MAX);
    let (odd, even): (Vec<_>, Vec<_>) = (1..=most).rev().partition(|count| count % 2 == 1);
    let mut choices = odd.iter().chain(&even).map(|count| choose(&active, present, *count));
    let keeps_rule = |voters: &Vec<&NodeInfo>| zero_loss(voters.iter().map(|node| &node.dc));
    let voters = match choices.find(keeps_rule) {
        Some(voters) => voters,
        None if allow_single_dc && most > 0 => {
            let count = if most == 2 { 2 } else { *odd.first().unwrap_or(&most) };
            choose(&active, present, count)
        }
        None => {
            return Err(format!(
                "no set of voters among the {} nodes in service spans enough data centres to outlive the loss of one",
                active.len()
            ));
        }
    };
    let voters: BTreeSet<NodeId> = voters.iter().map(|node| node.id).collect();
    let learners = active
        .iter()
        .map(|node| node.id)
        .filter(|id| !voters.contains(id))
        .collect::<BTreeSet<_>>();
    Ok(Plan { voters: voters.into_iter().collect(), learners: learners.into_iter().collect() })
}

/// `count` nodes, spread over data centres as evenly as can be; among equals one that votes already,
/// then one that serves clients, then the oldest.
fn choose<'a>(active: &[&'a NodeInfo], present: &[NodeId], count: usize) -> Vec<&'a NodeInfo> {
    let mut left: Vec<&NodeInfo> = active.to_vec();
    let mut in_dc: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chosen = Vec::with_capacity(count);
    while chosen.len() < count {
        let best = left.iter().enumerate().min_by_key(|(_, node)| {
            let crowd = in_dc.get(node.dc.as_str()).copied().unwrap_or_default();
            (crowd, !present.contains(&node.id), node.role != Role::Data, node.id)
        });
        let Some((at, node)) = best.map(|(at, node)| (at, *node)) else { break };
        left.swap_remove(at);
        *in_dc.entry(node.dc.as_str()).or_default() += 1;
        chosen.push(node);
    }
    chosen
}

#[cfg(test)]
mod tests;
