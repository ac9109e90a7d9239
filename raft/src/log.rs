//! The Raft logs of all groups of this node.
//!
//! Promises: an entry or vote is reported as stored only after it is on disk; votes, entries,
//! truncations and purges of a group reach the disk in the order they were given; there is never a
//! hole. A log that starts with less than it once had on disk is refused.
//!
//! Entries stand in a [`tail::Tail`] in memory from the moment they are appended; the
//! [`writer`] thread brings what all groups have queued to disk, one sync for all. Reads are served
//! from the tail and, for a follower far behind, from the engine, off the async threads.
//!
//! Not here: compaction (the engine does it) and the state that entries produce (see `machine`).

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, ControlFlow, RangeBounds};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::Stream;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::{EntryPayload, OptionalSend};
use store::engine::Direction;
use store::{Column, Engine};
use types::GroupId;

use crate::fatal::FatalSignal;
use crate::log::marks::{Mark, Marks};
use crate::log::tail::Tail;
use crate::log::writer::{Append, Job, LogQueue};
use crate::types::{Entry, LogId, TypeConfig, Vote};
use crate::wire::DecodeError;

pub(crate) mod entry;
pub(crate) mod keys;
pub(crate) mod marks;
mod read;
mod tail;
pub(crate) mod writer;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

/// Bytes of entries kept in memory per group: the lag that is served without reading the disk.
const TAIL_BYTES: usize = 8 << 20;
/// Bytes of entries in one message to a peer, and in one run that is applied.
pub(crate) const RUN_BYTES: usize = 1 << 20;

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log holds less than it is known to have had on disk.
    #[error(
        "the log of group {group} went back: {what} on disk is older than what this node has acknowledged"
    )]
    WentBack {
        /// The group.
        group: GroupId,
        /// Which part went back.
        what: &'static str,
    },
    /// The file that says how far the logs were on disk is missing or damaged.
    #[error("read {path}; without it nobody knows whether this node's log went back")]
    Marks {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A value in the log cannot be read.
    #[error("read the log of group {group}")]
    Read {
        /// The group.
        group: GroupId,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
}

impl LogError {
    /// Whether what is on disk is not what was written, rather than refused by the system.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            LogError::WentBack { .. } => true,
            LogError::Read { source, .. } => {
                let inner = source.get_ref();
                let fault = inner.and_then(|inner| inner.downcast_ref::<store::Fault>());
                let decoding = inner.and_then(|inner| inner.downcast_ref::<DecodeError>());
                fault.is_some_and(|fault| fault.damage().is_some())
                    || decoding.is_some_and(|error| !error.is_of_a_newer_version())
            }
            LogError::Marks { source, .. } => {
                matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::NotFound)
            }
        }
    }
}

/// One group's log, as openraft uses it. Clones share everything.
#[derive(Clone)]
pub(crate) struct GroupLog {
    shared: Arc<Shared>,
    queue: LogQueue,
    fatal: FatalSignal,
}

/// What the writer and all readers of one group's log share.
pub(crate) struct Shared {
    pub(crate) group: GroupId,
    engine: Arc<dyn Engine>,
    tail: Mutex<Tail>,
    vote: Mutex<Option<Vote>>,
}

impl Shared {
    /// The tail. A panic elsewhere cannot leave it half changed: every change is one call.
    pub(crate) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The highest term that was voted in.
    pub(crate) fn term(&self) -> u64 {
        self.vote().map_or(0, |vote| vote.leader_id.term)
    }

