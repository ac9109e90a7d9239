//! What a peer has acknowledged, and whether it still has it.
//!
//! Who acknowledged an entry has it on disk, and as long as the leader that heard it leads, nobody may
//! take it away again. A peer that lacks it all the same runs on an older copy of its directory. It
//! cannot know: its log and its marks agree with each other ([`crate::log::marks`] finds what does not).
//! It must not count towards a majority any more, so this node asks it for no vote and sends it
//! nothing, and has it fenced ([`crate::upkeep::replace`]).
//!
//! Where it stops: the memory is of one node and of its present leadership in each group. A peer that
//! goes back while nobody remembers is not found out.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use types::{GroupId, NodeId};

use crate::metrics::PeerMetrics;
use crate::types::{LeaderId, LogId};

/// Why a peer counts no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "node {0} went back: it lacks what it has acknowledged, as after a restore from an old copy of its \
     directory; it is fenced, and comes back under another id"
)]
pub(crate) struct WentBack(NodeId);

/// The last entry that one peer acknowledged, per group.
pub(crate) struct Acknowledged {
    peer: NodeId,
    last: Mutex<HashMap<GroupId, (LeaderId, LogId)>>,
    went_back: AtomicBool,
    metrics: PeerMetrics,
}

impl Acknowledged {
    pub(crate) fn new(peer: NodeId, metrics: PeerMetrics) -> Self {
        Acknowledged { peer, last: Mutex::default(), went_back: AtomicBool::new(false), metrics }
    }

    /// Whether the peer counts.
    ///
    /// # Errors
    /// [`WentBack`] since it was found out.
    pub(crate) fn check(&self) -> Result<(), WentBack> {
        if self.went_back.load(Ordering::Relaxed) { Err(WentBack(self.peer)) } else { Ok(()) }
    }

    /// The peer acknowledged to `leader` everything up to `upto`.
    pub(crate) fn note(&self, group: GroupId, leader: LeaderId, upto: LogId) {
        let mut last = self.last();
        let known = last.entry(group).or_insert((leader, upto));
        let upto = if known.0 == leader { upto.max(known.1) } else { upto };
        *known = (leader, upto);
    }

    /// The peer says to `leader` that it has another entry than `at` or none.
    ///
    /// # Errors
    /// [`WentBack`] when it had acknowledged that one to the same leader.
    pub(crate) fn lacks(
        &self,
        group: GroupId,
        leader: LeaderId,
        at: LogId,
    ) -> Result<(), WentBack> {
        let known = self.last().get(&group).copied();
        let Some((_, upto)) = known.filter(|(heard_by, upto)| *heard_by == leader && at <= *upto)
        else {
            return Ok(());
        };
        let went_back = WentBack(self.peer);
        if !self.went_back.swap(true, Ordering::Relaxed) {
            self.metrics.went_back();
            tracing::error!(%group, lacks = at.index, acknowledged = upto.index, "{went_back}");
        }
        Err(went_back)
    }

    fn last(&self) -> MutexGuard<'_, HashMap<GroupId, (LeaderId, LogId)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
