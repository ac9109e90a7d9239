//! Streams of answers: bounded in memory and time, and ended with a reason.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{Request, Status};

use crate::auth::Caller;
use crate::door::Deadline;
use crate::policy::Limits;
use crate::vault::VaultError;

/// Frames that may be ready before the caller takes them.
const READY: usize = 2;

/// Why a stream ended before it was complete.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The caller has gone.
    Gone,
    /// There is an error to tell.
    Refused(VaultError),
}

impl From<VaultError> for Ended {
    fn from(error: VaultError) -> Self {
        Self::Refused(error)
    }
}

/// What a handler returns: frames, and behind the last of them the reason if it came early.
pub(crate) struct Frames<T> {
    ready: mpsc::Receiver<T>,
    reason: Arc<OnceLock<Status>>,
    told: bool,
}

/// Fills one stream.
pub(crate) struct Sender<T> {
    ready: mpsc::Sender<T>,
    reason: Arc<OnceLock<Status>>,
    stall: Duration,
}

/// A stream and what fills it.
pub(crate) fn channel<T>(limits: &Limits) -> (Sender<T>, Frames<T>) {
    let (sender, receiver) = mpsc::channel(READY);
    let reason = Arc::new(OnceLock::new());
    let frames = Frames { ready: receiver, reason: Arc::clone(&reason), told: false };
    (Sender { ready: sender, reason, stall: limits.stall_max }, frames)
}

impl<T> Stream for Frames<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(context).map(|ready| match ready {
            Some(frame) => Some(Ok(frame)),
            None if self.told => None,
            None => {
                self.told = true;
                self.reason.get().cloned().map(Err)
            }
        })
    }
}

impl<T> Sender<T> {
    /// Sends a frame, as soon as there is room for it.
    ///
    /// # Errors
    /// [`Ended`] if nobody takes frames, or not in time.
    pub(crate) async fn send(&self, frame: T) -> Result<(), Ended> {
        match timeout(self.stall, self.ready.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended::Gone),
            Err(_) => Err(VaultError::Stalled.into()),
        }
    }

    /// Lets `work` fill the stream until its end or until `until`, and leaves the reason behind if it
    /// ends early. Ends with the caller, too.
    pub(crate) async fn end_by(
        &self,
        until: Option<Instant>,
        work: impl Future<Output = Result<(), Ended>>,
    ) {
        let limited = async {
            match until {
                Some(until) => {
                    timeout_at(until, work).await.unwrap_or(Err(VaultError::Deadline.into()))
                }
                None => work.await,
            }
        };
        let ended = tokio::select! {
            ended = limited => ended,
            () = self.ready.closed() => Err(Ended::Gone),
        };
        if let Err(Ended::Refused(error)) = ended {
            let _ = self.reason.set(error.into());
        }
    }
}

/// The deadline that the door set.
///
/// # Errors
/// A fault: no request comes here but through the door.
pub(crate) fn deadline<T>(request: &Request<T>) -> Result<Deadline, VaultError> {
    request.extensions().get::<Deadline>().copied().ok_or_else(not_through_the_door)
}

/// The member that the door let in by its session.
///
/// # Errors
/// A fault: no request comes here but through the door.
pub(crate) fn caller<T>(request: &Request<T>) -> Result<Caller, VaultError> {
    request.extensions().get::<Caller>().cloned().ok_or_else(not_through_the_door)
}

pub(super) fn not_through_the_door() -> VaultError {
    tracing::error!("a request reached its handler without what the door adds");
    VaultError::Broken
}

#[cfg(test)]
mod tests;
