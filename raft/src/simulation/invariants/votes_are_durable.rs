//! Persistent state (figure 2): "updated on stable storage before responding to RPCs".
//!
//! A node that leads was granted its leadership by a majority, and each of them had its vote on disk
//! before it said so: in the moment in which the leader writes its first entry, a majority of the disks
//! hold a vote for this leadership or a later one.

use std::collections::BTreeMap;

use types::GroupId;

use super::{Cluster, Event, Invariant, leadership};
use crate::types::LeaderId;

#[derive(Default)]
pub(super) struct VotesAreDurable {
    seen: BTreeMap<GroupId, LeaderId>,
}

impl Invariant for VotesAreDurable {
    fn see(&mut self, event: &Event<'_>, cluster: &Cluster) -> Result<(), String> {
        match event {
            Event::Wrote { node, group, id, .. } if id.leader_id.node_id == *node => {
                let leader = id.leader_id;
                if self.seen.get(group) >= Some(&leader) {
                    return Ok(());
                }
                self.seen.insert(*group, leader);
                if !cluster.voters.contains_key(group) {
                    return Ok(());
                }
                let granted = |voter: u64| {
                    let vote = cluster.disk(voter).durable_vote(*group);
                    vote.is_some_and(|vote| leadership(&vote) >= leader)
                };
                if !cluster.any_voters(*group, |voters| Cluster::is_quorum(voters, granted)) {
                    return Err(format!(
                        "node {node} leads group {group} as {leader:?} without a majority of votes on disk"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
