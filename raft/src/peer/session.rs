//! Appends over the log link: one session per uninterrupted run of one group.
//!
//! openraft hands over a stream of requests and wants the answers in the same order. Several requests
//! are under way at once, bounded in number and bytes; the peer answers a session's requests in
//! order. A session ends with the first answer that is not a success, and openraft opens another. What an
//! answer says is held against what was sent: nobody has more than that.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use openraft::errors::{NetworkError, RPCError, Timeout, Unreachable};
use openraft::raft::{AppendEntriesRequest, StreamAppendError, StreamAppendResult};
use proto::peer::peer_client::PeerClient;
use proto::peer::{Hello, LogClose, LogFrame, LogRequest, log_frame::Frame};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::PollSender;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use types::GroupId;

use crate::bounds::check_leap;
use crate::peer::acknowledged::Acknowledged;
use crate::peer::connector::Purpose;
use crate::peer::convert;
use crate::peer::link::Protocol;
use crate::types::{LeaderId, LogId, TypeConfig};

/// Requests of one session under way at once.
pub(crate) const WINDOW: usize = 16;
/// Bytes of one session's requests under way at once; one larger request may go alone.
const WINDOW_BYTES: usize = 4 << 20;
/// What a peer is given on top of the deadline for each of these many bytes under way: the slowest
/// line that still works carries as much in a second.
const ALLOWANCE_BYTES: usize = 256 << 10;
const ALLOWANCE: Duration = Duration::from_secs(1);

enum Event {
    Answer(Bytes),
    Closed(String),
}

/// One standing log connection.
pub(crate) struct Log {
    out: mpsc::Sender<LogFrame>,
    sessions: Mutex<Sessions>,
    next: AtomicU64,
}

#[derive(Default)]
struct Sessions {
    open: HashMap<u64, mpsc::UnboundedSender<Event>>,
    closed: bool,
}

impl Log {
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Protocol for Log {
    type Frame = LogFrame;
    const PURPOSE: Purpose = Purpose::Log;

    fn new(out: mpsc::Sender<LogFrame>) -> Self {
        Log { out, sessions: Mutex::default(), next: AtomicU64::new(1) }
    }

    fn greet(hello: Hello) -> LogFrame {
        LogFrame { frame: Some(Frame::Hello(hello)) }
    }

    fn greeting(frame: LogFrame) -> Option<Hello> {
        match frame.frame {
            Some(Frame::Hello(hello)) => Some(hello),
            _ => None,
        }
    }

    async fn open(
        mut client: PeerClient<Channel>,
        frames: ReceiverStream<LogFrame>,
    ) -> Result<Streaming<LogFrame>, Status> {
        client.log(frames).await.map(tonic::Response::into_inner)
    }

    fn receive(&self, frame: LogFrame) -> Result<(), &'static str> {
        let (session, event) = match frame.frame {
            Some(Frame::Response(response)) => (response.session, Event::Answer(response.body)),
            Some(Frame::Close(close)) => (close.session, Event::Closed(close.error)),
            _ => return Err("the peer sent what is no answer"),
        };
        // A session that is gone already was given up here; its late answers mean nothing.
        if let Some(waiting) = self.sessions().open.get(&session) {
            let _ = waiting.send(event);
        }
        Ok(())
    }

    fn closed(&self, reason: &str) {
        let mut sessions = self.sessions();
        sessions.closed = true;
        for (_, waiting) in sessions.open.drain() {
            let _ = waiting.send(Event::Closed(reason.to_owned()));
        }
    }
}

/// What is remembered of a request until its answer has come.
struct Sent {
    bytes: usize,
    /// How far the peer's log goes that has all of it.
    last: Option<LogId>,
}

/// Between whom a session runs, for its errors.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) group: GroupId,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// The answers to a stream of appends.
pub(crate) struct Session<S> {
    log: Arc<Log>,
    acknowledged: Arc<Acknowledged>,
    ends: Ends,
    id: u64,
    input: Option<S>,
    /// The leadership that the requests speak for.
    leader: Option<LeaderId>,
    /// Read from the input, not yet handed to the link.
    staged: Option<(LogFrame, Sent)>,
    out: PollSender<LogFrame>,
    events: mpsc::UnboundedReceiver<Event>,
    under_way: VecDeque<Sent>,
    under_way_bytes: usize,
    deadline: Duration,
    alarm: Pin<Box<Sleep>>,
    ended: bool,
}

type Item = Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>;

impl<S> Session<S>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
{
    pub(crate) fn open(
        log: Arc<Log>,
        acknowledged: Arc<Acknowledged>,
        ends: Ends,
        input: S,
        deadline: Duration,
    ) -> Result<Self, RPCError<TypeConfig>> {
        let id = log.next.fetch_add(1, Ordering::Relaxed);
        let (sender, events) = mpsc::unbounded_channel();
        {
            let mut sessions = log.sessions();
            if sessions.closed {
                return Err(unreachable("the connection is lost"));
            }
            sessions.open.insert(id, sender);
        }
        Ok(Session {
            out: PollSender::new(log.out.clone()),
            log,
            acknowledged,
            ends,
            id,
            input: Some(input),
            leader: None,
            staged: None,
            events,
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            deadline,
            alarm: Box::pin(sleep(deadline)),
            ended: false,
        })
    }