    fn vote(&self) -> MutexGuard<'_, Option<Vote>> {
        self.vote.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the marks beside the engine's directory.
pub(crate) fn open_marks(path: &Path) -> Result<Marks, LogError> {
    Marks::open(path).map_err(|source| LogError::Marks { path: path.display().to_string(), source })
}

/// What is on disk of one group, checked against its mark.
pub(crate) fn recover(
    engine: &Arc<dyn Engine>,
    group: GroupId,
    mark: Mark,
) -> Result<Arc<Shared>, LogError> {
    let read = |source| LogError::Read { group, source };
    let value = |key: Vec<u8>| engine.get(Column::Log, &key).map_err(io::Error::other);
    let vote = value(keys::vote(group)).map_err(read)?;
    let vote = vote.map(|value| entry::decode_vote(value.into())).transpose();
    let vote = vote.map_err(|error| read(io::Error::other(error)))?;
    let purged = value(keys::purged(group)).map_err(read)?;
    let purged = purged.map(|value| entry::decode_position(value.into())).transpose();
    let purged = purged.map_err(|error| read(io::Error::other(error)))?;
    let last = last_entry(engine.as_ref(), group).map_err(read)?.max(purged);
    if mark.vote.is_some() && vote < mark.vote {
        return Err(LogError::WentBack { group, what: "the vote" });
    }
    if last < mark.last {
        return Err(LogError::WentBack { group, what: "the last entry" });
    }
    Ok(Arc::new(Shared {
        group,
        engine: engine.clone(),
        tail: Mutex::new(Tail::new(last, purged, TAIL_BYTES)),
        vote: Mutex::new(vote),
    }))
}

fn last_entry(engine: &dyn Engine, group: GroupId) -> io::Result<Option<LogId>> {
    let mut found = None;
    let mut visit = |key: &[u8], value: &[u8]| {
        found = Some((keys::index(key), Bytes::copy_from_slice(value)));
        ControlFlow::Break(())
    };
    engine
        .scan(
            Column::Log,
            &keys::entry(group, 0),
            &keys::entries_end(group),
            Direction::Reverse,
            &mut visit,
        )
        .map_err(io::Error::other)?;
    let Some((index, value)) = found else { return Ok(None) };
    let index = index.ok_or_else(|| io::Error::other("decode log key: not an entry's"))?;
    Ok(Some(entry::decode_entry(index, value).map_err(io::Error::other)?.log_id))
}

impl GroupLog {
    pub(crate) fn new(shared: Arc<Shared>, queue: LogQueue, fatal: FatalSignal) -> Self {
        GroupLog { shared, queue, fatal }
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(index) => *index,
        Bound::Excluded(index) => index.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(index) => index.saturating_add(1),
        Bound::Excluded(index) => *index,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl RaftLogReader<TypeConfig> for GroupLog {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        self.read(start, end, usize::MAX).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(start, end, RUN_BYTES).await
    }

    /// In pieces: what a node has to apply after a restart may be more than fits into memory.
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        let pieces =
            futures::stream::try_unfold((self.clone(), start), move |(log, next)| async move {
                let entries = log.read(next, end, RUN_BYTES).await?;
                let Some(last) = entries.last() else { return Ok::<_, io::Error>(None) };
                let next = last.log_id.index + 1;
                Ok(Some((futures::stream::iter(entries.into_iter().map(Ok)), (log, next))))
            });
        futures::TryStreamExt::try_flatten(pieces)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(*self.shared.vote())
    }
}

impl RaftLogStorage<TypeConfig> for GroupLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let tail = self.shared.tail();
        Ok(LogState { last_purged_log_id: tail.purged(), last_log_id: tail.last() })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (group, vote) = (self.shared.group, *vote);
        self.queue.push_and_wait(|done| Job::Vote { group, vote, done }).await?;
        *self.shared.vote() = Some(vote);
        Ok(())
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let Some(last) = entries.last().map(|entry| entry.log_id) else {
            callback.io_completed(Ok(()));
            return Ok(());
        };
        let values: Vec<_> =
            entries.iter().map(|entry| (entry.log_id.index, entry::encode_entry(entry))).collect();
        let bytes = values.iter().map(|(_, value)| value.len()).sum();
        let group = self.shared.group;
        let spans = entries.iter().filter_map(|entry| match &entry.payload {
            EntryPayload::Normal(command) => command.trace.append(group),
            _ => None,
        });
        let spans = spans.collect();
        let permit = self.queue.permit(bytes).await?;
        let epoch = {
            let mut tail = self.shared.tail();
            for entry in entries {
                tail.push(entry);
            }
            tail.epoch()
        };
        let shared = self.shared.clone();
        self.queue.push(Job::Append(Append {
            shared,
            values,
            bytes,
            last,
            epoch,
            flushed: callback,
            permit,
            spans,
        }))
    }

    async fn truncate_after(&mut self, after: Option<LogId>) -> Result<(), io::Error> {
        let group = self.shared.group;
        {
            let mut tail = self.shared.tail();
            if after.is_some_and(|after| after.index + 1 >= tail.end_index()) {
                return Ok(());
            }
            tail.truncate_after(after);
        }
        self.queue.push_and_wait(|done| Job::Truncate { group, after, done }).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        let group = self.shared.group;
        self.shared.tail().purge(upto);
        self.queue.push(Job::Purge { group, upto })
    }
}
