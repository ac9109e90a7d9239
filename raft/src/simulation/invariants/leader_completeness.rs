//! Leader Completeness (§5.4): "if a log entry is committed in a given term, then that entry will be
//! present in the logs of the leaders for all higher-numbered terms".

use std::collections::BTreeMap;

use types::GroupId;

use super::{Cluster, Event, Invariant};
use crate::types::{LeaderId, LogId};

#[derive(Default)]
pub(super) struct LeaderCompleteness {
    /// The furthest that is known to be committed.
    committed: BTreeMap<GroupId, LogId>,
    /// The leaderships that have been looked at.
    seen: BTreeMap<GroupId, LeaderId>,
}

impl Invariant for LeaderCompleteness {
    fn see(&mut self, event: &Event<'_>, cluster: &Cluster) -> Result<(), String> {
        match event {
            Event::Reported { group, report, .. } => {
                if let Some(at) = report.committed {
                    let known = self.committed.entry(*group).or_insert(at);
                    *known = (*known).max(at);
                }
                Ok(())
            }
            // A leader's first entry is the first sign of it, and comes before anything it commits.
            Event::Wrote { node, group, id, .. } if id.leader_id.node_id == *node => {
                if self.seen.get(group) >= Some(&id.leader_id) {
                    return Ok(());
                }
                self.seen.insert(*group, id.leader_id);
                let Some(committed) = self.committed.get(group) else { return Ok(()) };
                let disk = cluster.disk(*node);
                let has = disk.purged(*group) >= Some(*committed)
                    || disk.entry(*group, committed.index).map(|entry| entry.log_id)
                        == Some(*committed);
                if committed.leader_id < id.leader_id && !has {
                    return Err(format!(
                        "node {node} leads group {group} with {id} and lacks {committed}, which is committed"
                    ));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
