//! The one thread that writes every group's log.
//!
//! It takes whatever has queued up, writes it as one batch, syncs once and then answers everybody
//! in the batch, so that the cost of a sync is shared by all groups. Votes, appends, truncations
//! and purges of a group reach the disk in the order in which they were queued.
//!
//! A write or sync that fails ends it: nobody in that batch or behind it gets an acknowledgement,
//! and the node is told to stop. What a disk has refused once it may have lost.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use openraft::storage::IOFlushed;
use store::{Batch, Column, Durability, Engine};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use types::GroupId;

use crate::error::chain;
use crate::evidence;
use crate::fatal::FatalSignal;
use crate::log::marks::Marks;
use crate::log::{Shared, entry, keys};
use crate::metrics::LogMetrics;
use crate::types::{LogId, TypeConfig, Vote};

#[cfg(test)]
mod paced;

/// Bytes that may wait for the disk before appends have to wait too.
const QUEUE_BYTES: usize = 64 << 20;
/// A batch is closed once it holds this much, so that one sync never takes forever.
const BATCH_BYTES: usize = 8 << 20;
/// One permit of the queue's budget, in bytes.
const PERMIT_BYTES: usize = 1024;

/// Something to be written, in the order of the queue.
pub(crate) enum Job {
    Append(Append),
    Vote {
        group: GroupId,
        vote: Vote,
        done: oneshot::Sender<io::Result<()>>,
    },
    Truncate {
        group: GroupId,
        after: Option<LogId>,
        done: oneshot::Sender<io::Result<()>>,
    },
    /// Forgets entries up to a position. Nobody waits for it: entries that come back are harmless.
    Purge {
        group: GroupId,
        upto: LogId,
    },
    /// Ends the thread after everything before it.
    Stop,
}

/// Entries of one group that follow each other.
pub(crate) struct Append {
    pub(crate) shared: Arc<Shared>,
    pub(crate) values: Vec<(u64, Vec<u8>)>,
    pub(crate) bytes: usize,
    pub(crate) last: LogId,
    pub(crate) epoch: u64,
    pub(crate) flushed: IOFlushed<TypeConfig>,
    pub(crate) permit: OwnedSemaphorePermit,
    /// They end when the entries are on disk.
    pub(crate) spans: Vec<tracing::Span>,
}

/// The way into the queue.
#[derive(Clone)]
pub(crate) struct LogQueue {
    jobs: mpsc::UnboundedSender<Job>,
    budget: Arc<Semaphore>,
}

impl LogQueue {
    /// A queue, and the writer that empties it once it runs.
    pub(crate) fn new(
        engine: Arc<dyn Engine>,
        marks: Marks,
        metrics: LogMetrics,
        fatal: FatalSignal,
    ) -> (Self, Writer) {
        let (jobs, queue) = mpsc::unbounded_channel();
        let budget = Arc::new(Semaphore::new(QUEUE_BYTES / PERMIT_BYTES));
        (LogQueue { jobs, budget }, Writer { queue, engine, marks, metrics, fatal })
    }

    /// A queue that takes nothing.
    pub(crate) fn stopped() -> Self {
        let (jobs, _) = mpsc::unbounded_channel();
        LogQueue { jobs, budget: Arc::new(Semaphore::new(0)) }
    }

    /// Waits until `bytes` more may be queued.
    pub(crate) async fn permit(&self, bytes: usize) -> io::Result<OwnedSemaphorePermit> {
        let permits = bytes.div_ceil(PERMIT_BYTES).clamp(1, QUEUE_BYTES / PERMIT_BYTES) as u32;
        self.budget.clone().acquire_many_owned(permits).await.map_err(|_| stopped())
    }

    pub(crate) fn push(&self, job: Job) -> io::Result<()> {
        self.jobs.send(job).map_err(|_| stopped())
    }

    /// Queues what `job` makes of a sender and waits until it is on disk.
    pub(crate) async fn push_and_wait(
        &self,
        job: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Job,
    ) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.push(job(done))?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the log writer has stopped")
}

/// Writes what the queue holds. One batch after the other, each in two steps: what is written
/// ([`Writer::write`]) is not on disk before it is synced, and not acknowledged before that
/// ([`Writer::sync`]).
pub(crate) struct Writer {
    queue: mpsc::UnboundedReceiver<Job>,
    engine: Arc<dyn Engine>,
    marks: Marks,
    metrics: LogMetrics,
    fatal: FatalSignal,
}

/// What one batch will have done once it is on disk.
#[derive(Default)]
pub(crate) struct Effects {
    appends: Vec<Append>,
    answers: Vec<oneshot::Sender<io::Result<()>>>,
    truncations: BTreeMap<GroupId, Option<LogId>>,
    marks: BTreeMap<GroupId, (Option<Vote>, Option<LogId>)>,
    entries: usize,
    bytes: usize,
    needs_sync: bool,
    stop: bool,
}

