//! State Machine Safety (§5.4.3): "if a server has applied a log entry at a given index to its state
//! machine, no other server will ever apply a different log entry for the same index".
//!
//! And what follows from it for a state machine that sees nothing but its entries: two replicas at one
//! index have one digest.

use std::collections::BTreeMap;

use store::StateDigest;
use types::GroupId;

use super::{Cluster, Event, Invariant};
use crate::types::LogId;

#[derive(Default)]
pub(super) struct StateMachineSafety {
    applied: BTreeMap<(GroupId, u64), (LogId, StateDigest)>,
}

impl Invariant for StateMachineSafety {
    fn see(&mut self, event: &Event<'_>, _: &Cluster) -> Result<(), String> {
        let Event::Reported { node, group, report } = event else { return Ok(()) };
        let Some((id, digest)) = report.applied else { return Ok(()) };
        let (first, state) = *self.applied.entry((*group, id.index)).or_insert((id, digest));
        if first != id {
            return Err(format!("node {node} applied {id} of group {group}, another {first}"));
        }
        if state != digest {
            return Err(format!("node {node} has another state of group {group} at {id}"));
        }
        Ok(())
    }
}
