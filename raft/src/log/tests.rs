#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use crate::registry::Registry;
use bytes::Bytes;
use openraft::EntryPayload;
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage, RaftLogStorageExt};
use openraft::type_config::TypeConfigExt;
use store::engine::memory::{Crash, MemoryEngine};
use store::engine::rocks::{Memory, RocksEngine};
use store::engine::{Direction, Visit};
use store::{Batch, Column, Durability, Engine, EngineView, Fault};
use types::GroupId;

use super::marks::{Mark, Marks};
use super::writer::{Job, LogQueue};
use super::{GroupLog, LogError, keys, marks, open_marks, recover};
use crate::fatal::FatalSignal;
use crate::metrics::{LogMetrics, NodeMetrics};
use crate::types::{CommandBytes, Entry, LogId, TypeConfig, Vote, leader_id};

/// All logs on one engine, with their marks in a directory.
struct Logs {
    engine: Arc<dyn Engine>,
    queue: LogQueue,
    metrics: LogMetrics,
    fatal: FatalSignal,
    marks: std::collections::BTreeMap<GroupId, Mark>,
    writer: Option<std::thread::JoinHandle<()>>,
}

impl Logs {
    fn open(engine: Arc<dyn Engine>, directory: &Path) -> Self {
        let path = directory.join("marks");
        if !path.exists() {
            Marks::create(&path).unwrap();
        }
        let marks = open_marks(&path).unwrap();
        let known = marks.all().clone();
        let (metrics, fatal) =
            (NodeMetrics::register(&mut Registry::default()).log, FatalSignal::new());
        let (queue, writer) = LogQueue::new(engine.clone(), marks, metrics.clone(), fatal.clone());
        let writer = writer.start().unwrap();
        Logs { engine, queue, metrics, fatal, marks: known, writer: Some(writer) }
    }

    fn group(&self, group: u32) -> Result<GroupLog, LogError> {
        let group = GroupId(group);
        let mark = self.marks.get(&group).copied().unwrap_or_default();
        Ok(GroupLog::new(
            recover(&self.engine, group, mark)?,
            self.queue.clone(),
            self.fatal.clone(),
        ))
    }

    fn stop(mut self) {
        let _ = self.queue.push(Job::Stop);
        self.writer.take().unwrap().join().unwrap();
    }
}

fn id(term: u64, index: u64) -> LogId {
    LogId::new(leader_id(term, 1), index)
}

fn entry(term: u64, index: u64, bytes: usize) -> Entry {
    let payload = EntryPayload::Normal(CommandBytes::from(Bytes::from(vec![index as u8; bytes])));
    Entry { log_id: id(term, index), payload }
}

fn vote(term: u64) -> Vote {
    Vote { leader_id: leader_id(term, 1), committed: true }
}

async fn indexes(log: &mut GroupLog) -> Vec<u64> {
    log.try_get_log_entries(..).await.unwrap().iter().map(|entry| entry.log_id.index).collect()
}

/// An engine whose syncs can be held back, and which can refuse.
struct Gate {
    inner: MemoryEngine,
    entered: SyncSender<()>,
    release: Mutex<Receiver<bool>>,
}

impl Gate {
    fn new() -> (Arc<Self>, Receiver<()>, SyncSender<bool>) {
        let (entered, seen) = sync_channel(16);
        let (let_go, release) = sync_channel(16);
        let gate = Gate { inner: MemoryEngine::new(), entered, release: Mutex::new(release) };
        (Arc::new(gate), seen, let_go)
    }
}

impl EngineView for Gate {
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
        self.inner.scan(column, from, to, direction, visit)
    }
}

impl Engine for Gate {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Fault> {
        self.inner.write(batch, durability)
    }

    fn sync(&self) -> Result<(), Fault> {
        self.entered.send(()).unwrap();
        if self.release.lock().unwrap().recv().unwrap() {
            self.inner.sync()
        } else {
            let source = store::engine::DiskError::new("the disk is gone");
            Err(Fault::Disk { action: "sync", column: Column::Log, source })
        }
    }

    fn flush(&self, column: Column) -> Result<(), Fault> {
        self.inner.flush(column)
    }

    fn snapshot(&self) -> Arc<dyn EngineView> {
        self.inner.snapshot()
    }
}

/// What queues up behind a sync, of however many groups, goes to disk with the next one.
#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::async_yields_async, reason = "queued now, awaited later")]
async fn one_sync_serves_all_groups() {
    let directory = tempfile::tempdir().unwrap();
    let (gate, entered, release) = Gate::new();
    let logs = Logs::open(gate, directory.path());
    let append = |group: u32| {
        let mut log = logs.group(group).unwrap();
        let (done, answer) = TypeConfig::oneshot();
        async move {
            log.append([entry(1, 0, 10), entry(1, 1, 10)], IOFlushed::signal(done)).await.unwrap();
            answer
        }
    };
    let first = append(0).await;
    entered.recv().unwrap();
    let mut rest = Vec::new();
    for group in 1..=8 {
        rest.push(append(group).await);
    }
    let mut log = logs.group(9).unwrap();
    let third = vote(3);
    let mut voted = std::pin::pin!(log.save_vote(&third));
    assert!(futures::poll!(voted.as_mut()).is_pending(), "a vote waits for its sync");
    release.send(true).unwrap();
    first.await.unwrap().unwrap();
    entered.recv().unwrap();
    release.send(true).unwrap();
    for answer in rest {
        answer.await.unwrap().unwrap();
    }
    voted.await.unwrap();
    assert_eq!(logs.metrics.syncs(), 2, "one for the first, one for all that waited");
    drop(release);
}

