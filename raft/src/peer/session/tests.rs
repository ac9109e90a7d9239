#![allow(clippy::unwrap_used)]

use crate::registry::Registry;
use futures::{StreamExt, poll};
use proto::peer::LogResponse;
use types::NodeId;

use super::*;
use crate::metrics::NodeMetrics;
use crate::types::{LogId, Vote, leader_id};

const ENDS: Ends = Ends { group: GroupId(2), from: 1, to: 3 };

type Requests = ReceiverStream<AppendEntriesRequest<TypeConfig>>;

/// A session, and what stands on both of its sides.
struct Line {
    log: Arc<Log>,
    session: Session<Requests>,
    requests: mpsc::Sender<AppendEntriesRequest<TypeConfig>>,
    sent: mpsc::Receiver<LogFrame>,
}

impl Line {
    /// One frame at a time fits into the link.
    fn open(deadline: Duration) -> Self {
        let (out, sent) = mpsc::channel(1);
        let (requests, input) = mpsc::channel(4);
        let log = Arc::new(Log::new(out));
        let metrics = NodeMetrics::register(&mut Registry::default()).peers;
        let acknowledged = Arc::new(Acknowledged::new(NodeId(ENDS.to), metrics));
        let input = ReceiverStream::new(input);
        let session = Session::open(log.clone(), acknowledged, ENDS, input, deadline).ok().unwrap();
        Line { log, session, requests, sent }
    }

    /// Has the peer answer the session's oldest request.
    async fn answer(&mut self, answer: &StreamAppendResult<TypeConfig>) -> Item {
        let body = convert::encode_session_response(answer);
        let response = LogResponse { session: self.session.id, body };
        self.log.receive(LogFrame { frame: Some(Frame::Response(response)) }).unwrap();
        self.session.next().await.unwrap()
    }

    /// Sends one request, with entries up to `last`, through to the peer.
    async fn ask(&mut self, last: u64) {
        let request = AppendEntriesRequest { prev_log_id: Some(id(last)), ..request() };
        self.requests.send(request).await.unwrap();
        assert!(poll!(self.session.next()).is_pending());
        assert!(matches!(self.sent.recv().await.unwrap().frame, Some(Frame::Request(_))));
    }
}

fn request() -> AppendEntriesRequest<TypeConfig> {
    let vote = Vote { leader_id: leader_id(5, 1), committed: true };
    AppendEntriesRequest { vote, prev_log_id: None, entries: Vec::new(), leader_commit: None }
}

fn id(index: u64) -> LogId {
    LogId::new(leader_id(5, 1), index)
}

fn another() -> LogFrame {
    LogFrame { frame: Some(Frame::Close(LogClose { session: 99, error: String::new() })) }
}

/// Time in which nothing was asked is not held against the peer, even where the link is full and the
/// request has to wait for its place.
#[tokio::test]
async fn an_idle_session_does_not_run_late() {
    let deadline = Duration::from_millis(50);
    let mut line = Line::open(deadline);
    line.log.out.send(another()).await.unwrap();
    assert!(poll!(line.session.next()).is_pending());
    tokio::time::sleep(2 * deadline).await;
    line.requests.send(request()).await.unwrap();
    assert!(poll!(line.session.next()).is_pending(), "it was asked only now");
}

/// Nor is it after an answer.
#[tokio::test]
async fn an_answered_session_does_not_run_late() {
    let deadline = Duration::from_millis(50);
    let mut line = Line::open(deadline);
    line.ask(7).await;
    line.answer(&Ok(Some(id(7)))).await.unwrap().unwrap();
    line.log.out.send(another()).await.unwrap();
    tokio::time::sleep(2 * deadline).await;
    line.requests.send(request()).await.unwrap();
    assert!(poll!(line.session.next()).is_pending(), "it was asked only now");
}

#[tokio::test]
async fn a_peer_that_does_not_answer_is_late() {
    let mut line = Line::open(Duration::from_millis(50));
    line.ask(7).await;
    let late = line.session.next().await.unwrap();
    assert!(matches!(late, Err(RPCError::Timeout(_))), "{late:?}");
    assert!(line.session.next().await.is_none(), "openraft opens another");
}

/// openraft would take it for an ordinary conflict and count the peer on.
#[tokio::test]
async fn a_peer_that_went_back_cannot_be_reached() {
    let patience = Duration::from_secs(30);
    let mut line = Line::open(patience);
    line.ask(7).await;
    line.answer(&Ok(Some(id(7)))).await.unwrap().unwrap();
    line.ask(8).await;
    let new = line.answer(&Err(StreamAppendError::Conflict(id(8)))).await.unwrap();
    assert!(matches!(new, Err(StreamAppendError::Conflict(_))), "it never had that one");

    let mut line = Line::open(patience);
    line.ask(7).await;
    line.answer(&Ok(Some(id(7)))).await.unwrap().unwrap();
    line.ask(7).await;
    let old = line.answer(&Err(StreamAppendError::Conflict(id(7)))).await;
    assert!(matches!(old, Err(RPCError::Unreachable(_))), "{old:?}");
}

/// openraft counts on from what it is told: past the end of all numbers, or into entries that were never
/// sent to anybody.
#[tokio::test]
async fn an_answer_about_what_was_not_sent_is_not_believed() {
    let elsewhere = |term, index| LogId::new(leader_id(term, 1), index);
    let vote = |term| Vote { leader_id: leader_id(term, 2), committed: false };
    let leap = 5 + crate::bounds::LEAP;
    let answers = [
        Ok(Some(id(8))),
        Ok(Some(id(crate::bounds::END - 1))),
        Ok(Some(elsewhere(6, 7))),
        Ok(Some(elsewhere(4, 8))),
        Err(StreamAppendError::Conflict(id(8))),
        Err(StreamAppendError::HigherVote(vote(leap + 1))),
    ];
    for answer in answers {
        let mut line = Line::open(Duration::from_secs(30));
        line.ask(7).await;
        let told = line.answer(&answer).await;
        assert!(matches!(told, Err(RPCError::Network(_))), "{answer:?} became {told:?}");
        assert!(line.session.next().await.is_none(), "{answer:?} is the session's last");
    }
    let mut line = Line::open(Duration::from_secs(30));
    let unasked = line.answer(&Ok(None)).await;
    assert!(matches!(unasked, Err(RPCError::Network(_))), "{unasked:?}");

    for answer in [Ok(Some(id(6))), Ok(None), Err(StreamAppendError::HigherVote(vote(leap)))] {
        let mut line = Line::open(Duration::from_secs(30));
        line.ask(7).await;
        assert_eq!(line.answer(&answer).await.unwrap(), answer);
    }
}
