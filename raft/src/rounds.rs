//! Work that many wait for and one does: whoever comes while a round runs joins the next one.
//!
//! A read index says what was committed when it was asked for, so a waiter must never be given one
//! that was asked for before it came.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

type Work<T, E> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<T, E>> + Send>> + Send + Sync>;

/// Shares the rounds of one piece of work.
pub(crate) struct Rounds<T, E> {
    state: Mutex<State<T, E>>,
    work: Work<T, E>,
    /// What a waiter gets when the work is dropped half way.
    lost: E,
}

struct State<T, E> {
    waiting: Vec<oneshot::Sender<Result<T, E>>>,
    running: bool,
}

impl<T: Clone + Send + 'static, E: Clone + Send + Sync + 'static> Rounds<T, E> {
    pub(crate) fn new<F>(lost: E, work: impl Fn() -> F + Send + Sync + 'static) -> Arc<Self>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let state = Mutex::new(State { waiting: Vec::new(), running: false });
        Arc::new(Rounds { state, work: Box::new(move || Box::pin(work())), lost })
    }

    /// Waits for a round that begins from now on.
    pub(crate) async fn join(self: &Arc<Self>) -> Result<T, E> {
        let (answer, answered) = oneshot::channel();
        let start = {
            let mut state = self.state();
            state.waiting.push(answer);
            !std::mem::replace(&mut state.running, true)
        };
        if start {
            let rounds = self.clone();
            tokio::spawn(async move { rounds.run().await });
        }
        answered.await.unwrap_or_else(|_| Err(self.lost.clone()))
    }

    async fn run(&self) {
        // Should the work panic, the next one to come starts anew.
        let _running = Running(self);
        loop {
            let waiting = {
                let mut state = self.state();
                if state.waiting.is_empty() {
                    state.running = false;
                    return;
                }
                std::mem::take(&mut state.waiting)
            };
            let result = (self.work)().await;
            for waiter in waiting {
                // A waiter may have given up.
                let _ = waiter.send(result.clone());
            }
        }
    }

    /// How many wait for a round that has not begun.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    fn state(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Running<'a, T, E>(&'a Rounds<T, E>);

impl<T, E> Drop for Running<'_, T, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.running = false;
            state.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests;
