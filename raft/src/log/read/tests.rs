#![allow(clippy::unwrap_used)]

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use crate::registry::Registry;
use openraft::EntryPayload;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use store::engine::Visit;
use store::engine::memory::MemoryEngine;
use store::{Batch, Durability, EngineView, Fault};

use super::*;
use crate::fatal::FatalSignal;
use crate::log::marks::{Mark, Marks};
use crate::log::writer::LogQueue;
use crate::log::{TAIL_BYTES, open_marks, recover};
use crate::metrics::NodeMetrics;
use crate::types::{CommandBytes, LogId, leader_id};

const GROUP: GroupId = GroupId(1);
const ENTRY_BYTES: usize = 64 << 10;

/// An engine whose first scan forward is held until it is let go.
struct Held {
    inner: MemoryEngine,
    /// Whether it has read by then.
    has_read: bool,
    first: Mutex<Option<(SyncSender<()>, Receiver<()>)>>,
}

impl Held {
    /// It, what tells that the scan is held, and what lets it go.
    fn new(has_read: bool) -> (Arc<Held>, Receiver<()>, SyncSender<()>) {
        let (entered, reading) = sync_channel(1);
        let (go, held) = sync_channel(1);
        let first = Mutex::new(Some((entered, held)));
        (Arc::new(Held { inner: MemoryEngine::new(), has_read, first }), reading, go)
    }
}

impl EngineView for Held {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.inner.get(column, key)
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        let held = match direction {
            Direction::Forward => self.first.lock().unwrap().take(),
            Direction::Reverse => None,
        };
        let Some((entered, go)) = held else {
            return self.inner.scan(column, from, to, direction, visit);
        };
        if self.has_read {
            self.inner.scan(column, from, to, direction, visit)?;
        }
        entered.send(()).unwrap();
        go.recv().unwrap();
        if !self.has_read {
            self.inner.scan(column, from, to, direction, visit)?;
        }
        Ok(())
    }
}

impl Engine for Held {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Fault> {
        self.inner.write(batch, durability)
    }

    fn sync(&self) -> Result<(), Fault> {
        self.inner.sync()
    }

    fn flush(&self, column: Column) -> Result<(), Fault> {
        self.inner.flush(column)
    }

    fn snapshot(&self) -> Arc<dyn EngineView> {
        self.inner.snapshot()
    }
}

fn id(term: u64, index: u64) -> LogId {
    LogId::new(leader_id(term, 1), index)
}

fn entries(term: u64, indexes: std::ops::Range<u64>) -> impl Iterator<Item = Entry> {
    indexes.map(move |index| {
        let payload = EntryPayload::Normal(CommandBytes::from(Bytes::from(vec![0; ENTRY_BYTES])));
        Entry { log_id: id(term, index), payload }
    })
}

/// A log on an engine, and what tells its node.
fn opened(engine: Arc<dyn Engine>) -> (GroupLog, FatalSignal) {
    let directory = tempfile::tempdir().unwrap();
    let marks = directory.path().join("marks");
    Marks::create(&marks).unwrap();
    let (metrics, fatal) =
        (NodeMetrics::register(&mut Registry::default()).log, FatalSignal::new());
    let marks = open_marks(&marks).unwrap();
    let (queue, writer) = LogQueue::new(engine.clone(), marks, metrics, fatal.clone());
    writer.start().unwrap();
    let shared = recover(&engine, GROUP, Mark::default()).unwrap();
    (GroupLog::new(shared, queue, fatal.clone()), fatal)
}

/// A leader's entries, replaced by another leader's while they are being read: the read returns the log
/// as it is then, and not a part of each.
#[tokio::test(flavor = "multi_thread")]
async fn a_truncation_during_a_read_does_not_mix_two_logs() {
    let (engine, reading, go) = Held::new(false);
    let (mut log, _) = opened(engine);

    // Twice what the tail holds: the first half is read from disk.
    let count = 2 * (TAIL_BYTES / ENTRY_BYTES) as u64;
    log.blocking_append(entries(1, 0..count)).await.unwrap();
    assert!(log.shared.tail().first_index() > 10, "nothing left the tail");
    let reader = log.clone();
    let read = tokio::spawn(async move { reader.read(0, count, usize::MAX).await });
    reading.recv().unwrap();
    log.truncate_after(Some(id(1, 9))).await.unwrap();
    log.blocking_append(entries(2, 10..count)).await.unwrap();
    go.send(()).unwrap();

    let found: Vec<_> =
        read.await.unwrap().unwrap().into_iter().map(|entry| entry.log_id).collect();
    let expected: Vec<_> =
        (0..count).map(|index| id(if index < 10 { 1 } else { 2 }, index)).collect();
    assert_eq!(found, expected);
}

/// A purge while entries are being read takes what was not read yet, and is neither damage nor a reason to read again
/// what was.
#[tokio::test(flavor = "multi_thread")]
async fn a_purge_during_a_read_takes_only_what_was_not_read() {
    for (has_read, first) in [(false, 10), (true, 0)] {
        let (engine, reading, go) = Held::new(has_read);
        let (mut log, fatal) = opened(engine);
        let count = 2 * (TAIL_BYTES / ENTRY_BYTES) as u64;
        log.blocking_append(entries(1, 0..count)).await.unwrap();
        let reader = log.clone();
        let read = tokio::spawn(async move { reader.read(0, count, usize::MAX).await });
        reading.recv().unwrap();
        log.purge(id(1, 9)).await.unwrap();
        // What is queued behind the purge is on disk, and so is the purge.
        log.blocking_append(entries(1, count..count + 1)).await.unwrap();
        go.send(()).unwrap();

        let found: Vec<_> =
            read.await.unwrap().unwrap().into_iter().map(|entry| entry.log_id.index).collect();
        assert_eq!(found, (first..count).collect::<Vec<_>>(), "it had read: {has_read}");
        assert_eq!(fatal.raised(), None);
    }
}

/// What a log on disk lost in its middle shows only to whoever reads it. The node must not go on, nor start again and
/// again: it is told of damage, which the next start repairs.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_missing_or_does_not_read_back_is_damage() {
    for (harm, said) in [
        (None, "the log of group 1: entries between the purged and the last one are missing"),
        (Some([1, 2].as_slice()), "the log of group 1: an entry does not read back: "),
    ] {
        let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
        let (mut log, _) = opened(engine.clone());
        log.blocking_append(entries(1, 0..10)).await.unwrap();
        let mut batch = Batch::new();
        match harm {
            None => batch.delete(Column::Log, &keys::entry(GROUP, 5)),
            Some(bytes) => batch.put(Column::Log, &keys::entry(GROUP, 5), bytes),
        }
        engine.write(batch, Durability::Synced).unwrap();

        let (log, fatal) = opened(engine);
        assert_eq!(log.read(0, 5, usize::MAX).await.unwrap().len(), 5);
        assert_eq!(fatal.raised(), None);
        log.read(0, 10, usize::MAX).await.unwrap_err();
        let Some(End::Damaged(Damage::Log, found)) = fatal.raised() else {
            panic!("{:?}", fatal.raised())
        };
        assert!(found.starts_with(said), "{found}");
    }
}
