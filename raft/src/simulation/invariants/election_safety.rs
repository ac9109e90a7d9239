//! Election Safety (§5.2): "at most one leader can be elected in a given term".
//!
//! openraft names a leadership by term and node, so that one term may see several leaders of which the
//! higher one wins. What must hold is that a leadership is won once: a node that led and died never leads
//! under the same name again, for it may have forgotten what it wrote under it.

use std::collections::BTreeMap;

use types::GroupId;

use super::{Cluster, Event, Invariant, leadership};
use crate::types::LeaderId;

#[derive(Default)]
pub(super) struct ElectionSafety {
    /// How often each node's life has ended.
    ended: BTreeMap<u64, u64>,
    /// In which life of its node each leadership was held.
    held: BTreeMap<(GroupId, LeaderId), u64>,
}

impl Invariant for ElectionSafety {
    fn see(&mut self, event: &Event<'_>, _: &Cluster) -> Result<(), String> {
        match event {
            Event::Ended { node } => *self.ended.entry(*node).or_default() += 1,
            Event::Reported { node, group, report } if report.leads => {
                let leader = leadership(&report.vote);
                if leader.node_id != *node || !report.vote.committed {
                    return Err(format!("node {node} leads group {group} by the vote {leader:?}"));
                }
                let life = self.ended.get(node).copied().unwrap_or_default();
                let held = *self.held.entry((*group, leader)).or_insert(life);
                if held != life {
                    return Err(format!(
                        "node {node} leads group {group} as {leader:?}, as in an earlier life"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
