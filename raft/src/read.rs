//! Reads that see everything acknowledged before they began, on any replica.
//!
//! A read needs an index: what the group's leader, confirmed by a majority, had committed when it was
//! asked. The leader confirms itself once for all who wait; another replica asks it once for all who
//! wait there. Then this replica applies up to the index, and its own state is fresh enough.
//!
//! There are no lease reads: a restarted voter has no lease to keep to, and a paused machine stops
//! its clock too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::ReadPolicy;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use types::{GroupId, NodeId};

use crate::error::ReadError;
use crate::metrics::GroupMetrics;
use crate::peer::convert::{self, ControlKind};
use crate::peer::pool::Peers;
use crate::report::Report;
use crate::rounds::Rounds;
use crate::types::{LogId, Metrics, Raft};

/// How soon a node asks again after a leader could not answer.
const RETRY: Duration = Duration::from_millis(20);

/// The leader's rounds of confirming itself, shared by all who ask it.
pub(crate) type Index = Rounds<LogId, IndexError>;

/// Why a node could not give a read index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("this node does not lead the group")]
    NotLeader,
    #[error("no majority confirmed this leader in time")]
    NoQuorum,
    #[error("this node is stopping")]
    Stopped,
}

/// Rounds in which this node, as the leader, has a majority confirm it.
pub(crate) fn index_rounds(raft: Raft, metrics: GroupMetrics) -> Arc<Index> {
    Rounds::new(IndexError::Stopped, move || {
        let (raft, metrics) = (raft.clone(), metrics.clone());
        async move {
            let linearizer =
                raft.get_read_linearizer(ReadPolicy::ReadIndex).await.map_err(|error| {
                    use openraft::errors::{LinearizableReadError, RaftError};
                    match error {
                        RaftError::APIError(LinearizableReadError::ForwardToLeader(_)) => {
                            IndexError::NotLeader
                        }
                        RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => {
                            metrics.read_unconfirmed();
                            IndexError::NoQuorum
                        }
                        RaftError::Fatal(_) => IndexError::Stopped,
                    }
                })?;
            metrics.read_round();
            Ok(*linearizer.read_log_id().log_id())
        }
    })
}

/// One group's reads on this node.
pub(crate) struct Reads {
    fresh: Arc<Rounds<Instant, ReadError>>,
    /// When the last successful round began: this replica is at least as fresh as that.
    last: Arc<Mutex<Option<Instant>>>,
    recovered: watch::Receiver<bool>,
    deadline: Duration,
}

/// What finding an index needs.
pub(crate) struct Source {
    pub(crate) group: GroupId,
    pub(crate) own: NodeId,
    pub(crate) raft: Raft,
    pub(crate) index: Arc<Index>,
    pub(crate) applied: watch::Receiver<Option<store::Position>>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) deadline: Duration,
}

impl Reads {
    pub(crate) fn new(source: Source, recovered: watch::Receiver<bool>) -> Self {
        let (source, last) = (Arc::new(source), Arc::new(Mutex::new(None)));
        let (deadline, kept) = (source.deadline, last.clone());
        let fresh = Rounds::new(ReadError::Unavailable, move || {
            let (source, kept) = (source.clone(), kept.clone());
            async move {
                let began = Instant::now();
                let reached = timeout(source.deadline, source.reach()).await;
                reached.map_err(|_| ReadError::Unavailable)?;
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(began);
                Ok(began)
            }
        });
        Reads { fresh, last, recovered, deadline }
    }

    /// Waits until this replica shows everything acknowledged before the call.
    pub(crate) async fn barrier(&self) -> Result<(), ReadError> {
        let mut recovered = self.recovered.clone();
        let read = async {
            // What a restart lost of the state has to be applied again first.
            recovered.wait_for(|recovered| *recovered).await.map_err(|_| ReadError::NotHere)?;
            self.fresh.join().await.map(drop)
        };
        timeout(self.deadline, read).await.unwrap_or(Err(ReadError::Unavailable))
    }

    /// Waits until this replica shows everything acknowledged up to `max_age` ago, which it mostly does.
    pub(crate) async fn recent(&self, max_age: Duration) -> Result<(), ReadError> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last {
            Some(began) if began.elapsed() <= max_age => Ok(()),
            _ => self.barrier().await,
        }
    }
}

impl Source {
    /// Finds an index and applies up to it, however often it takes to find the leader.
    async fn reach(&self) {
        let mut report = Report::of(&self.raft);
        loop {
            let leader = report.seen().current_leader;
            let found = match leader {
                None => Err("no leader is known".to_owned()),
                Some(id) if id == self.own.0 => {
                    self.index.join().await.map_err(|error| error.to_string())
                }
                Some(id) => self.ask(NodeId(id)).await,
            };
            match found {
                Ok(index) => return self.apply_up_to(index).await,
                Err(reason) => {
                    tracing::debug!(group = %self.group, reason, "no read index yet");
                    // Another leader may be known any moment; the same one may have found a majority.
                    let changed = report.until(|seen| seen.current_leader != leader);
                    if timeout(RETRY, changed).await == Ok(false) {
                        // The group has stopped. The deadline ends the wait.
                        std::future::pending::<()>().await;
                    }
                }
            }
        }
    }

    async fn ask(&self, leader: NodeId) -> Result<LogId, String> {
        let asked = self.peers.call(
            leader,
            self.group,
            ControlKind::ReadIndex,
            bytes::Bytes::new(),
            self.deadline,
        );
        let body = asked.await.map_err(|error| error.to_string())?;
        convert::decode_read_index(body).map_err(|error| error.to_string())
    }

    async fn apply_up_to(&self, index: LogId) {
        let mut applied = self.applied.clone();
        let reached =
            |position: &Option<store::Position>| position.is_some_and(|at| at.index >= index.index);
        if applied.wait_for(reached).await.is_err() {
            // The group has stopped. The deadline ends the wait.
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until what this replica may have shown before its restart is applied again: everything that
/// stood in its log when it started, or everything the cluster has committed of the log it has now.
pub(crate) async fn recover(raft: &Raft, recovered: &watch::Sender<bool>) {
    let mut report = Report::of(raft);
    let tail = report.now().last_log_index;
    let applied_again = |metrics: &Metrics| {
        let applied = metrics.last_applied.map(|id| id.index);
        let committed = metrics.cluster_committed.map(|id| id.index);
        let all_of_the_old = tail.is_some() && applied >= tail;
        let all_of_the_new =
            committed.is_some() && committed >= metrics.last_log_index && applied >= committed;
        all_of_the_old || all_of_the_new
    };
    if report.until(applied_again).await {
        recovered.send_replace(true);
    }
}
