//! openraft's own suite for storage, on the memory engine and on RocksDB in a directory.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use crate::registry::Registry;
use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{EntryPayload, OptionalSend, StorageError};
use store::Engine;
use store::engine::memory::MemoryEngine;
use store::engine::rocks::{Memory, RocksEngine};
use tempfile::TempDir;
use types::GroupId;

use crate::fatal::FatalSignal;
use crate::log::marks::Marks;
use crate::log::writer::{Job, LogQueue};
use crate::log::{GroupLog, open_marks, recover};
use crate::machine::{Cell, StateMachine};
use crate::metrics::NodeMetrics;
use crate::snapshot::{MetaOnly, SnapshotData};
use crate::types::{Entry, LogId, Snapshot, SnapshotMeta, StoredMembership, TypeConfig};

/// Applies what the suite leaves out: it goes from index 3 to 5, which Raft never does and the store
/// refuses. Everything else is the product's own.
struct Filling(StateMachine);

impl RaftStateMachine<TypeConfig> for Filling {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = MetaOnly;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        self.0.applied_state().await
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut last = self.0.applied_state().await?.0;
        let mut filled: Vec<Result<EntryResponder<TypeConfig>, io::Error>> = Vec::new();
        while let Some(item) = entries.next().await {
            let (entry, answer) = item?;
            for index in last.map_or(entry.log_id.index, |last| last.index + 1)..entry.log_id.index
            {
                let log_id = LogId::new(entry.log_id.leader_id, index);
                filled.push(Ok((Entry { log_id, payload: EntryPayload::Blank }, None)));
            }
            last = Some(entry.log_id);
            filled.push(Ok((entry, answer)));
        }
        self.0.apply(futures::stream::iter(filled)).await
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<MetaOnly> {
        self.0.try_create_snapshot_builder(force).await
    }

    async fn get_snapshot_builder(&mut self) -> MetaOnly {
        self.0.get_snapshot_builder().await
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        data: SnapshotData,
    ) -> Result<(), io::Error> {
        self.0.install_snapshot(meta, data).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.0.get_current_snapshot().await
    }
}

/// Keeps a store's directory, and ends its writer. The directory goes when nobody has a file of it open: a database that
/// is being closed writes some more, which would stay.
struct Guard {
    directory: TempDir,
    queue: LogQueue,
}

impl Guard {
    fn is_in_use(&self) -> bool {
        let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
        open.filter_map(|file| fs::read_link(file.path()).ok())
            .any(|file| file.starts_with(self.directory.path()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The writer may have ended already.
        let _ = self.queue.push(Job::Stop);
        let until = Instant::now() + Duration::from_secs(30);
        while self.is_in_use() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

struct Builder {
    on_disk: bool,
}

impl StoreBuilder<TypeConfig, GroupLog, Filling, Guard> for Builder {
    async fn build(&self) -> Result<(Guard, GroupLog, Filling), StorageError<TypeConfig>> {
        let directory = tempfile::tempdir().unwrap();
        let engine: Arc<dyn Engine> = if self.on_disk {
            let path = directory.path().join("db");
            Arc::new(RocksEngine::open(&path, Memory::default()).unwrap())
        } else {
            Arc::new(MemoryEngine::new())
        };
        let marks = directory.path().join("marks");
        Marks::create(&marks).unwrap();
        let (metrics, fatal) =
            (NodeMetrics::register(&mut Registry::default()), FatalSignal::new());
        let group = GroupId(7);
        let marks = open_marks(&marks).unwrap();
        let shared =
            recover(&engine, group, marks.all().get(&group).copied().unwrap_or_default()).unwrap();
        let (queue, writer) =
            LogQueue::new(engine.clone(), marks, metrics.log.clone(), fatal.clone());
        writer.start().unwrap();
        let cell = Cell::open(engine, group, metrics.group(group), fatal.clone()).unwrap();
        let guard = Guard { directory, queue: queue.clone() };
        Ok((guard, GroupLog::new(shared, queue, fatal), Filling(StateMachine::new(cell, 10_000))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_engine_passes_the_storage_suite() {
    Suite::test_all(Builder { on_disk: false }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rocksdb_passes_the_storage_suite() {
    Suite::test_all(Builder { on_disk: true }).await.unwrap();
}
