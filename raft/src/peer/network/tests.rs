#![allow(clippy::unwrap_used)]

use std::io;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::bounds::{END, LEAP};
use crate::host::{Connected, Host};
use crate::identity::Identity;
use crate::log::writer::Writer;
use crate::metrics::NodeMetrics;
use crate::peer::connector::Purpose;
use crate::peer::pool::Context;
use crate::registry::Registry;
use crate::roster::Roster;
use crate::types::{LogId, leader_id};

/// A machine without a network.
struct Alone;

impl Host for Alone {
    fn connect<'a>(&'a self, _: &'a str, _: Purpose) -> BoxFuture<'a, io::Result<Connected>> {
        Box::pin(async { Err(io::ErrorKind::NetworkUnreachable.into()) })
    }

    fn write_log(&self, _: Writer) -> io::Result<Option<JoinHandle<()>>> {
        Ok(None)
    }
}

/// openraft paces attempts by when it gives the first request. An attempt that failed before that would
/// be followed by the next at once, and a leader whose follower is away would be busy with nothing else.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_peer_that_cannot_be_reached_is_not_given_up_before_its_first_request() {
    let context = Context {
        host: Arc::new(Alone),
        identity: Arc::new(ArcSwap::from_pointee(Identity::UNKNOWN)),
        roster: Arc::new(ArcSwap::from_pointee(Roster::new([]))),
        metrics: NodeMetrics::register(&mut Registry::default()).peers,
        stopping: CancellationToken::new(),
    };
    let mut factory = NetworkFactory {
        peers: Arc::new(Peers::new(Arc::new(context))),
        group: GroupId(2),
        from: 1,
        append_deadline: Duration::from_secs(1),
    };
    let mut network = factory.new_client(2, &Replica::default()).await;
    let (requests, input) = mpsc::channel(1);
    let option = RPCOption::new(Duration::from_millis(100));
    let mut attempt = network.stream_append(ReceiverStream::new(input), option);
    let early = tokio::time::timeout(Duration::from_secs(60), &mut attempt).await;
    assert!(early.is_err(), "it waits for the first request");
    let vote = Vote { leader_id: leader_id(1, 1), committed: true };
    let request =
        AppendEntriesRequest { vote, prev_log_id: None, entries: Vec::new(), leader_commit: None };
    requests.send(request).await.unwrap();
    assert!(matches!(attempt.await, Err(RPCError::Unreachable(_))));
}

/// One answer must not use up the terms of a group: what is adopted is kept for ever.
#[test]
fn an_answer_from_a_term_that_no_election_led_to_is_not_believed() {
    let vote = |term| Vote { leader_id: leader_id(term, 1), committed: false };
    let asked = VoteRequest { vote: vote(3), last_log_id: None, leadership_transfer: false };
    let check = |term, logged| {
        let last_log_id = Some(LogId::new(leader_id(logged, 1), 9));
        check_vote(&asked, VoteResponse { vote: vote(term), vote_granted: false, last_log_id })
    };
    check(3 + LEAP, 3 + LEAP).unwrap();
    for (term, logged) in [(4 + LEAP, 3), (3, 4 + LEAP), (END - 1, END - 1)] {
        let refused = check(term, logged).unwrap_err();
        assert!(matches!(refused, RPCError::Network(_)), "{refused}");
    }
}

/// The same of heartbeats; and openraft panics over a conflict with nothing.
#[test]
fn an_answer_to_a_heartbeat_is_held_against_it() {
    let at = |index| Some(LogId::new(leader_id(3, 1), index));
    let vote = |term| Vote { leader_id: leader_id(term, 1), committed: true };
    let asked = |prev_log_id| AppendEntriesRequest {
        vote: vote(3),
        prev_log_id,
        entries: Vec::new(),
        leader_commit: None,
    };
    let check = |prev, answer| check_append(&asked(prev), &answer);
    use AppendEntriesResponse::{Conflict, HigherVote, PartialSuccess, Success};
    assert_eq!(check(at(7), Success).unwrap(), None);
    assert_eq!(check(at(7), PartialSuccess(at(7))).unwrap(), None);
    assert_eq!(check(at(7), HigherVote(vote(3 + LEAP))).unwrap(), None);
    assert_eq!(check(at(7), Conflict).unwrap(), at(7));
    for (prev, answer) in [
        (at(7), PartialSuccess(at(8))),
        (None, PartialSuccess(at(0))),
        (at(7), HigherVote(vote(4 + LEAP))),
        (None, Conflict),
    ] {
        let told = check(prev, answer);
        assert!(matches!(told, Err(RPCError::Network(_))), "{told:?}");
    }
}
