//! A snapshot from a leader: its frames go into a new incarnation of the group's keys.

use std::sync::Arc;

use bytes::Bytes;
use proto::peer::{
    Hello, SnapshotFrame, SnapshotReply, snapshot_frame::Frame, snapshot_reply::Reply,
};
use store::{SnapshotError, SnapshotSink};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Status, Streaming};
use types::{GroupId, NodeInfo};

use crate::error::chain;
use crate::host::offload;
use crate::machine;
use crate::node::{Group, Inner};
use crate::peer::convert;
use crate::peer::snapshot::STALL;
use crate::snapshot::SnapshotData;
use crate::types::{Snapshot, SnapshotMeta, Vote};

pub(super) fn greeting(frame: SnapshotFrame) -> Option<Hello> {
    match frame.frame {
        Some(Frame::Hello(hello)) => Some(hello),
        _ => None,
    }
}

pub(super) fn greet(hello: Hello) -> SnapshotReply {
    SnapshotReply { reply: Some(Reply::Hello(hello)) }
}

pub(super) async fn serve(
    node: Arc<Inner>,
    from: NodeInfo,
    frames: Streaming<SnapshotFrame>,
    out: mpsc::Sender<Result<SnapshotReply, Status>>,
) {
    let reply = match receive(&node, &from, frames).await {
        Ok(body) => Reply::Body(body),
        Err(reason) => {
            tracing::warn!(from = %from.id, reason, "a snapshot was not installed");
            Reply::Error(reason)
        }
    };
    // Fails only when the connection is gone, and the sender with it.
    let _ = out.send(Ok(SnapshotReply { reply: Some(reply) })).await;
}

async fn receive(
    node: &Arc<Inner>,
    from: &NodeInfo,
    mut frames: Streaming<SnapshotFrame>,
) -> Result<Bytes, String> {
    let Some(Frame::Start(start)) = next(&mut frames).await? else {
        return Err("no start came".to_owned());
    };
    let group = node.group(GroupId(start.group)).ok_or("this node does not hold the group")?;
    let (vote, meta) =
        convert::decode_snapshot_start(start.meta).map_err(|error| error.to_string())?;
    group.report().may_hear_of(vote.leader_id.term).map_err(|leap| leap.to_string())?;
    // A newer transfer takes the place of one that hangs: its leader is newer, or the same one again.
    let (turn, replaced) = group.installs.begin().await;
    tracing::info!(group = %group.id, from = %from.id, "receiving a snapshot");
    let received = tokio::select! {
        received = collect(node, from, &group, frames) => received?,
        () = replaced.cancelled() => return Err("another transfer took its place".to_owned()),
        () = node.stopping.cancelled() => return Err("this node is stopping".to_owned()),
    };
    check(&group, &vote, &meta, &received)?;
    let snapshot = Snapshot { meta, snapshot: SnapshotData::Received(received) };
    let installed = group
        .raft
        .install_full_snapshot(vote, snapshot)
        .await
        .map_err(|error| error.to_string())?;
    drop(turn);
    Ok(convert::encode_snapshot_response(&installed))
}

/// Finds what is wrong with a snapshot before openraft sees it, which takes a failure to install for
/// a broken disk, and a contradiction for a fault of its own, and ends the group over either.
fn check(
    group: &Group,
    vote: &Vote,
    meta: &SnapshotMeta,
    received: &SnapshotSink,
) -> Result<(), String> {
    let found = received.verify().map_err(|refused| chain(&refused))?;
    let membership = found.membership.as_ref().map(|at| (at.position, at.bytes.clone()));
    let applied = store::Applied { position: found.position, membership };
    if machine::meta(applied).map_err(|error| error.to_string())? != *meta {
        return Err("the snapshot is not the one that its sender announced".to_owned());
    }
    let Some(last) = meta.last_log_id else { return Err("the snapshot is empty".to_owned()) };
    if last.leader_id > vote.leader_id {
        return Err("the snapshot holds entries of a later leader than its sender".to_owned());
    }
    let committed = group.report().now().local_committed;
    if committed.is_some_and(|here| last > here && last.index <= here.index) {
        return Err("the snapshot contradicts what is committed here".to_owned());
    }
    Ok(())
}

async fn collect(
    node: &Inner,
    from: &NodeInfo,
    group: &Group,
    mut frames: Streaming<SnapshotFrame>,
) -> Result<Box<SnapshotSink>, String> {
    let mut sink = Discard {
        sink: Some(Box::new(group.cell.machine().begin_install())),
        blocks: node.engine.blocks(),
    };
    loop {
        match next(&mut frames).await? {
            _ if node.is_out(from.id) => return Err("the sender counts no more".to_owned()),
            Some(Frame::Data(bytes)) => {
                let Some(mut taken) = sink.sink.take() else {
                    return Err("no place for a frame".to_owned());
                };
                let written = offload(node.engine.blocks(), move || {
                    let written = taken.frame(&bytes);
                    (written, taken)
                });
                let (written, taken) = written.await.map_err(|error| error.to_string())?;
                sink.sink = Some(taken);
                written.map_err(|error| {
                    if let SnapshotError::Fault(fault) = &error {
                        group.cell.stop(fault);
                    }
                    chain(&error)
                })?;
                node.peer_metrics().snapshot_received();
            }
            Some(Frame::End(_)) => {
                return sink.sink.take().ok_or_else(|| "no place for a frame".to_owned());
            }
            _ => return Err("the transfer broke off".to_owned()),
        }
    }
}

async fn next(frames: &mut Streaming<SnapshotFrame>) -> Result<Option<Frame>, String> {
    let frame = timeout(2 * STALL, frames.message()).await.map_err(|_| "no frame came in time")?;
    let frame = frame.map_err(|status| status.message().to_owned())?;
    Ok(frame.and_then(|frame| frame.frame))
}

/// Removes an unfinished snapshot where blocking is allowed.
struct Discard {
    sink: Option<Box<SnapshotSink>>,
    blocks: bool,
}

impl Drop for Discard {
    fn drop(&mut self) {
        if let Some(sink) = self.sink.take()
            && self.blocks
        {
            tokio::task::spawn_blocking(move || drop(sink));
        }
    }
}
