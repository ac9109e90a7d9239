//! Log Matching (§5.3): "if two logs contain an entry with the same index and term, then the logs are
//! identical in all entries up through the given index".
//!
//! Every entry that anybody writes is remembered with its content and with the entry before it in that
//! log; whoever writes one of the same name must write the same, behind the same. And "if an existing entry
//! conflicts with a new one, delete the existing entry and all that follow it": nothing is written over.

use std::collections::BTreeMap;

use types::GroupId;

use super::{Cluster, Event, Invariant};
use crate::types::LogId;

#[derive(Default)]
pub(super) struct LogMatching {
    /// The content of an entry, and the one before it, as whoever wrote it first had it.
    known: BTreeMap<(GroupId, u64, LogIdKey), (u64, Option<LogId>)>,
    /// The last entry that each node wrote.
    last: BTreeMap<(u64, GroupId), LogId>,
    /// From where on each node has removed its entries, and written none since.
    removed: BTreeMap<(u64, GroupId), u64>,
}

type LogIdKey = (u64, u64);

impl Invariant for LogMatching {
    fn see(&mut self, event: &Event<'_>, cluster: &Cluster) -> Result<(), String> {
        match event {
            Event::Ended { node } => {
                self.last.retain(|(writer, _), _| writer != node);
                self.removed.retain(|(writer, _), _| writer != node);
            }
            Event::Truncated { node, group, first } => {
                self.last.remove(&(*node, *group));
                let removed = self.removed.entry((*node, *group)).or_insert(*first);
                *removed = (*removed).min(*first);
            }
            Event::Wrote { node, group, id, content } => {
                self.written_over(*node, *group, id, cluster)?;
                let before = self.before(*node, *group, id, cluster);
                self.last.insert((*node, *group), *id);
                let key = (*group, id.index, (id.leader_id.term, id.leader_id.node_id));
                let (known, after) = *self.known.entry(key).or_insert((*content, before));
                if known != *content {
                    return Err(format!("node {node} wrote another entry {id} of group {group}"));
                }
                if let (Some(before), Some(after)) = (before, after)
                    && before != after
                {
                    return Err(format!(
                        "node {node} wrote {id} of group {group} behind {before}, another behind {after}"
                    ));
                }
                if after.is_none() {
                    self.known.insert(key, (known, before));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl LogMatching {
    /// Refuses an entry that takes the place of another one that was not removed.
    fn written_over(
        &mut self,
        node: u64,
        group: GroupId,
        id: &LogId,
        cluster: &Cluster,
    ) -> Result<(), String> {
        let removed = self.removed.get_mut(&(node, group)).filter(|first| **first <= id.index);
        if let Some(first) = removed {
            *first = id.index + 1;
            return Ok(());
        }
        match cluster.disk(node).entry(group, id.index) {
            Some(there) if there.log_id != *id => Err(format!(
                "node {node} wrote {id} of group {group} over {}, with all behind it",
                there.log_id
            )),
            _ => Ok(()),
        }
    }

    /// The entry before this one in the node's log; none if it is purged.
    fn before(&self, node: u64, group: GroupId, id: &LogId, cluster: &Cluster) -> Option<LogId> {
        let index = id.index.checked_sub(1)?;
        let last = self.last.get(&(node, group)).filter(|last| last.index == index);
        last.copied().or_else(|| {
            let disk = cluster.disk(node);
            let purged = disk.purged(group).filter(|purged| purged.index == index);
            purged.or_else(|| disk.entry(group, index).map(|entry| entry.log_id))
        })
    }
}
