//! The one signal that ends a node: what a disk refused, what a replica cannot apply, what is damaged.

use std::sync::Arc;

use store::Damage;
use tokio::sync::watch;

/// Why a node ended without being told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It cannot go on as it is: a disk refused, or a replica cannot apply. It starts again from what
    /// is on disk.
    Failed(String),
    /// Something on its disk is not what it wrote. The next start repairs it.
    Damaged(Damage, String),
    /// The cluster counts on it no more, or has given it a new beginning: it starts again, at once.
    Again(String),
}

impl End {
    /// The reason.
    pub fn reason(&self) -> &str {
        match self {
            End::Failed(reason) | End::Damaged(_, reason) | End::Again(reason) => reason,
        }
    }
}

/// Raised at most once with the first reason; whoever runs the node waits for it and exits.
#[derive(Clone)]
pub(crate) struct FatalSignal(Arc<watch::Sender<Option<End>>>);

impl FatalSignal {
    pub(crate) fn new() -> Self {
        FatalSignal(Arc::new(watch::Sender::new(None)))
    }

    /// The node cannot go on.
    pub(crate) fn raise(&self, reason: String) {
        self.end(End::Failed(reason));
    }

    /// Keeps the first reason: later ones are mostly its consequences.
    pub(crate) fn end(&self, end: End) {
        match &end {
            End::Again(reason) => tracing::warn!(reason, "this node starts again"),
            End::Failed(reason) | End::Damaged(_, reason) => {
                tracing::error!(reason, "this node cannot go on");
            }
        }
        self.0.send_if_modified(|kept| {
            let first = kept.is_none();
            if first {
                *kept = Some(end);
            }
            first
        });
    }

    /// The reason, if it has been raised.
    pub(crate) fn raised(&self) -> Option<End> {
        self.0.borrow().clone()
    }

    /// Waits for the reason.
    pub(crate) async fn wait(&self) -> End {
        let mut watch = self.0.subscribe();
        loop {
            if let Some(reason) = watch.borrow_and_update().clone() {
                return reason;
            }
            // The sender lives as long as `self`.
            if watch.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}
