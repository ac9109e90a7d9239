//! openraft's running report on one group: term, leader, log, membership, replication.

use std::ops::Deref;
use std::time::Duration;

use openraft::Instant as _;
use openraft::async_runtime::watch::WatchReceiver;

use crate::bounds::{Leap, check_leap};
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

    /// Whether the group may hear of a term from a peer. A group that has heard nothing yet takes any: it may
    /// be new in a cluster that is old.
    ///
    /// # Errors
    /// [`Leap`] when no election can have led there.
    pub(crate) fn may_hear_of(&self, term: u64) -> Result<(), Leap> {
        let now = self.now();
        if now.current_term == 0 && now.last_log_index.is_none() {
            return Ok(());
        }
        check_leap(now.current_term, term)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use openraft::type_config::TypeConfigExt;

    use super::*;
    use crate::bounds::{END, LEAP};

    fn report(term: u64, last: Option<u64>) -> Report {
        let metrics =
            Metrics { current_term: term, last_log_index: last, ..Metrics::new_initial(1) };
        Report(TypeConfig::watch_channel(metrics).1)
    }

    #[test]
    fn a_group_hears_of_terms_that_elections_lead_to() {
        for (term, last) in [(7, Some(20)), (7, None), (0, Some(0))] {
            let group = report(term, last);
            group.may_hear_of(term + LEAP).unwrap();
            assert!(group.may_hear_of(term + LEAP + 1).is_err(), "{term} {last:?}");
        }
    }

    /// In a cluster whose terms somebody has driven up a new machine can still take part.
    #[test]
    fn a_new_group_hears_of_any_term() {
        report(0, None).may_hear_of(END - 1).unwrap();
    }
}
