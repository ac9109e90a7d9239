//! The state of a group, for a peer that has lost its own.

use std::sync::Arc;

use proto::peer::FetchFrame;
use store::SnapshotSource;
use tokio::sync::mpsc;
use tonic::Status;
use types::{GroupId, NodeInfo};

use crate::error::chain;
use crate::host::offload;
use crate::node::Inner;

pub(super) async fn serve(
    node: Arc<Inner>,
    from: NodeInfo,
    group: GroupId,
    out: mpsc::Sender<Result<FetchFrame, Status>>,
) {
    tracing::info!(%group, to = %from.id, "sending the state to a replica that lost its own");
    if let Err(reason) = send(&node, group, &out).await {
        tracing::warn!(%group, to = %from.id, reason, "the state was not sent");
        // Fails only when the connection is gone, and the asker with it.
        let _ = out.send(Err(Status::aborted(reason))).await;
    }
}

async fn send(
    node: &Arc<Inner>,
    group: GroupId,
    out: &mpsc::Sender<Result<FetchFrame, Status>>,
) -> Result<(), String> {
    let held = node.group(group).ok_or("this node does not hold the group")?;
    // What is sent here keeps the log that follows it, for as long as it takes.
    let _sending = held.cell.begin_sending();
    let engine = node.engine.clone();
    let blocks = engine.blocks();
    let opened = offload(blocks, move || SnapshotSource::open(engine.as_ref(), group));
    let opened = opened.await.map_err(|error| error.to_string())?;
    let mut source = opened.map_err(|fault| chain(&fault))?;
    loop {
        let read = offload(blocks, move || source.next_frame().map(|frame| (frame, source)));
        let (frame, rest) =
            read.await.map_err(|error| error.to_string())?.map_err(|fault| chain(&fault))?;
        source = rest;
        let Some(frame) = frame else { return Ok(()) };
        let sent = out.send(Ok(FetchFrame { data: frame.into() })).await;
        sent.map_err(|_| "the asker has gone".to_owned())?;
        node.peer_metrics().snapshot_sent();
    }
}
