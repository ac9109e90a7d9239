//! The one signal that ends a node: what a disk refused, what a replica cannot apply.

use std::sync::Arc;

use tokio::sync::watch;

/// Raised at most once with the first reason; whoever runs the node waits for it and exits.
#[derive(Clone)]
pub(crate) struct FatalSignal(Arc<watch::Sender<Option<String>>>);

impl FatalSignal {
    pub(crate) fn new() -> Self {
        FatalSignal(Arc::new(watch::Sender::new(None)))
    }

    /// Keeps the first reason: later ones are mostly its consequences.
    pub(crate) fn raise(&self, reason: String) {
        tracing::error!(reason, "this node cannot go on");
        self.0.send_if_modified(|kept| {
            let first = kept.is_none();
            if first {
                *kept = Some(reason);
            }
            first
        });
    }

    /// The reason, if it has been raised.
    pub(crate) fn raised(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Waits for the reason.
    pub(crate) async fn wait(&self) -> String {
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
