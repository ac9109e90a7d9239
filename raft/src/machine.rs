//! The adapter between openraft's state machine and the store's.
//!
//! Entries are applied in runs of bounded size, one batch each, on threads that may block: a stall
//! of the disk must not hold up heartbeats. A fault ends the node: an entry that one replica cannot
//! apply must neither be skipped nor tried again.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend};
use store::engine::DiskError;
use store::{Column, Engine, Fault, Machine, SnapshotError};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Span;
use types::GroupId;

use crate::bounds;
use crate::evidence;
use crate::fatal::{End, FatalSignal};
use crate::host::offload;
use crate::log::{RUN_BYTES, entry};
use crate::metrics::GroupMetrics;
use crate::snapshot::{MetaOnly, SnapshotData};
use crate::trace::Trace;
use crate::types::{
    Entry, LogId, Membership, Snapshot, SnapshotMeta, StoredMembership, TypeConfig, lawful_log_id,
    log_id, position,
};
use crate::upkeep::digests::Checkpoints;

/// How long a snapshot that is due may be put off while the state is being sent: the log grows
/// meanwhile, and must not grow without end for a line that is too slow.
const PUT_OFF: Duration = Duration::from_secs(3600);

/// One group's state on this node: the machine, and how far it has come.
pub(crate) struct Cell {
    group: GroupId,
    engine: Arc<dyn Engine>,
    machine: Mutex<Machine>,
    applied: watch::Sender<Option<store::Position>>,
    /// Shared with every view that is on its way to another replica.
    sending: Arc<()>,
    /// The digests that this replica had, to be compared with those of the others.
    checkpoints: Mutex<Checkpoints>,
    metrics: GroupMetrics,
    fatal: FatalSignal,
}

impl Cell {
    /// Opens a group's state.
    ///
    /// # Errors
    /// [`Fault`] if what is on disk cannot be read.
    pub(crate) fn open(
        engine: Arc<dyn Engine>,
        group: GroupId,
        metrics: GroupMetrics,
        fatal: FatalSignal,
    ) -> Result<Arc<Self>, Fault> {
        let machine = Machine::open(engine.clone(), group)?;
        check_places(machine.applied())?;
        let applied = watch::Sender::new(machine.applied().position);
        let machine = Mutex::new(machine);
        let sending = Arc::default();
        let checkpoints = Mutex::default();
        Ok(Arc::new(Cell { group, engine, machine, applied, sending, checkpoints, metrics, fatal }))
    }

    /// The machine. A panic inside it stops its group: openraft's worker dies with it.
    pub(crate) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position the state stands at, and its changes.
    pub(crate) fn applied(&self) -> watch::Receiver<Option<store::Position>> {
        self.applied.subscribe()
    }

    /// Runs something that may block with the machine, off the async threads.
    pub(crate) async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Machine) -> Result<T, Fault> + Send + 'static,
    ) -> io::Result<T> {
        let cell = self.clone();
        let done = offload(self.engine.blocks(), move || {
            let result = work(&mut cell.machine());
            result.map_err(|fault| cell.stop(&fault))
        });
        done.await?
    }

    /// Runs an install off the async threads. A refused snapshot is an error, but no fault.
    pub(crate) async fn install(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Machine) -> Result<(), SnapshotError> + Send + 'static,
    ) -> io::Result<()> {
        let cell = self.clone();
        let done = offload(self.engine.blocks(), move || {
            work(&mut cell.machine()).map_err(|error| match error {
                SnapshotError::Fault(fault) => cell.stop(&fault),
                refused @ SnapshotError::Refused(_) => {
                    io::Error::other(crate::error::chain(&refused))
                }
            })
        });
        done.await?
    }

    /// Makes everything applied so far durable.
    pub(crate) async fn flush(self: &Arc<Self>) -> io::Result<()> {
        let cell = self.clone();
        let done = offload(self.engine.blocks(), move || {
            cell.engine.flush(Column::State).map_err(|fault| cell.stop(&fault))
        });
        done.await?
    }

    /// Whoever holds this is sending the state to another replica.
    pub(crate) fn begin_sending(&self) -> Arc<()> {
        self.sending.clone()
    }

    fn is_sending(&self) -> bool {
        Arc::strong_count(&self.sending) > 1
    }

    /// The digests that this replica had.
    pub(crate) fn checkpoints(&self) -> Checkpoints {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What this group's numbers go to.
    pub(crate) fn metrics(&self) -> &GroupMetrics {
        &self.metrics
    }

    /// Ends the node over a fault of this group.
    pub(crate) fn stop(&self, fault: &Fault) -> io::Error {
        let reason = format!("state of group {}: {}", self.group, crate::error::chain(fault));
        self.fatal.end(match fault.damage() {
            Some(damage) => End::Damaged(damage, reason.clone()),
            None => End::Failed(reason.clone()),
        });
        io::Error::other(reason)
    }
}

/// openraft's handle on one group's state.
pub(crate) struct StateMachine {
    cell: Arc<Cell>,
    /// After how many entries a digest is kept.
    digest_entries: u64,
    /// Since when a snapshot is due that has been put off.
    put_off: Option<Instant>,
}

/// One run of entries on its way into the machine.
#[derive(Default)]
struct Run {
    entries: Vec<store::Entry>,
    answers: Vec<Option<openraft::storage::ApplyResponder<TypeConfig>>>,
    /// Where those entries stand in traces that anybody follows.
    traces: Vec<Trace>,
    bytes: usize,
}

