//! Appends from a leader: each session's requests go to openraft in order, and back in order.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use openraft::raft::AppendEntriesRequest;
use proto::peer::{LogClose, LogFrame, LogResponse, log_frame::Frame};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use types::{GroupId, NodeInfo};

use crate::node::{Group, Inner};
use crate::peer::convert;
use crate::peer::link::until_stopped;
use crate::peer::session::WINDOW;
use crate::report::Report;
use crate::types::TypeConfig;

/// More sessions than groups are a fault of the peer.
const SESSIONS: usize = 4096;

/// A session that is open.
struct Session {
    requests: mpsc::Sender<AppendEntriesRequest<TypeConfig>>,
    report: Report,
}

type Out = mpsc::Sender<Result<LogFrame, Status>>;

pub(super) async fn serve(
    node: Arc<Inner>,
    from: NodeInfo,
    mut frames: Streaming<LogFrame>,
    out: Out,
) {
    let mut sessions: HashMap<u64, Session> = HashMap::new();
    let mut stopped = std::pin::pin!(until_stopped(&node.stopping));
    loop {
        let frame = tokio::select! {
            frame = frames.message() => frame,
            () = stopped.as_mut() => return,
        };
        let Ok(Some(LogFrame { frame: Some(frame) })) = frame else { return };
        if node.is_out(from.id) {
            return;
        }
        let request = match frame {
            Frame::Request(request) => request,
            Frame::Close(close) => {
                sessions.remove(&close.session);
                continue;
            }
            Frame::Hello(_) | Frame::Response(_) => return,
        };
        let append = match convert::decode_append(request.body) {
            Ok(append) => append,
            Err(error) => {
                tracing::error!(from = %from.id, %error, "a peer sent what cannot be read");
                return;
            }
        };
        let session = request.session;
        if !sessions.contains_key(&session) {
            sessions.retain(|_, session| !session.requests.is_closed());
            let Some(group) =
                node.group(GroupId(request.group)).filter(|_| sessions.len() < SESSIONS)
            else {
                close(&out, session, "this node does not hold the group").await;
                continue;
            };
            let (requests, queue) = mpsc::channel(2 * WINDOW);
            sessions.insert(session, Session { requests, report: group.report() });
            tokio::spawn(run(group, session, queue, out.clone()));
        }
        let Some(open) = sessions.get(&session) else { continue };
        if let Err(leap) = open.report.may_hear_of(append.vote.leader_id.term) {
            tracing::error!(from = %from.id, group = request.group, error = %leap, "an append is refused");
            sessions.remove(&session);
            close(&out, session, &leap.to_string()).await;
            continue;
        }
        // A session that has ended takes nothing more, and its leader knows already. One that is full
        // has been sent more than its window: it is cut off rather than letting it hold up the others.
        if let Err(mpsc::error::TrySendError::Full(_)) = open.requests.try_send(append) {
            sessions.remove(&session);
            close(&out, session, "more requests at once than a session may have").await;
        }
    }
}

async fn run(
    group: Arc<Group>,
    session: u64,
    queue: mpsc::Receiver<AppendEntriesRequest<TypeConfig>>,
    out: Out,
) {
    let mut answers = std::pin::pin!(group.raft.stream_append(ReceiverStream::new(queue)));
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => {
                let body = convert::encode_session_response(&answer);
                let frame = Frame::Response(LogResponse { session, body });
                if out.send(Ok(LogFrame { frame: Some(frame) })).await.is_err() {
                    return;
                }
            }
            Err(fatal) => return close(&out, session, &fatal.to_string()).await,
        }
    }
}

async fn close(out: &Out, session: u64, reason: &str) {
    let frame = Frame::Close(LogClose { session, error: reason.to_owned() });
    // Fails only when the connection is gone, and its sessions with it.
    let _ = out.send(Ok(LogFrame { frame: Some(frame) })).await;
}
