//! Learning of nodes that joined while this one was away.
//!
//! A node knows the others by group 0, as far as it has applied it. One that joined meanwhile is a stranger
//! to it, and may lead group 0: what would make it known comes from nobody else, and its greeting would be
//! refused for ever. So whoever is greeted by a stranger asks the nodes that it knows, who are in the
//! registry, and takes over from them whom it does not know. About those it knows it believes group 0 only.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;
use types::{ClusterId, NodeInfo};

use crate::node::Inner;
use crate::node::start::identify;
use crate::roster::Roster;

/// The pause before everybody is asked again.
const AGAIN: Duration = Duration::from_millis(500);

impl Inner {
    /// Asks who the stranger may be, unless it does so already.
    pub(crate) fn greeted_by_a_stranger(self: &Arc<Self>) {
        if self.asking.swap(true, Ordering::Relaxed) {
            return;
        }
        let node = self.clone();
        self.spawn(async move {
            let roster = node.roster.load_full();
            let others =
                roster.nodes().filter(|other| other.state.counts() && Some(other.id) != node.id());
            let told = join_all(others.map(|other| node.roster_of(other))).await;
            for told in told.into_iter().flatten() {
                node.take_over_newcomers(&told);
            }
            sleep(AGAIN).await;
            node.asking.store(false, Ordering::Relaxed);
        });
    }

    /// Whom a node of this cluster knows, if it answers.
    async fn roster_of(&self, other: &NodeInfo) -> Option<Roster> {
        let (found, reply) = identify(&self.host, &other.peer).await.ok()?;
        let cluster = self.identity.load().place?.cluster;
        let is_meant = found.name == other.name && found.dc == other.dc;
        let is_of_cluster = ClusterId::parse(&reply.cluster).is_ok_and(|of| of == cluster);
        if is_meant && is_of_cluster { Roster::from_proto(reply.roster).ok() } else { None }
    }

    fn take_over_newcomers(&self, told: &Roster) {
        self.roster.rcu(|known| {
            let mut known = Roster::clone(known);
            known.add_newcomers(told);
            known
        });
    }
}
