//! The writer on a simulated disk: the same two steps, with the time between them that a sync takes.

use std::future::Future;

use super::Writer;

impl Writer {
    /// Writes until stopped, as its thread would. `sync` is the time that a sync takes.
    pub(crate) async fn run_paced<F: Future<Output = ()>>(mut self, sync: impl Fn() -> F) {
        while let Some(first) = self.queue.recv().await {
            let Some(effects) = self.write(first) else { return };
            sync().await;
            if !self.sync(effects) {
                return;
            }
        }
    }
}
