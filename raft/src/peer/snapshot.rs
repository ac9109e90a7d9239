//! Sending one group's snapshot to one peer, frame by frame.
//!
//! No deadline covers the whole: a large state over a thin line may take long. Each step must move:
//! a frame that the peer does not take within [`STALL`] ends the transfer, and openraft begins anew.

use std::future::Future;
use std::time::Duration;

use futures::{Stream, StreamExt};
use openraft::errors::{NetworkError, StreamingError, Unreachable};
use openraft::raft::SnapshotResponse;
use proto::peer::peer_client::PeerClient;
use proto::peer::{
    Hello, SnapshotEnd, SnapshotFrame, SnapshotReply, SnapshotStart, snapshot_frame, snapshot_reply,
};
use store::SnapshotSource;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use types::NodeId;

use crate::bounds::check_leap;
use crate::host::offload;
use crate::metrics::PeerMetrics;
use crate::peer::pool::{Peer, Peers};
use crate::peer::session::Ends;
use crate::peer::{MESSAGE_BYTES, convert, handshake};
use crate::snapshot::SnapshotData;
use crate::types::{Snapshot, TypeConfig, Vote};

/// How long one frame may wait to be taken.
pub(crate) const STALL: Duration = Duration::from_secs(20);
/// How long the peer may take to verify, flush and name what it received.
const INSTALL: Duration = Duration::from_secs(300);
/// Frames read ahead of the network.
const AHEAD: usize = 2;

type Failure = StreamingError<TypeConfig>;

/// Sends a snapshot and waits until the peer has installed it, or says why not.
pub(crate) async fn send(
    peers: &Peers,
    peer: &Peer,
    ends: Ends,
    vote: Vote,
    snapshot: Snapshot,
) -> Result<SnapshotResponse<TypeConfig>, Failure> {
    let SnapshotData::Source(source, _sending) = snapshot.snapshot else {
        return Err(network("this snapshot has no frames"));
    };
    let context = peers.context();
    let node = context.roster.load().get(NodeId(ends.to)).cloned();
    let node = node.ok_or_else(|| unreachable("the node is not in the registry"))?;
    let hello = handshake::hello(&context.identity.load(), &node).map_err(network)?;
    let _place = place(&peer.snapshots, STALL).await?;

    let (out, frames) = mpsc::channel(AHEAD);
    let start = SnapshotStart {
        group: ends.group.0,
        meta: convert::encode_snapshot_start(&(vote, snapshot.meta)),
    };
    let sender = Sender { out, metrics: &context.metrics, stall: STALL, install: INSTALL };
    let mut client =
        PeerClient::new(peer.snapshot.clone()).max_encoding_message_size(MESSAGE_BYTES);
    let exchange = async {
        let replies = timeout(STALL, client.snapshot(ReceiverStream::new(frames)))
            .await
            .map_err(unreachable)?;
        let mut replies = replies.map_err(|status| unreachable(status.message()))?.into_inner();
        let greeting = within(STALL, next(&mut replies)).await?;
        let snapshot_reply::Reply::Hello(hello) = greeting else {
            return Err(network("the peer did not greet"));
        };
        Ok((replies, hello))
    };
    sender.push(snapshot_frame::Frame::Hello(hello)).await?;
    sender.push(snapshot_frame::Frame::Start(start)).await?;
    let (mut replies, Hello { cluster, from, .. }) = exchange.await?;
    if from != ends.to
        || context
            .identity
            .load()
            .place
            .is_none_or(|place| place.cluster.as_bytes()[..] != cluster[..])
    {
        return Err(network("another node answered"));
    }
    match sender.transfer(source, &mut replies).await? {
        snapshot_reply::Reply::Body(body) => {
            let answer = convert::decode_snapshot_response(body).map_err(network)?;
            check_leap(vote.leader_id.term, answer.vote.leader_id.term).map_err(network)?;
            Ok(answer)
        }
        snapshot_reply::Reply::Error(reason) => Err(network(reason)),
        snapshot_reply::Reply::Hello(_) => Err(network("the peer greeted twice")),
    }
}

/// A place among the snapshots on their way to a peer. Whoever waits holds a view that keeps old files
/// alive: better to come again with a fresh one.
async fn place(places: &Semaphore, patience: Duration) -> Result<SemaphorePermit<'_>, Failure> {
    let place = timeout(patience, places.acquire()).await;
    place.map_err(|_| network("other snapshots are on their way"))?.map_err(network)
}

async fn next<R>(replies: &mut R) -> Result<snapshot_reply::Reply, Failure>
where
    R: Stream<Item = Result<SnapshotReply, Status>> + Unpin,
{
    let reply = replies.next().await.transpose();
    let reply = reply.map_err(|status| unreachable(status.message()))?;
    reply.and_then(|reply| reply.reply).ok_or_else(|| network("the peer ended the transfer"))
}

async fn within<T>(
    deadline: Duration,
    reply: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout(deadline, reply).await.map_err(|_| network("the peer did not answer in time"))?
}

struct Sender<'a> {
    out: mpsc::Sender<SnapshotFrame>,
    metrics: &'a PeerMetrics,
    /// How long one frame may wait.
    stall: Duration,
    /// How long the answer may take, once all frames are sent.
    install: Duration,
}

impl Sender<'_> {
    /// Sends all frames and waits for what the peer says of them. An answer before the end is a
    /// refusal: then nothing more is sent.
    async fn transfer<R>(
        &self,
        source: Box<SnapshotSource>,
        replies: &mut R,
    ) -> Result<snapshot_reply::Reply, Failure>
    where
        R: Stream<Item = Result<SnapshotReply, Status>> + Unpin,
    {
        tokio::select! {
            biased;
            early = next(replies) => return early,
            sent = self.frames(source) => sent?,
        }
        within(self.install, next(replies)).await
    }

    async fn push(&self, frame: snapshot_frame::Frame) -> Result<(), Failure> {
        let sent = timeout(self.stall, self.out.send(SnapshotFrame { frame: Some(frame) })).await;
        let sent = sent.map_err(|_| network("the peer takes no more frames"))?;
        sent.map_err(|_| unreachable("the connection is lost"))
    }

    async fn frames(&self, mut source: Box<SnapshotSource>) -> Result<(), Failure> {
        loop {
            // Reading blocks, so it goes where blocking is allowed, and the source with it.
            let read = offload(source.blocks(), move || {
                let frame = source.next_frame();
                frame.map(|frame| (frame, source))
            });
            let (frame, rest) = read.await.map_err(network)?.map_err(network)?;
            source = rest;
            let Some(frame) = frame else { break };
            self.push(snapshot_frame::Frame::Data(frame.into())).await?;
            self.metrics.snapshot_sent();
        }
        self.push(snapshot_frame::Frame::End(SnapshotEnd {})).await
    }
}

fn unreachable(reason: impl ToString) -> Failure {
    StreamingError::Unreachable(Unreachable::from_string(reason))
}

fn network(reason: impl ToString) -> Failure {
    StreamingError::Network(NetworkError::from_string(reason))
}

#[cfg(test)]
mod tests;