/// A refused sync acknowledges nothing, then or later, and ends the node.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sync_acknowledges_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (gate, entered, release) = Gate::new();
    let logs = Logs::open(gate, directory.path());
    let mut log = logs.group(0).unwrap();
    release.send(false).unwrap();
    log.blocking_append([entry(1, 0, 10)]).await.unwrap_err();
    entered.recv().unwrap();
    assert!(logs.fatal.wait().await.reason().contains("sync the column log"));
    log.save_vote(&vote(2)).await.unwrap_err();
    log.blocking_append([entry(1, 1, 10)]).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_a_loss_of_power() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Arc::new(MemoryEngine::new());
    let logs = Logs::open(engine.clone(), directory.path());
    let mut log = logs.group(3).unwrap();
    log.save_vote(&vote(4)).await.unwrap();
    log.blocking_append((0..10).map(|index| entry(4, index, 100))).await.unwrap();
    log.truncate_after(Some(id(4, 6))).await.unwrap();
    log.purge(id(4, 2)).await.unwrap();
    log.blocking_append([entry(5, 7, 100)]).await.unwrap();
    engine.crash(Crash::Power);

    let logs = Logs::open(engine, directory.path());
    let mut log = logs.group(3).unwrap();
    assert_eq!(log.read_vote().await.unwrap(), Some(vote(4)));
    assert_eq!(indexes(&mut log).await, [3, 4, 5, 6, 7]);
    let state = log.get_log_state().await.unwrap();
    assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(id(4, 2)), Some(id(5, 7))));
}

/// A log that comes back shorter than it was on disk, or with an older vote, is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_went_back_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let logs = Logs::open(Arc::new(MemoryEngine::new()), directory.path());
    let mut voted = logs.group(1).unwrap();
    voted.save_vote(&vote(4)).await.unwrap();
    let mut written = logs.group(2).unwrap();
    written.blocking_append([entry(1, 0, 10), entry(1, 1, 10)]).await.unwrap();
    logs.stop();

    // Another engine: everything is lost. The marks are not.
    let logs = Logs::open(Arc::new(MemoryEngine::new()), directory.path());
    let error = |group| logs.group(group).err().unwrap().to_string();
    assert!(error(1).contains("the log of group 1 went back: the vote"), "{}", error(1));
    assert!(error(2).contains("the log of group 2 went back: the last entry"), "{}", error(2));
    logs.group(3).unwrap();
}

/// A truncation lowers the mark before it happens: an honest log is never accused.
#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_log_has_not_gone_back() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Arc::new(MemoryEngine::new());
    let logs = Logs::open(engine.clone(), directory.path());
    let mut log = logs.group(1).unwrap();
    log.blocking_append((0..10).map(|index| entry(1, index, 10))).await.unwrap();
    log.truncate_after(Some(id(1, 4))).await.unwrap();
    engine.crash(Crash::Power);

    let logs = Logs::open(engine.clone(), directory.path());
    let mut log = logs.group(1).unwrap();
    assert_eq!(indexes(&mut log).await, [0, 1, 2, 3, 4]);
    log.truncate_after(None).await.unwrap();
    engine.crash(Crash::Power);
    let logs = Logs::open(engine, directory.path());
    assert!(indexes(&mut logs.group(1).unwrap()).await.is_empty());
}

#[test]
fn damaged_marks_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("marks");
    Marks::create(&path).unwrap();
    let mut marks = open_marks(&path).unwrap();
    marks.note(GroupId(2), Some(vote(3)), Some(id(3, 9))).unwrap();
    let found = open_marks(&path).unwrap().all()[&GroupId(2)];
    assert_eq!((found.vote, found.last), (Some(vote(3)), Some(id(3, 9))));

    let whole = std::fs::read(&path).unwrap();
    for at in [0, 3 * 64 + 1, 3 * 64 + 30, 3 * 64 + 63] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(open_marks(&path).is_err(), "byte {at}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(open_marks(&path), Err(LogError::Marks { .. })));
    Marks::create(&path).unwrap();
    assert!(Marks::create(&path).is_err(), "marks are never forgotten by creating them anew");
}