impl Writer {
    /// Starts the thread that writes. It ends with [`Job::Stop`], or with a failure.
    pub(crate) fn start(self) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || self.run())
    }

    fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            let Some(effects) = self.write(first) else { return };
            if !self.sync(effects) {
                return;
            }
        }
    }

    /// Writes `first` and what has queued up behind it. None when that failed: the writer has ended.
    fn write(&mut self, first: Job) -> Option<Effects> {
        let mut batch = Batch::new();
        let mut effects = Effects::default();
        effects.take(first, &mut batch);
        while effects.bytes < BATCH_BYTES && !effects.stop {
            let Ok(job) = self.queue.try_recv() else { break };
            effects.take(job, &mut batch);
        }
        match self.put(batch, &effects) {
            Ok(()) => Some(effects),
            Err(error) => {
                self.fail(effects, &error);
                None
            }
        }
    }

    /// Syncs what was written and answers everybody in it. False when the writer has ended.
    fn sync(&mut self, effects: Effects) -> bool {
        let (stop, synced) = (effects.stop, self.make_durable(&effects));
        match synced {
            Ok(()) => effects.complete(),
            Err(error) => {
                self.fail(effects, &error);
                return false;
            }
        }
        !stop
    }

    fn put(&mut self, batch: Batch, effects: &Effects) -> io::Result<()> {
        if !effects.truncations.is_empty() {
            self.marks.lower(&effects.truncations)?;
        }
        self.engine.write(batch, Durability::Buffered).map_err(io::Error::other)?;
        for append in &effects.appends {
            append.shared.tail().written(append.epoch, append.last.index + 1);
        }
        if effects.needs_sync {
            self.metrics.times.begin();
        }
        Ok(())
    }

    fn make_durable(&mut self, effects: &Effects) -> io::Result<()> {
        if !effects.needs_sync {
            return Ok(());
        }
        self.engine.sync().map_err(io::Error::other)?;
        self.metrics.synced(effects.entries, effects.bytes);
        for (group, (vote, last)) in &effects.marks {
            self.marks.note(*group, *vote, *last)?;
            if let Some(last) = last {
                evidence::synced(*group, last);
            }
        }
        if effects.stop {
            self.marks.sync()?;
        }
        Ok(())
    }

    fn fail(&self, effects: Effects, error: &io::Error) {
        self.fatal.raise(format!("write the log: {}", chain(error)));
        effects.fail(error);
    }
}

impl Effects {
    fn take(&mut self, job: Job, batch: &mut Batch) {
        match job {
            Job::Append(append) => {
                let group = append.shared.group;
                for (index, value) in &append.values {
                    batch.put(Column::Log, &keys::entry(group, *index), value);
                }
                self.entries += append.values.len();
                self.bytes += append.bytes;
                self.marks.entry(group).or_default().1 = Some(append.last);
                self.appends.push(append);
                self.needs_sync = true;
            }
            Job::Vote { group, vote, done } => {
                batch.put(Column::Log, &keys::vote(group), &entry::encode_vote(&vote));
                self.marks.entry(group).or_default().0 = Some(vote);
                self.answers.push(done);
                self.needs_sync = true;
            }
            Job::Truncate { group, after, done } => {
                let from = after.map_or(0, |after| after.index + 1);
                batch.delete_range(
                    Column::Log,
                    &keys::entry(group, from),
                    &keys::entries_end(group),
                );
                let lowest = self.truncations.entry(group).or_insert(after);
                *lowest = (*lowest).min(after);
                self.marks.entry(group).or_default().1 = after;
                self.answers.push(done);
                self.needs_sync = true;
            }
            Job::Purge { group, upto } => {
                batch.delete_range(
                    Column::Log,
                    &keys::entry(group, 0),
                    &keys::entry(group, upto.index + 1),
                );
                batch.put(Column::Log, &keys::purged(group), &entry::encode_position(&upto));
            }
            Job::Stop => {
                self.stop = true;
                self.needs_sync = true;
            }
        }
    }

    fn complete(self) {
        for append in self.appends {
            drop(append.spans);
            append.flushed.io_completed(Ok(()));
            drop(append.permit);
        }
        for answer in self.answers {
            // Whoever asked may have been dropped with its group.
            let _ = answer.send(Ok(()));
        }
    }

    fn fail(self, error: &io::Error) {
        let same = || io::Error::new(error.kind(), error.to_string());
        for append in self.appends {
            append.flushed.io_completed(Err(same()));
        }
        for answer in self.answers {
            let _ = answer.send(Err(same()));
        }
    }
}
