//! How a node ends: it gives leadership away, finishes what it began, and leaves everything on disk.

use std::sync::PoisonError;
use std::time::Duration;

use store::Column;
use tokio::time::{Instant, timeout_at};
use types::NodeId;

use crate::host::offload;
use crate::log::writer::Job;
use crate::membership::transfer;
use crate::node::Node;

/// What the steps after the hand-over may take at most.
const END: Duration = Duration::from_secs(10);

impl Node {
    /// Stops the node: proposals are refused, leaderships handed over until `deadline`, then everything
    /// ends and is synced. Safe to call more than once.
    pub async fn shutdown(&self, deadline: Duration) {
        let node = &self.inner;
        node.draining.cancel();
        if !deadline.is_zero() && node.failed_reason().is_none() {
            let until = Instant::now() + deadline;
            let groups = node.groups.borrow().clone();
            let handing = groups.values().map(|group| async move {
                if let Some(to) = transfer::successor(node, group) {
                    transfer::hand_over(node, group, to, until).await
                } else {
                    Ok(())
                }
            });
            for outcome in futures::future::join_all(handing).await {
                if let Err(reason) = outcome {
                    tracing::warn!(reason, "a leadership was not handed over");
                }
            }
        }
        node.stopping.cancel();
        let until = Instant::now() + END;
        let groups = node.groups.borrow().clone();
        for group in groups.values() {
            // The core ends when it has done what it was given; nothing is lost if it does not.
            let _ = timeout_at(until, group.raft.shutdown()).await;
        }
        node.tasks.close();
        let _ = timeout_at(until, node.tasks.wait()).await;
        let writer = node.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = node.queue.push(Job::Stop);
        let (engine, healthy) = (node.engine.clone(), node.failed_reason().is_none());
        let ended = offload(node.engine.blocks(), move || {
            if writer.is_some_and(|writer| writer.join().is_err()) {
                tracing::error!("the log writer ended badly");
            }
            // Not needed for safety: the log is on disk. It saves applying entries again.
            if healthy && let Err(fault) = engine.flush(Column::State) {
                tracing::error!(error = crate::error::chain(&fault), "flush the state");
            }
        });
        let _ = timeout_at(until, ended).await;
    }
}

impl crate::node::Inner {
    fn failed_reason(&self) -> Option<String> {
        self.fatal.raised().map(|end| end.reason().to_owned())
    }

    /// Whether a node may be given leadership: it is in service, serves clients, and its disk has room
    /// and keeps up.
    pub(crate) fn may_lead(&self, id: NodeId) -> bool {
        use types::{NodeState, Role};
        let able =
            |node: types::NodeInfo| node.state == NodeState::Active && node.role == Role::Data;
        let unfit = match self.id() {
            Some(own) if own == id => self.health.is_unfit(),
            _ => self.health.says_unfit(id),
        };
        self.node(id).is_some_and(able) && !unfit
    }
}