/// Entries that have left the tail are read from disk, without a hole where the two meet, and no read
/// takes more than its share.
#[tokio::test(flavor = "multi_thread")]
async fn disk_and_tail_join_without_a_hole() {
    let directory = tempfile::tempdir().unwrap();
    let logs = Logs::open(Arc::new(MemoryEngine::new()), directory.path());
    let mut log = logs.group(1).unwrap();
    // Twice what the tail holds.
    let count = 2 * super::TAIL_BYTES as u64 / (64 << 10);
    for index in 0..count {
        log.blocking_append([entry(1, index, 64 << 10)]).await.unwrap();
    }
    assert!(log.shared.tail().first_index() > 0, "nothing left the tail");
    assert_eq!(indexes(&mut log).await, (0..count).collect::<Vec<_>>());
    let run = log.limited_get_log_entries(0, count).await.unwrap();
    assert_eq!(run.len(), super::RUN_BYTES / (64 << 10) - 1, "a run is bounded in bytes");
    assert_eq!(run[0], entry(1, 0, 64 << 10));
}

const CHILD: &str = "HOLDFAST_TEST_LOG_DIRECTORY";

/// Run by the test below in a process of its own: appends until it is killed, and says what was
/// acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn appends_until_killed() {
    let Ok(directory) = std::env::var(CHILD) else { return };
    let directory = Path::new(&directory);
    let engine = RocksEngine::open(&directory.join("db"), Memory::default()).unwrap();
    let logs = Logs::open(Arc::new(engine), directory);
    let mut log = logs.group(1).unwrap();
    let mut next = log.get_log_state().await.unwrap().last_log_id.map_or(0, |id| id.index + 1);
    loop {
        log.blocking_append([entry(1, next, 100)]).await.unwrap();
        writeln!(std::io::stdout(), "\nacknowledged {next}").unwrap();
        next += 1;
    }
}

/// SIGKILL at any moment: whatever was acknowledged is there, and the log is not taken for one that
/// went back.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_finds_what_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    for round in 1..=3_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "log::tests::appends_until_killed", "--nocapture"])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let Ok(line) = line else { break };
            if let Some(index) = line.strip_prefix("acknowledged ") {
                acknowledged = Some(index.parse::<u64>().unwrap());
            }
            if acknowledged.is_some_and(|index| index >= 40 * round) {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let acknowledged = acknowledged.unwrap();
        let engine = RocksEngine::open(&directory.path().join("db"), Memory::default()).unwrap();
        let logs = Logs::open(Arc::new(engine), directory.path());
        let mut log = logs.group(1).unwrap();
        let found = indexes(&mut log).await;
        assert!(found.len() as u64 > acknowledged, "{} of {acknowledged}", found.len());
        assert_eq!(found, (0..found.len() as u64).collect::<Vec<_>>());
        logs.stop();
    }
}

/// A number on disk that nothing can be counted on from is damage, found when the log is opened: the node
/// is repaired, and does not come back to it at every start.
#[test]
fn numbers_that_end_everything_are_damage() {
    let (end, last) = (crate::bounds::END, crate::bounds::END - 1);
    let opened = |key: Vec<u8>, value: Vec<u8>| {
        let engine = MemoryEngine::new();
        let mut batch = Batch::new();
        batch.put(Column::Log, &key, &value);
        engine.write(batch, Durability::Synced).unwrap();
        let engine: Arc<dyn Engine> = Arc::new(engine);
        recover(&engine, GroupId(2), Mark::default())
    };
    let entry_at = |term, index| {
        let entry = Entry { log_id: id(term, index), payload: EntryPayload::Blank };
        opened(keys::entry(GroupId(2), index), super::entry::encode_entry(&entry))
    };
    let purged_at = |term, index| {
        opened(keys::purged(GroupId(2)), super::entry::encode_position(&id(term, index)))
    };
    let voted_in = |term| opened(keys::vote(GroupId(2)), super::entry::encode_vote(&vote(term)));
    for sound in [entry_at(last, last), purged_at(last, last), voted_in(last)] {
        sound.unwrap();
    }
    for number in [end, u64::MAX] {
        for damaged in [
            entry_at(1, number),
            entry_at(number, 1),
            purged_at(1, number),
            purged_at(number, 1),
            voted_in(number),
        ] {
            let error = damaged.err().unwrap();
            assert!(error.is_damage(), "{error}");
        }
    }
}

/// A mark that nothing can reach would accuse every log.
#[test]
fn marks_that_end_everything_are_damage() {
    let marked = |term, index| Mark { vote: Some(vote(term)), last: Some(id(1, index)) };
    let last = crate::bounds::END - 1;
    for (term, index, sound) in [(last, last, true), (last + 1, 1, false), (1, u64::MAX, false)] {
        let slot = marks::encode(GroupId(2), &marked(term, index));
        assert_eq!(marks::decode(&slot).is_some(), sound, "{term} {index}");
    }
}

/// Nothing is allocated for a file that is longer than the marks of all groups that there can be.
#[test]
fn a_file_of_marks_has_a_length() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("marks");
    Marks::create(&path).unwrap();
    Marks::reserve(&path, 2 + 4096).unwrap();
    open_marks(&path).unwrap();
    assert!(Marks::reserve(&path, 3 + 4096).is_err());
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() + 1).unwrap();
    let error = open_marks(&path).err().unwrap();
    assert!(error.is_damage(), "{error}");
}
