//! The adapter between openraft's snapshots and the store's.
//!
//! A snapshot is not a file. Building one flushes the state and says how far it is now durable, so
//! that the log may be purged up to there and no further. What a lagging follower gets is a pinned
//! view of the state at that moment, streamed frame by frame; on its side the frames go into a new
//! incarnation of the group's keys, which takes the old one's place once all of it is verified and
//! flushed. Killed at any step, the follower has the old state or the new one.

use std::io;
use std::sync::Arc;

use openraft::storage::RaftSnapshotBuilder;
use store::{SnapshotSink, SnapshotSource};

use crate::machine::Cell;
use crate::types::{Snapshot, SnapshotMeta, TypeConfig};

/// The contents of a snapshot, on either side of a transfer.
pub(crate) enum SnapshotData {
    /// A pinned view of the state, to be read frame by frame. It holds back compaction while it lives,
    /// and the purging of the log.
    Source(Box<SnapshotSource>, Arc<()>),
    /// All frames of a received snapshot, not yet in force.
    Received(Box<SnapshotSink>),
    /// Nothing: what is built is only the word that the state is durable up to its meta.
    Built,
}

impl SnapshotData {
    /// Pins the present state.
    pub(crate) async fn pin(cell: &Arc<Cell>) -> io::Result<Self> {
        let source = cell.with(|machine| machine.snapshot()).await?;
        Ok(SnapshotData::Source(Box::new(source), cell.begin_sending()))
    }

    /// Makes this the group's state.
    pub(crate) async fn install(self, cell: &Arc<Cell>) -> io::Result<()> {
        let source = match self {
            SnapshotData::Received(sink) => {
                return cell.install(move |machine| machine.finish_install(*sink).map(drop)).await;
            }
            SnapshotData::Source(source, _) => source,
            SnapshotData::Built => {
                return Err(io::Error::other("install a snapshot that has no frames"));
            }
        };
        cell.install(move |machine| {
            let mut source = source;
            let mut sink = machine.begin_install();
            while let Some(frame) = source.next_frame()? {
                sink.frame(&frame)?;
            }
            machine.finish_install(sink).map(drop)
        })
        .await
    }
}

/// Builds what openraft calls a snapshot: the word that everything up to a place is durable.
pub(crate) struct MetaOnly {
    pub(crate) cell: Arc<Cell>,
    /// Taken between two runs, so exact.
    pub(crate) meta: io::Result<SnapshotMeta>,
}

impl RaftSnapshotBuilder<TypeConfig> for MetaOnly {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let meta = std::mem::replace(&mut self.meta, Ok(SnapshotMeta::default()))?;
        self.cell.flush().await?;
        self.cell.metrics().built();
        Ok(Snapshot { meta, snapshot: SnapshotData::Built })
    }
}
