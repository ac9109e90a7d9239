//! Getting the state of a group from a peer, for a replica that has lost its own and kept its log.
//!
//! The replica's group does not run meanwhile: its log is not applied to nothing. What comes is verified
//! as every snapshot is, and takes its place together with what that means for the log: entries that
//! follow the snapshot stay, a log that does not contain its end is replaced by it (Raft, figure 13).
//! Nothing that this node acknowledged is lost on the way: what the snapshot covers is durable here
//! before the log's word for it goes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::peer::FetchRequest;
use proto::peer::peer_client::PeerClient;
use store::{Batch, Column, Engine, Fault, Machine, SnapshotError, SnapshotSink};
use tokio::time::{sleep, timeout};
use types::{GroupId, NodeId};

use crate::bounds::{self, check_leap};
use crate::error::chain;
use crate::host::offload;
use crate::log::{entry, keys};
use crate::node::Inner;
use crate::peer::snapshot::STALL;
use crate::peer::{MESSAGE_BYTES, handshake};
use crate::types::{LogId, Vote, lawful_log_id};

/// Between two rounds of asking everybody.
const AGAIN: Duration = Duration::from_millis(500);

/// Why a peer's state was not taken.
enum Failure {
    /// Another one may do.
    Peer(String),
    /// This node cannot go on.
    Own(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Failure::Own(fault)
    }
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Fault(fault) => Failure::Own(fault),
            refused @ SnapshotError::Refused(_) => Failure::Peer(chain(&refused)),
        }
    }
}

/// Whether a group's state ends before its log begins, so that no log can bring it forward.
pub(crate) fn is_needed(engine: &dyn Engine, group: GroupId) -> Result<bool, Fault> {
    let applied = store::Reader::open(engine, group)?.position()?.map(|at| at.index);
    Ok(applied < purged(engine, group)?.map(|at| at.index))
}

/// Gets a group's state from whoever has it. Asks until somebody does.
///
/// # Errors
/// What this node's own disk refused.
pub(crate) async fn restore(node: &Arc<Inner>, group: GroupId) -> Result<(), Fault> {
    loop {
        let roster = node.roster.load_full();
        let others =
            roster.nodes().filter(|peer| peer.state.counts() && Some(peer.id) != node.id());
        for peer in others {
            match fetch(node, peer.id, group).await {
                Ok(()) => {
                    tracing::info!(%group, from = %peer.id, "the state is whole again");
                    return Ok(());
                }
                Err(Failure::Own(fault)) => return Err(fault),
                Err(Failure::Peer(reason)) => {
                    tracing::info!(%group, from = %peer.id, reason, "no state came");
                }
            }
        }
        sleep(AGAIN).await;
    }
}

async fn fetch(node: &Arc<Inner>, from: NodeId, group: GroupId) -> Result<(), Failure> {
    let other = |reason: String| Failure::Peer(reason);
    let info = node.node(from).ok_or_else(|| other("it is not in the registry".to_owned()))?;
    let hello =
        handshake::hello(&node.identity.load(), &info).map_err(|error| other(error.to_string()))?;
    let peer = node.peers.get(from).ok_or_else(|| other("it is not in the registry".to_owned()))?;
    let mut client =
        PeerClient::new(peer.snapshot.clone()).max_decoding_message_size(MESSAGE_BYTES);
    let asked = client.fetch(FetchRequest { hello: Some(hello), group: group.0 });
    let frames = timeout(STALL, asked).await.map_err(|_| other("no answer".to_owned()))?;
    let mut frames = frames.map_err(|status| other(status.message().to_owned()))?.into_inner();

    let engine = node.engine.clone();
    let blocks = engine.blocks();
    let (machine, mut sink) = off(blocks, move || {
        let machine = Machine::open(engine, group)?;
        let sink = machine.begin_install();
        Ok::<_, Fault>((machine, Box::new(sink)))
    })
    .await?;
    loop {
        let frame = timeout(STALL, frames.message()).await;
        let frame = frame.map_err(|_| other("it stopped sending".to_owned()))?;
        let Some(frame) = frame.map_err(|status| other(status.message().to_owned()))? else {
            break;
        };
        sink = off(blocks, move || {
            sink.frame(&frame.data)?;
            Ok::<_, SnapshotError>(sink)
        })
        .await?;
        node.peer_metrics().snapshot_received();
    }
    let engine = node.engine.clone();
    off(blocks, move || put(engine.as_ref(), machine, sink)).await
}

