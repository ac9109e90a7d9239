//! The newest part of one group's log in memory.
//!
//! Entries must be readable as soon as they are appended, long before they are on disk, so they
//! stand here first. Replication and apply read from here too: in normal running nothing is read
//! from disk. The tail is bounded in bytes; only what has been handed to the engine may leave it.

use std::collections::VecDeque;

use crate::log::entry::weight;
use crate::types::{Entry, LogId};

/// What is known about one group's log without asking the disk.
pub(crate) struct Tail {
    entries: VecDeque<Entry>,
    bytes: usize,
    limit_bytes: usize,
    last: Option<LogId>,
    purged: Option<LogId>,
    /// Index of the first entry, here or on disk.
    start: u64,
    /// Entries below this index can be read from the engine.
    written: u64,
    /// Counts truncations: a batch that was queued before one says nothing about what came after.
    epoch: u64,
}

impl Tail {
    /// A tail over a log on disk that ends at `last`.
    pub(crate) fn new(last: Option<LogId>, purged: Option<LogId>, limit_bytes: usize) -> Self {
        let (written, start) = (next_index(last), next_index(purged));
        let entries = VecDeque::new();
        Tail { entries, bytes: 0, limit_bytes, last, purged, start, written, epoch: 0 }
    }

    pub(crate) fn last(&self) -> Option<LogId> {
        self.last
    }

    pub(crate) fn purged(&self) -> Option<LogId> {
        self.purged
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Index of the first entry in memory; the index behind the log if there is none.
    pub(crate) fn first_index(&self) -> u64 {
        self.entries.front().map_or(next_index(self.last), |entry| entry.log_id.index)
    }

    /// Index of the first entry that has not been purged.
    pub(crate) fn start_index(&self) -> u64 {
        self.start
    }

    /// Index behind the last entry.
    pub(crate) fn end_index(&self) -> u64 {
        next_index(self.last)
    }

    /// Appends an entry behind the last one; an empty log may begin anywhere.
    pub(crate) fn push(&mut self, entry: Entry) {
        if self.start == self.end_index() {
            self.start = entry.log_id.index;
        }
        self.last = Some(entry.log_id);
        self.bytes += weight(&entry);
        self.entries.push_back(entry);
    }

    /// Entries from `start` up to `end`, as many as fit into `limit_bytes` but at least one.
    /// `start` must not be below [`Tail::first_index`].
    pub(crate) fn read(&self, start: u64, end: u64, limit_bytes: usize) -> Vec<Entry> {
        let skip = start.saturating_sub(self.first_index()) as usize;
        let count = end.saturating_sub(start) as usize;
        let mut bytes = 0;
        let mut entries = Vec::new();
        for entry in self.entries.iter().skip(skip).take(count) {
            bytes += weight(entry);
            if bytes > limit_bytes && !entries.is_empty() {
                break;
            }
            entries.push(entry.clone());
        }
        entries
    }

    /// Notes that entries below `index` can be read from the engine, as queued in `epoch`.
    pub(crate) fn written(&mut self, epoch: u64, index: u64) {
        if epoch == self.epoch {
            self.written = self.written.max(index);
            self.evict();
        }
    }

    /// Drops what is behind `after`.
    pub(crate) fn truncate_after(&mut self, after: Option<LogId>) {
        let keep = next_index(after);
        while self.entries.back().is_some_and(|entry| entry.log_id.index >= keep) {
            if let Some(entry) = self.entries.pop_back() {
                self.bytes -= weight(&entry);
            }
        }
        self.last = after.max(self.purged);
        self.start = self.start.min(self.end_index());
        self.written = self.written.min(keep);
        self.epoch += 1;
    }

    /// Drops what is up to `upto`. A log that ends before it ends there from now on: a snapshot
    /// has taken the place of the entries that never came.
    pub(crate) fn purge(&mut self, upto: LogId) {
        while self.entries.front().is_some_and(|entry| entry.log_id.index <= upto.index) {
            if let Some(entry) = self.entries.pop_front() {
                self.bytes -= weight(&entry);
            }
        }
        self.purged = self.purged.max(Some(upto));
        self.start = self.start.max(upto.index + 1);
        if self.last < Some(upto) {
            self.last = Some(upto);
            self.written = self.written.max(upto.index + 1);
        }
    }

    fn evict(&mut self) {
        while self.bytes > self.limit_bytes
            && self.entries.front().is_some_and(|entry| entry.log_id.index < self.written)
        {
            if let Some(entry) = self.entries.pop_front() {
                self.bytes -= weight(&entry);
            }
        }
    }
}

fn next_index(id: Option<LogId>) -> u64 {
    id.map_or(0, |id| id.index + 1)
}

#[cfg(test)]
mod tests;
