//! What a node does for as long as it runs: it follows group 0.

use std::future::Future;
use std::sync::Arc;

use store::{Fault, Reader};
use types::{GroupId, NodeState};

use crate::facts::Facts;
use crate::host::offload;
use crate::node::Inner;

impl Inner {
    /// Runs something until the node stops.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            tokio::select! { () = task => {}, () = stopping.cancelled() => {} }
        });
    }

    /// Follows group 0: who the nodes are, where replicas should be, who owns which slots.
    pub(crate) fn follow_system(self: &Arc<Self>) {
        let node = self.clone();
        let Some(system) = self.group(GroupId::SYSTEM) else { return };
        self.spawn(async move {
            let mut applied = system.cell.applied();
            loop {
                applied.borrow_and_update();
                let (reading, current) = (node.clone(), node.clone());
                let read = offload(node.engine.blocks(), move || reading.refresh());
                match read.await {
                    Ok(Ok(())) => {}
                    Ok(Err(fault)) => {
                        let reason = crate::error::chain(&fault);
                        current.fatal.raise(format!("state of group 0: {reason}"));
                        return;
                    }
                    // The runtime is ending.
                    Err(_) => return,
                }
                if applied.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// Takes over what group 0 says now.
    fn refresh(&self) -> Result<(), Fault> {
        let reader = Reader::open(self.engine.as_ref(), GroupId::SYSTEM)?;
        let (facts, mut roster) = Facts::read(&reader)?;
        if facts.cluster.is_none() || self.end_if_too_old(&facts) {
            return Ok(());
        }
        if let Some(mandate) = self.mandate() {
            roster.fence(&mandate.lost);
        }
        // What is applied of group 0 may be older than what joined: see `newcomers`.
        roster.add_newcomers(&self.roster.load());
        if **self.roster.load() != roster {
            roster.save(self.engine.as_ref())?;
            self.roster.store(Arc::new(roster.clone()));
            self.peers.retain(|id| roster.get(id).is_some_and(|node| node.state.counts()));
        }
        if let Some(own) = self.id()
            && roster.get(own).is_some_and(|node| node.state == NodeState::Fenced)
        {
            let reason = format!("the cluster has fenced this node, {own}");
            self.leave(reason);
        }
        let facts = Arc::new(facts);
        self.facts.send_if_modified(|present| {
            let changed = *present != facts;
            if changed {
                *present = facts;
            }
            changed
        });
        Ok(())
    }
}