    /// Moves requests from the input to the link, as far as the window allows.
    fn fill(&mut self, context: &mut Context<'_>) -> Result<(), RPCError<TypeConfig>> {
        loop {
            if self.staged.is_none() {
                let room = self.under_way.len() < WINDOW
                    && (self.under_way.is_empty() || self.under_way_bytes < WINDOW_BYTES);
                let Some(input) = self.input.as_mut().filter(|_| room) else { return Ok(()) };
                match Pin::new(input).poll_next(context) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(None) => {
                        self.input = None;
                        return Ok(());
                    }
                    Poll::Ready(Some(request)) => {
                        self.leader = Some(request.vote.leader_id);
                        let body = convert::encode_append(&request);
                        let sent = Sent { bytes: body.len(), last: last_of(&request) };
                        let request =
                            LogRequest { session: self.id, group: self.ends.group.0, body };
                        self.staged =
                            Some((LogFrame { frame: Some(Frame::Request(request)) }, sent));
                        // The alarm of a session that was idle rang long ago.
                        if self.under_way.is_empty() {
                            self.wind();
                        }
                    }
                }
            }
            match self.out.poll_reserve(context) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(_)) => return Err(unreachable("the connection is lost")),
                Poll::Ready(Ok(())) => {}
            }
            if let Some((frame, sent)) = self.staged.take() {
                let first = self.under_way.is_empty();
                self.under_way_bytes += sent.bytes;
                self.under_way.push_back(sent);
                if first {
                    self.wind();
                }
                self.out.send_item(frame).map_err(|_| unreachable("the connection is lost"))?;
            }
        }
    }

    /// Sets the alarm for the next answer.
    fn wind(&mut self) {
        let allowance = ALLOWANCE * (self.under_way_bytes / ALLOWANCE_BYTES) as u32;
        self.alarm.as_mut().reset(Instant::now() + self.deadline + allowance);
    }

    fn answer(&mut self, body: Bytes) -> Item {
        let Some(sent) = self.under_way.pop_front() else {
            return Err(network("the peer answered what it was not asked"));
        };
        self.under_way_bytes -= sent.bytes;
        self.wind();
        let answer = convert::decode_session_response(body)
            .map_err(|error| RPCError::Network(NetworkError::new(&error)))?;
        if let Some(leader) = self.leader {
            let group = self.ends.group;
            let told = match answer {
                Ok(upto) => check_upto(upto, sent.last),
                Err(StreamAppendError::Conflict(at)) => check_upto(Some(at), sent.last),
                Err(StreamAppendError::HigherVote(vote)) => {
                    check_leap(leader.term, vote.leader_id.term).map_err(network)
                }
            };
            told.inspect_err(|error| {
                tracing::error!(%group, from = self.ends.to, %error, "a peer's answer is not believed");
            })?;
            match answer {
                Ok(Some(upto)) => self.acknowledged.note(group, leader, upto),
                Err(StreamAppendError::Conflict(at)) => self
                    .acknowledged
                    .lacks(group, leader, at)
                    .map_err(|went_back| RPCError::Unreachable(Unreachable::new(&went_back)))?,
                Ok(None) | Err(StreamAppendError::HigherVote(_)) => {}
            }
        }
        Ok(answer)
    }
}

impl<S> Stream for Session<S>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
{
    type Item = Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let item = match this.events.poll_recv(context) {
            Poll::Ready(Some(Event::Answer(body))) => this.answer(body),
            Poll::Ready(Some(Event::Closed(reason))) => Err(unreachable(&reason)),
            Poll::Ready(None) => Err(unreachable("the connection is lost")),
            Poll::Pending => match this.fill(context) {
                Err(error) => Err(error),
                Ok(()) if this.under_way.is_empty() && this.staged.is_none() => {
                    this.ended = this.input.is_none();
                    return if this.ended { Poll::Ready(None) } else { Poll::Pending };
                }
                Ok(()) => {
                    ready!(this.alarm.as_mut().poll(context));
                    Err(RPCError::Timeout(Timeout {
                        action: openraft::RPCTypes::AppendEntries,
                        id: this.ends.from,
                        target: this.ends.to,
                        timeout: this.deadline,
                    }))
                }
            },
        };
        // Only a success is followed by more.
        this.ended = !matches!(item, Ok(Ok(_)));
        Poll::Ready(Some(item))
    }
}

impl<S> Drop for Session<S> {
    fn drop(&mut self) {
        let known = self.log.sessions().open.remove(&self.id).is_some();
        if known {
            let close = LogClose { session: self.id, error: String::new() };
            let frame = LogFrame { frame: Some(Frame::Close(close)) };
            if let Err(mpsc::error::TrySendError::Full(frame)) = self.log.out.try_send(frame) {
                let out = self.log.out.clone();
                tokio::spawn(async move {
                    // Fails only with the connection, which ends the session too.
                    let _ = out.send(frame).await;
                });
            }
        }
    }
}

/// How far the log goes that a request is about.
pub(crate) fn last_of(request: &AppendEntriesRequest<TypeConfig>) -> Option<LogId> {
    request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id)
}

/// Refuses an answer about entries that were not sent: openraft counts on from what it is told.
pub(crate) fn check_upto(
    upto: Option<LogId>,
    sent: Option<LogId>,
) -> Result<(), RPCError<TypeConfig>> {
    let index = |id: Option<LogId>| id.map(|id| id.index);
    if upto > sent || index(upto) > index(sent) {
        return Err(network("the peer speaks of entries that it was not sent"));
    }
    Ok(())
}

pub(crate) fn network(reason: impl ToString) -> RPCError<TypeConfig> {
    RPCError::Network(NetworkError::from_string(reason))
}

fn unreachable(reason: &str) -> RPCError<TypeConfig> {
    RPCError::Unreachable(Unreachable::from_string(reason))
}

#[cfg(test)]
mod tests;
