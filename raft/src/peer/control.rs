//! Calls over the control link: requests of all groups, answered in any order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use proto::peer::peer_client::PeerClient;
use proto::peer::{ControlFrame, ControlRequest, Hello, control_frame::Frame};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use types::GroupId;

use crate::peer::connector::Purpose;
use crate::peer::convert::ControlKind;
use crate::peer::link::Protocol;

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// The peer cannot be reached. Nothing was asked, or nobody knows.
    #[error("{0}")]
    Unreachable(String),
    /// The peer did not answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The peer answered that it will not, and why.
    #[error("{0}")]
    Refused(String),
}

type Answer = Result<Bytes, CallError>;

/// One standing control connection.
pub(crate) struct Control {
    out: mpsc::Sender<ControlFrame>,
    waiting: Mutex<Waiting>,
    next: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    calls: HashMap<u64, oneshot::Sender<Answer>>,
    closed: bool,
}

impl Control {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks and waits for the answer.
    pub(crate) async fn call(
        &self,
        group: GroupId,
        kind: ControlKind,
        body: Bytes,
        deadline: Duration,
    ) -> Answer {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            if waiting.closed {
                return Err(CallError::Unreachable("the connection is lost".to_owned()));
            }
            waiting.calls.insert(id, answer);
        }
        // Whoever stops waiting (a deadline, a dropped election) takes its place away with it.
        let _place = Place { control: self, id };
        let request = ControlRequest { id, group: group.0, kind: kind as u32, body };
        let asked = async {
            let sent = self.out.send(ControlFrame { frame: Some(Frame::Request(request)) }).await;
            sent.map_err(|_| CallError::Unreachable("the connection is lost".to_owned()))?;
            answered.await.unwrap_or_else(|_| {
                Err(CallError::Unreachable("the connection is lost".to_owned()))
            })
        };
        timeout(deadline, asked).await.unwrap_or(Err(CallError::Timeout(deadline)))
    }
}

struct Place<'a> {
    control: &'a Control,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.control.waiting().calls.remove(&self.id);
    }
}

impl Protocol for Control {
    type Frame = ControlFrame;
    const PURPOSE: Purpose = Purpose::Control;

    fn new(out: mpsc::Sender<ControlFrame>) -> Self {
        Control { out, waiting: Mutex::default(), next: AtomicU64::new(1) }
    }

    fn greet(hello: Hello) -> ControlFrame {
        ControlFrame { frame: Some(Frame::Hello(hello)) }
    }

    fn greeting(frame: ControlFrame) -> Option<Hello> {
        match frame.frame {
            Some(Frame::Hello(hello)) => Some(hello),
            _ => None,
        }
    }

    async fn open(
        mut client: PeerClient<Channel>,
        frames: ReceiverStream<ControlFrame>,
    ) -> Result<Streaming<ControlFrame>, Status> {
        client.control(frames).await.map(tonic::Response::into_inner)
    }

    fn receive(&self, frame: ControlFrame) -> Result<(), &'static str> {
        let Some(Frame::Response(response)) = frame.frame else {
            return Err("the peer sent what is no answer");
        };
        if let Some(call) = self.waiting().calls.remove(&response.id) {
            let answer = if response.error.is_empty() {
                Ok(response.body)
            } else {
                Err(CallError::Refused(response.error))
            };
            // The caller may have stopped waiting.
            let _ = call.send(answer);
        }
        Ok(())
    }

    fn closed(&self, reason: &str) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        for (_, call) in waiting.calls.drain() {
            let _ = call.send(Err(CallError::Unreachable(reason.to_owned())));
        }
    }
}
