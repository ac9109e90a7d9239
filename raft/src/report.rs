//! openraft's running report on one group: term, leader, log, membership, replication.

use std::ops::Deref;
use std::time::Duration;

use openraft::Instant as _;
use openraft::async_runtime::watch::WatchReceiver;

use crate::types::{Metrics, Raft, TypeConfig};

/// The present report and its changes.
#[derive(Clone)]
pub(crate) struct Report(openraft::alias::WatchReceiverOf<TypeConfig, Metrics>);

impl Report {
    pub(crate) fn of(raft: &Raft) -> Self {
        Report(raft.metrics())
    }

    /// The present report. Held only for a moment: the group waits to write the next one.
    pub(crate) fn now(&self) -> impl Deref<Target = Metrics> + '_ {
        self.0.borrow_watched()
    }

    /// The present report; the next change is one after it.
    pub(crate) fn seen(&mut self) -> impl Deref<Target = Metrics> + '_ {
        self.0.borrow_and_update()
    }

    /// How long no quorum has answered this node as its leader. For ever if it is none; not at all of one
    /// that has only begun.
    pub(crate) fn quorum_silent(&self) -> Duration {
        let now = self.now();
        match (now.state.is_leader(), &now.last_quorum_acked) {
            (true, Some(acked)) => acked.elapsed(),
            (true, None) => Duration::ZERO,
            (false, _) => Duration::MAX,
        }
    }

    /// Waits for a change. False when the group has ended.
    pub(crate) async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }

    /// Waits until something holds. False when the group has ended before.
    pub(crate) async fn until(&mut self, mut holds: impl FnMut(&Metrics) -> bool) -> bool {
        loop {
            if holds(&self.seen()) {
                return true;
            }
            if !self.changed().await {
                return false;
            }
        }
    }
}
