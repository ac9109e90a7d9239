//! Leader Append-Only (§5.3): "a leader never overwrites or deletes entries in its log; it only appends
//! new entries".

use std::collections::BTreeMap;

use types::GroupId;

use super::{Cluster, Event, Invariant};

#[derive(Default)]
pub(super) struct LeaderAppendOnly {
    /// The groups that a node leads, and the last entry that it wrote in each.
    leading: BTreeMap<(u64, GroupId), u64>,
}

impl Invariant for LeaderAppendOnly {
    fn see(&mut self, event: &Event<'_>, _: &Cluster) -> Result<(), String> {
        match event {
            Event::Ended { node } => self.leading.retain(|(leader, _), _| leader != node),
            Event::Voted { node, group, vote }
                if !(vote.committed && vote.leader_id.node_id == *node) =>
            {
                self.leading.remove(&(*node, *group));
            }
            // Who writes entries in its own name leads, or did so a moment ago.
            Event::Wrote { node, group, id, .. } if id.leader_id.node_id == *node => {
                let before = self.leading.insert((*node, *group), id.index);
                if before.is_some_and(|before| id.index <= before) {
                    return Err(format!("leader {node} of group {group} wrote {id} once more"));
                }
            }
            Event::Truncated { node, group, first }
                if self.leading.contains_key(&(*node, *group)) =>
            {
                return Err(format!(
                    "leader {node} of group {group} removed its entries from {first} on"
                ));
            }
            _ => {}
        }
        Ok(())
    }
}