impl Run {
    fn push(&mut self, (entry, answer): EntryResponder<TypeConfig>) {
        self.bytes += entry::weight(&entry);
        if let EntryPayload::Normal(command) = &entry.payload {
            self.traces.extend(command.trace.followed());
        }
        self.entries.push(to_store(entry));
        self.answers.push(answer);
    }
}

impl StateMachine {
    pub(crate) fn new(cell: Arc<Cell>, digest_entries: u64) -> Self {
        StateMachine { cell, digest_entries, put_off: None }
    }

    /// Whether a run ends with this entry, so that its digest is that of the entry.
    fn is_checkpoint(&self, index: u64) -> bool {
        index > 0 && index.is_multiple_of(self.digest_entries)
    }

    async fn apply_run(&self, run: Run) -> io::Result<()> {
        let Some(last) = run.entries.last().map(|entry| entry.position) else { return Ok(()) };
        let entries = run.entries;
        let asked = entries.iter().zip(&run.answers).rev().find(|(_, answer)| answer.is_some());
        let asked = asked.map(|(entry, _)| entry.position);
        let spans: Vec<Span> =
            run.traces.iter().filter_map(|trace| trace.apply(self.cell.group)).collect();
        let applied =
            self.cell.with(move |machine| Ok((machine.apply(&entries)?, machine.digest()))).await;
        let (replies, digest) = applied?;
        drop(spans);
        if self.is_checkpoint(last.index) {
            let mut kept = self.cell.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
            kept.keep(last, digest);
        }
        if let Some(asked) = asked {
            evidence::answered(self.cell.group, asked);
        }
        for (answer, reply) in run.answers.into_iter().zip(replies) {
            if let Some(answer) = answer {
                answer.send(reply);
            }
        }
        self.cell.applied.send_replace(Some(last));
        Ok(())
    }

    /// What openraft calls the snapshot's meta: the place and membership that the state stands at.
    fn meta(&self) -> io::Result<SnapshotMeta> {
        meta(self.cell.machine().applied())
    }
}

fn to_store(entry: Entry) -> store::Entry {
    let payload = match &entry.payload {
        EntryPayload::Blank => store::Payload::Blank,
        EntryPayload::Normal(command) => store::Payload::Command(command.bytes.to_vec()),
        EntryPayload::Membership(membership) => {
            store::Payload::Membership(entry::encode_membership(membership).to_vec())
        }
    };
    store::Entry { position: position(&entry.log_id), payload }
}

/// Refuses a state that says to stand where nothing can: openraft would count on from there.
fn check_places(applied: store::Applied) -> Result<(), Fault> {
    let places = [applied.position, applied.membership.map(|(at, _)| at)];
    if places.iter().flatten().all(|at| lawful_log_id(at).is_some()) {
        return Ok(());
    }
    let source = DiskError::damage(bounds::BEYOND);
    Err(Fault::Disk { action: "decode the place of the state in", column: Column::State, source })
}

/// What openraft calls the meta of a snapshot that stands where `applied` says.
pub(crate) fn meta(applied: store::Applied) -> io::Result<SnapshotMeta> {
    let (last_log_id, last_membership) = state(applied)?;
    Ok(SnapshotMeta { last_log_id, last_membership })
}

fn state(applied: store::Applied) -> io::Result<(Option<LogId>, StoredMembership)> {
    let membership = match applied.membership {
        None => StoredMembership::default(),
        Some((at, bytes)) => {
            let membership: Membership =
                entry::decode_membership(Bytes::from(bytes)).map_err(io::Error::other)?;
            StoredMembership::new(Some(log_id(&at)), membership)
        }
    };
    Ok((applied.position.as_ref().map(log_id), membership))
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = MetaOnly;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        state(self.cell.machine().applied())
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut run = Run::default();
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            let index = entry.0.log_id.index;
            run.push(entry);
            if run.bytes >= RUN_BYTES || self.is_checkpoint(index) {
                self.apply_run(std::mem::take(&mut run)).await?;
            }
        }
        self.apply_run(run).await
    }

    /// Not while the state is being sent: building one lets the log be purged, and the replica that
    /// has just been sent the state would find the entries behind it gone, and need it sent again.
    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<MetaOnly> {
        let may_wait = !force && self.cell.is_sending();
        if may_wait && self.put_off.get_or_insert_with(Instant::now).elapsed() < PUT_OFF {
            return None;
        }
        self.put_off = None;
        Some(MetaOnly { cell: self.cell.clone(), meta: self.meta() })
    }

    async fn get_snapshot_builder(&mut self) -> MetaOnly {
        MetaOnly { cell: self.cell.clone(), meta: self.meta() }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        data: SnapshotData,
    ) -> Result<(), io::Error> {
        data.install(&self.cell).await?;
        let (applied, _) = state(self.cell.machine().applied())?;
        if applied != meta.last_log_id {
            let reason = format!(
                "snapshot of group {}: it ends elsewhere than its sender said",
                self.cell.group
            );
            self.cell.fatal.raise(reason.clone());
            return Err(io::Error::other(reason));
        }
        self.cell.applied.send_replace(applied.as_ref().map(position));
        self.cell.metrics.installed();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let meta = self.meta()?;
        if meta.last_log_id.is_none() {
            return Ok(None);
        }
        let snapshot = SnapshotData::pin(&self.cell).await?;
        Ok(Some(Snapshot { meta, snapshot }))
    }
}

#[cfg(test)]
mod tests;
