#![allow(clippy::unwrap_used)]

use std::io;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::host::{Connected, Host};
use crate::identity::Identity;
use crate::log::writer::Writer;
use crate::metrics::NodeMetrics;
use crate::peer::connector::Purpose;
use crate::peer::pool::Context;
use crate::registry::Registry;
use crate::roster::Roster;
use crate::types::leader_id;

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
