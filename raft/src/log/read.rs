//! Reading entries that stand partly on disk and partly in the tail.
//!
//! Promises: what one read returns stood in the log together, one entry after another, without a hole.
//! The disk is read without a lock; a truncation or a purge that comes between makes the read begin
//! anew. A hole that was there by itself is damage, and ends the node.

use std::io;
use std::ops::ControlFlow;

use bytes::Bytes;
use store::engine::Direction;
use store::{Column, Damage, Engine, Fault};
use types::GroupId;

use crate::error::chain;
use crate::fatal::End;
use crate::host::offload;
use crate::log::{GroupLog, entry, keys};
use crate::types::Entry;
use crate::wire::DecodeError;

/// How often a read starts over because entries were purged or truncated under it.
const READ_TRIES: usize = 8;

impl GroupLog {
    /// Entries from `start` up to `end` that the log contains, as many as fit into `limit_bytes`
    /// but at least one.
    pub(super) async fn read(
        &self,
        start: u64,
        end: u64,
        limit_bytes: usize,
    ) -> io::Result<Vec<Entry>> {
        for _ in 0..READ_TRIES {
            let (start, disk_end, newer, epoch) = {
                let tail = self.shared.tail();
                let start = start.max(tail.start_index());
                let end = end.min(tail.end_index());
                let first = tail.first_index();
                if start >= end {
                    return Ok(Vec::new());
                }
                if start >= first {
                    return Ok(tail.read(start, end, limit_bytes));
                }
                let newer =
                    if end > first { tail.read(first, end, limit_bytes) } else { Vec::new() };
                (start, end.min(first), newer, tail.epoch())
            };
            let (engine, group) = (self.shared.engine.clone(), self.shared.group);
            let older = offload(engine.blocks(), move || {
                disk_entries(engine.as_ref(), group, start, disk_end, limit_bytes)
            });
            let mut entries = older.await?.map_err(|error| self.unread(error))?;
            // Where a truncation came between the two looks, entries of two leaders could stand side by
            // side; where a purge came, the first ones are gone.
            let (truncated, purged) = {
                let tail = self.shared.tail();
                (tail.epoch() != epoch, tail.start_index() > start)
            };
            let follows = |(at, entry): (usize, &Entry)| entry.log_id.index == start + at as u64;
            let whole = !entries.is_empty() && entries.iter().enumerate().all(follows);
            if truncated || (purged && !whole) {
                continue;
            }
            if !whole {
                return Err(self.unread(ReadError::Hole));
            }
            if start + entries.len() as u64 == disk_end {
                entries.extend(newer);
                let mut bytes = 0;
                let fits = entries.iter().take_while(|entry| {
                    bytes += entry::weight(entry);
                    bytes <= limit_bytes
                });
                let fits = fits.count().max(1);
                entries.truncate(fits);
            }
            return Ok(entries);
        }
        Err(io::Error::other("the log was purged or truncated under each of several reads"))
    }

    /// Why entries cannot be read. The node ends over it; what is damaged is repaired at the next start.
    fn unread(&self, error: ReadError) -> io::Error {
        if error.is_damage() {
            let found = format!("the log of group {}: {}", self.shared.group, chain(&error));
            self.fatal.end(End::Damaged(Damage::Log, found));
        }
        io::Error::other(error)
    }
}

/// Why entries that have to be on disk cannot be had.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    /// The engine, which tells the node by itself.
    #[error(transparent)]
    Engine(#[from] Fault),
    #[error("an entry does not read back")]
    Entry(#[source] DecodeError),
    #[error("a key is not an entry's")]
    Key,
    #[error("entries between the purged and the last one are missing")]
    Hole,
}

impl ReadError {
    /// Whether what is on disk is not what was written, and nobody else says so.
    fn is_damage(&self) -> bool {
        match self {
            ReadError::Engine(_) => false,
            ReadError::Entry(error) => !error.is_of_a_newer_version(),
            ReadError::Key | ReadError::Hole => true,
        }
    }
}

/// Entries from `start` up to `end` in the engine, as many as fit into `limit_bytes` but at least one.
fn disk_entries(
    engine: &dyn Engine,
    group: GroupId,
    start: u64,
    end: u64,
    limit_bytes: usize,
) -> Result<Vec<Entry>, ReadError> {
    let mut entries = Vec::new();
    let mut bytes = 0;
    let mut failed = None;
    let mut visit = |key: &[u8], value: &[u8]| {
        let decoded = match keys::index(key) {
            Some(index) => {
                entry::decode_entry(index, Bytes::copy_from_slice(value)).map_err(ReadError::Entry)
            }
            None => Err(ReadError::Key),
        };
        match decoded {
            Ok(entry) => {
                bytes += entry::weight(&entry);
                if bytes > limit_bytes && !entries.is_empty() {
                    return ControlFlow::Break(());
                }
                entries.push(entry);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let (from, to) = (keys::entry(group, start), keys::entry(group, end));
    engine.scan(Column::Log, &from, &to, Direction::Forward, &mut visit)?;
    match failed {
        Some(error) => Err(error),
        None => Ok(entries),
    }
}

#[cfg(test)]
mod tests;
