//! Streams of answers: bounded in memory and time, and ended with a reason.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{Request, Status};

use crate::auth::Caller;
use crate::door::Deadline;
use crate::policy::Limits;
use crate::shed::{Admission, FrameRoom};
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

/// A frame and the room that it takes, until it is taken or nobody is expected to take it any more.
type Ready<T> = Arc<Mutex<Option<(T, Option<Arc<FrameRoom>>)>>>;

/// What a handler returns: frames, and behind the last of them the reason if it came early.
pub(crate) struct Frames<T> {
    ready: mpsc::Receiver<Ready<T>>,
    reason: Arc<OnceLock<Status>>,
    told: bool,
}

/// Fills one stream.
pub(crate) struct Sender<T> {
    ready: mpsc::Sender<Ready<T>>,
    /// The last frames that were sent; those before them have been taken.
    last: Mutex<VecDeque<Ready<T>>>,
    reason: Arc<OnceLock<Status>>,
    stall: Duration,
}

/// A stream and what fills it.
pub(crate) fn channel<T>(limits: &Limits) -> (Sender<T>, Frames<T>) {
    let (sender, receiver) = mpsc::channel(READY);
    let reason = Arc::new(OnceLock::new());
    let frames = Frames { ready: receiver, reason: Arc::clone(&reason), told: false };
    (Sender { ready: sender, last: Mutex::default(), reason, stall: limits.stall_max }, frames)
}

impl<T> Stream for Frames<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.ready.poll_recv(context)) {
                Some(ready) => {
                    let frame = ready.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some((frame, _room)) = frame {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                }
                None if self.told => return Poll::Ready(None),
                None => {
                    self.told = true;
                    return Poll::Ready(self.reason.get().cloned().map(Err));
                }
            }
        }
    }
}

impl<T> Sender<T> {
    /// Sends a frame, as soon as the caller takes those before it. Frames that are made ready together
    /// share the room they take.
    ///
    /// # Errors
    /// [`Ended`] if nobody takes frames, or not in time.
    pub(crate) async fn send(&self, frame: T, room: Option<&Arc<FrameRoom>>) -> Result<(), Ended> {
        let ready = Arc::new(Mutex::new(Some((frame, room.cloned()))));
        match timeout(self.stall, self.ready.send(Arc::clone(&ready))).await {
            Ok(Ok(())) => {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                last.truncate(READY - 1);
                last.push_front(ready);
                Ok(())
            }
            Ok(Err(_)) => Err(Ended::Gone),
            Err(_) => Err(VaultError::Stalled.into()),
        }
    }

    /// Waits until everything is taken, `until` then at most. What is not taken in time is thrown away,
    /// so that whoever takes nothing holds nothing.
    pub(crate) async fn taken(self, until: Option<Instant>) {
        let stalled = Instant::now() + self.stall;
        let until = until.map_or(stalled, |until| until.min(stalled));
        if timeout_at(until, self.ready.reserve_many(READY)).await.is_ok() {
            return;
        }
        for ready in self.last.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        let _ = self.reason.set(VaultError::Stalled.into());
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

/// Whether there was room for the request whatever it is.
///
/// # Errors
/// A fault: no request comes here but through the door.
pub(crate) fn admission<T>(request: &Request<T>) -> Result<Admission, VaultError> {
    request.extensions().get::<Admission>().copied().ok_or_else(not_through_the_door)
}

pub(super) fn not_through_the_door() -> VaultError {
    tracing::error!("a request reached its handler without what the door adds");
    VaultError::Broken
}

#[cfg(test)]
mod tests;
