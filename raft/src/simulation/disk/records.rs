//! What stands on a node's disk, now and once the power is gone, and what the judge is shown of it.

use std::ops::ControlFlow;

use store::engine::memory::Crash;
use store::engine::{Change, Direction};
use store::{Batch, Column, EngineView, Reader};
use types::GroupId;

use super::Disk;
use crate::log::{entry, keys};
use crate::simulation::invariants::{Event, content};
use crate::types::{Entry, LogId, Vote, log_id};

impl Disk {
    /// Where a node's log has entries, and which.
    pub(in crate::simulation) fn log(&self, group: GroupId) -> Vec<LogId> {
        let mut entries = Vec::new();
        let (from, to) = (keys::entry(group, 0), keys::entries_end(group));
        let mut visit = |key: &[u8], value: &[u8]| {
            let decoded =
                keys::index(key).map(|index| entry::decode_entry(index, value.to_vec().into()));
            if let Some(Ok(entry)) = decoded {
                entries.push(entry.log_id);
            }
            ControlFlow::Continue(())
        };
        // The engine in memory refuses nothing.
        let _ = self.engine.scan(Column::Log, &from, &to, Direction::Forward, &mut visit);
        entries
    }

    /// What stands under an entry's index once the power is gone.
    pub(in crate::simulation) fn durable_entry(&self, group: GroupId, index: u64) -> Option<LogId> {
        let value = self.engine.after(Crash::Power, Column::Log, &keys::entry(group, index))?;
        Some(entry::decode_entry(index, value.into()).ok()?.log_id)
    }

    /// How far the state has come that is there once the power is gone.
    pub(in crate::simulation) fn durable_state(&self, group: GroupId) -> Option<LogId> {
        let left = self.engine.left_by(Crash::Power);
        let position = Reader::open(&left, group).ok()?.position().ok()??;
        Some(log_id(&position))
    }

    /// How far the log is purged: everything up to there should be in the state's files.
    pub(in crate::simulation) fn purged(&self, group: GroupId) -> Option<LogId> {
        let value = self.engine.get(Column::Log, &keys::purged(group)).ok()??;
        entry::decode_position(value.into()).ok()
    }

    /// The vote that is there once the power is gone.
    pub(in crate::simulation) fn durable_vote(&self, group: GroupId) -> Option<Vote> {
        let value = self.engine.after(Crash::Power, Column::Log, &keys::vote(group))?;
        entry::decode_vote(value.into()).ok()
    }

    /// The entry that the log has now.
    pub(in crate::simulation) fn entry(&self, group: GroupId, index: u64) -> Option<Entry> {
        let value = self.engine.get(Column::Log, &keys::entry(group, index)).ok()??;
        entry::decode_entry(index, value.into()).ok()
    }

    /// Shows the judge what is written to the logs.
    pub(in crate::simulation) fn show(&self, batch: &Batch) {
        let node = self.node;
        for change in batch.changes() {
            match change {
                Change::Put { column: Column::Log, key, value } => {
                    let Some(group) = group_of(key) else { continue };
                    if let Some(index) = keys::index(key) {
                        let read = entry::decode_entry(index, value.to_vec().into());
                        let Ok(read) = read else { continue };
                        let content = content(&read.payload);
                        let event = Event::Wrote { node, group, id: read.log_id, content };
                        self.stage.happened(&event);
                    } else if key == keys::vote(group)
                        && let Ok(vote) = entry::decode_vote(value.to_vec().into())
                    {
                        self.stage.note(format_args!(
                            "n{node} g{group} vote {}",
                            crate::simulation::show_vote(&vote)
                        ));
                        self.stage.happened(&Event::Voted { node, group, vote });
                    } else if key == keys::purged(group)
                        && let Ok(upto) = entry::decode_position(value.to_vec().into())
                    {
                        self.stage.happened(&Event::Purged { node, group, upto });
                    }
                }
                Change::DeleteRange { column: Column::Log, from, to } => {
                    let Some(group) = group_of(from) else { continue };
                    let first = keys::index(from).unwrap_or(0);
                    if to == keys::entries_end(group) {
                        self.stage.count("truncations", 1);
                        self.stage.note(format_args!("n{node} g{group} truncates from {first}"));
                        self.stage.happened(&Event::Truncated { node, group, first });
                    } else if keys::index(to).is_some() {
                        self.stage.count("purges", 1);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The group that a key of the log belongs to.
pub(super) fn group_of(key: &[u8]) -> Option<GroupId> {
    Some(GroupId(u32::from_be_bytes(key.get(..4)?.try_into().ok()?)))
}