async fn off<T: Send + 'static, E: Into<Failure> + Send + 'static>(
    blocks: bool,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Failure> {
    let done = offload(blocks, work).await;
    done.map_err(|error| Failure::Peer(error.to_string()))?.map_err(Into::into)
}

fn put(engine: &dyn Engine, mut machine: Machine, sink: Box<SnapshotSink>) -> Result<(), Failure> {
    let group = machine.group();
    let (end, purged) =
        (sink.verify().map_err(SnapshotError::from)?.position, purged(engine, group)?);
    let end = end.map(|end| lawful_log_id(&end).ok_or(Failure::Peer(bounds::BEYOND.to_owned())));
    let Some(end) = end.transpose()?.filter(|end| Some(end.index) >= purged.map(|at| at.index))
    else {
        return Err(SnapshotError::from(store::snapshot::SnapshotRefused::Older).into());
    };
    if let Some(vote) = vote(engine, group)? {
        check_leap(vote.leader_id.term, end.leader_id.term)
            .map_err(|leap| Failure::Peer(leap.to_string()))?;
    }
    let mut beside = Batch::new();
    if purged != Some(end) && entry_at(engine, group, end.index)? != Some(end) {
        let (from, to) = (keys::entry(group, 0), keys::entries_end(group));
        beside.delete_range(Column::Log, &from, &to);
        beside.put(Column::Log, &keys::purged(group), &entry::encode_position(&end));
    }
    Ok(machine.finish_install_with(*sink, beside).map(drop)?)
}

fn vote(engine: &dyn Engine, group: GroupId) -> Result<Option<Vote>, Fault> {
    let value = engine.get(Column::Log, &keys::vote(group))?;
    let decoded = value.map(|value| entry::decode_vote(Bytes::from(value))).transpose();
    decoded.map_err(|error| unreadable(&error))
}

fn purged(engine: &dyn Engine, group: GroupId) -> Result<Option<LogId>, Fault> {
    let value = engine.get(Column::Log, &keys::purged(group))?;
    let decoded = value.map(|value| entry::decode_position(Bytes::from(value))).transpose();
    decoded.map_err(|error| unreadable(&error))
}

fn entry_at(engine: &dyn Engine, group: GroupId, index: u64) -> Result<Option<LogId>, Fault> {
    let value = engine.get(Column::Log, &keys::entry(group, index))?;
    let decoded = value.map(|value| entry::decode_entry(index, Bytes::from(value))).transpose();
    Ok(decoded.map_err(|error| unreadable(&error))?.map(|entry| entry.log_id))
}

fn unreadable(error: &crate::wire::DecodeError) -> Fault {
    let source = store::engine::DiskError::damage(error.to_string());
    Fault::Disk { action: "decode an entry in", column: Column::Log, source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use store::engine::memory::MemoryEngine;
    use store::{Durability, Entry, Payload, Position};

    use super::*;
    use crate::bounds::{END, LEAP};
    use crate::types::leader_id;

    const GROUP: GroupId = GroupId(2);

    /// Takes the state of a replica that stands at `position` into one that has voted in term 3.
    fn taken(position: Position) -> (Arc<dyn Engine>, Result<(), Failure>) {
        let mut other = Machine::open(Arc::new(MemoryEngine::new()), GROUP).unwrap();
        other.apply(&[Entry { position, payload: Payload::Blank }]).unwrap();
        let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
        let vote = Vote { leader_id: leader_id(3, 1), committed: true };
        let mut batch = Batch::new();
        batch.put(Column::Log, &keys::vote(GROUP), &entry::encode_vote(&vote));
        engine.write(batch, Durability::Synced).unwrap();
        let machine = Machine::open(engine.clone(), GROUP).unwrap();
        let (mut sink, mut source) = (machine.begin_install(), other.snapshot().unwrap());
        while let Some(frame) = source.next_frame().unwrap() {
            sink.frame(&frame).unwrap();
        }
        let put = put(engine.as_ref(), machine, Box::new(sink));
        (engine, put)
    }

    /// Its end becomes the beginning of this node's log, from which everything after it is counted.
    #[test]
    fn a_state_that_stands_where_nothing_can_is_not_taken() {
        let (engine, sound) = taken(Position { term: 3 + LEAP, leader: 1, index: END - 1 });
        assert!(sound.is_ok());
        assert_eq!(purged(engine.as_ref(), GROUP).unwrap().unwrap().index, END - 1);
        for (term, index) in [(3, END), (3, u64::MAX), (4 + LEAP, 9), (u64::MAX, 9)] {
            let (engine, refused) = taken(Position { term, leader: 1, index });
            assert!(matches!(refused, Err(Failure::Peer(_))), "term {term}, index {index}");
            assert_eq!(purged(engine.as_ref(), GROUP).unwrap(), None, "nothing was written");
        }
    }
}
