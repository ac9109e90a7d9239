//! Committing (§5.3, §5.4.2): an entry is committed once the leader has it stored on a majority, and only
//! an entry of the leader's own term is committed by counting.
//!
//! "Stored" means on disk: whatever a leader reports as committed would survive if the power of every
//! node went in this moment, on a majority of every set of voters. And it stays so: who purges its log (§7) has
//! the state in its place on disk before.

use std::collections::{BTreeMap, BTreeSet};

use types::GroupId;

use super::{Cluster, Event, Invariant};
use crate::types::LogId;

#[derive(Default)]
pub(super) struct CommittedIsDurable {
    /// The last that was looked at.
    seen: BTreeMap<GroupId, LogId>,
}

impl Invariant for CommittedIsDurable {
    fn see(&mut self, event: &Event<'_>, cluster: &Cluster) -> Result<(), String> {
        if let Event::Purged { node, group, upto } = event {
            return match cluster.disk(*node).durable_state(*group) {
                state if state >= Some(*upto) => Ok(()),
                state => Err(format!(
                    "node {node} purges group {group} up to {upto}, and has the state of {state:?} on disk"
                )),
            };
        }
        let Event::Reported { node, group, report } = event else { return Ok(()) };
        let Some(at) = report.committed.filter(|_| report.leads) else { return Ok(()) };
        if self.seen.get(group) >= Some(&at) {
            return Ok(());
        }
        self.seen.insert(*group, at);
        let stored = |voter| cluster.holds(voter, *group, at);
        if cluster.any_voters(*group, |voters| Cluster::is_quorum(voters, stored)) {
            return Ok(());
        }
        let voters: BTreeSet<u64> = report.voters.iter().flatten().copied().collect();
        let holders: Vec<u64> = voters.into_iter().filter(|voter| stored(*voter)).collect();
        Err(format!(
            "node {node} has committed {at} of group {group}, which only nodes {holders:?} have on disk"
        ))
    }
}
