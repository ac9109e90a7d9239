//! The entry that makes the survivors the membership of a group, added to a log while no group runs.
//!
//! It is an entry as a leader would have appended it, had it been elected in that term. Its term is above
//! every term that a survivor had voted in when no lost node was heard any more; every leader there ever
//! was had a survivor's vote, so no entry of that term or a later one is there before. Where there is
//! one, the cut has been made: repeated, it has no second effect.

use std::sync::Arc;

use openraft::EntryPayload;
use store::{Batch, Column, Durability, Engine};
use types::NodeId;

use crate::bounds;
use crate::error::StartError;
use crate::log::marks::Mark;
use crate::log::{self, entry, keys};
use crate::recovery::mandate::Cut;
use crate::types::{Entry, LogId, Vote, leader_id};

/// Adds to this node's logs what was decided for them.
///
/// # Errors
/// [`StartError::Group`] if a log does not go as far any more as when it was chosen.
pub(crate) fn apply(engine: &Arc<dyn Engine>, own: NodeId, cuts: &[Cut]) -> Result<(), StartError> {
    for cut in cuts.iter().filter(|cut| cut.node == own) {
        let log = log::recover(engine, cut.group, Mark::default())?;
        let last = log.tail().last();
        if last.is_some_and(|last| last.leader_id.term >= cut.term) {
            continue;
        }
        if last < cut.after {
            return Err(StartError::Group {
                group: cut.group,
                reason: format!(
                    "its log was chosen for the recovery when it ended at {:?}, and ends at {last:?} now",
                    cut.after
                ),
            });
        }
        let index = last.map_or(Some(0), |last| bounds::next(last.index));
        let index = index.ok_or_else(|| StartError::Group {
            group: cut.group,
            reason: "no entry can follow the last one of its log".to_owned(),
        })?;
        let leader = leader_id(cut.term, own.0);
        let payload = EntryPayload::Membership(cut.membership.clone());
        let added = Entry { log_id: LogId::new(leader, index), payload };
        let mut batch = Batch::new();
        batch.put(Column::Log, &keys::entry(cut.group, index), &entry::encode_entry(&added));
        if log.term() < cut.term {
            let vote = Vote { leader_id: leader, committed: false };
            batch.put(Column::Log, &keys::vote(cut.group), &entry::encode_vote(&vote));
        }
        engine.write(batch, Durability::Synced)?;
        tracing::warn!(group = %cut.group, term = cut.term, index, "the survivors are the membership");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
