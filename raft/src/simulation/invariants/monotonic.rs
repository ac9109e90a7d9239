//! What never goes back (figure 2): the term and the vote of a node, through all its lives; what it has
//! committed and applied, for as long as it lives.
//!
//! A vote that is written is higher than the one before, or the same leadership, now won.

use std::collections::BTreeMap;

use types::GroupId;

use super::{Cluster, Event, Invariant};
use crate::types::{LogId, Vote};

#[derive(Default)]
pub(super) struct Monotonic {
    votes: BTreeMap<(u64, GroupId), Vote>,
    committed: BTreeMap<(u64, GroupId), LogId>,
    applied: BTreeMap<(u64, GroupId), LogId>,
}

impl Invariant for Monotonic {
    fn see(&mut self, event: &Event<'_>, cluster: &Cluster) -> Result<(), String> {
        match event {
            Event::Ended { node } => {
                self.committed.retain(|(of, _), _| of != node);
                self.applied.retain(|(of, _), _| of != node);
                // What was written and not on disk was promised to nobody.
                for ((of, group), vote) in &mut self.votes {
                    if of == node
                        && let Some(durable) = cluster.disk(*node).durable_vote(*group)
                    {
                        *vote = durable;
                    }
                }
                Ok(())
            }
            Event::Voted { node, group, vote } => {
                let rank = |vote: &Vote| (vote.leader_id, vote.committed);
                match self.votes.insert((*node, *group), *vote) {
                    Some(before) if rank(&before) > rank(vote) => {
                        Err(format!("node {node} voted {vote:?} in group {group} after {before:?}"))
                    }
                    _ => Ok(()),
                }
            }
            Event::Reported { node, group, report } => {
                let at = (*node, *group);
                forward("committed", at, &mut self.committed, report.committed)?;
                let applied = report.applied.map(|(id, _)| id);
                forward("applied", at, &mut self.applied, applied)
            }
            _ => Ok(()),
        }
    }
}

fn forward(
    what: &str,
    (node, group): (u64, GroupId),
    known: &mut BTreeMap<(u64, GroupId), LogId>,
    now: Option<LogId>,
) -> Result<(), String> {
    let Some(now) = now else { return Ok(()) };
    match known.insert((node, group), now) {
        Some(before) if before > now => {
            Err(format!("node {node} had {what} {before} in group {group}, and now {now}"))
        }
        _ => Ok(()),
    }
}
