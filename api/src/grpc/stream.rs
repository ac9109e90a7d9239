//! Streams of answers: bounded in memory and time, and ended with a reason.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};

use crate::auth::Caller;
use crate::door::Deadline;
use crate::policy::Limits;
use crate::vault::VaultError;

/// What a handler returns.
pub(crate) type Frames<T> = ReceiverStream<Result<T, Status>>;

/// Frames that may be ready before the caller takes them.
const READY: usize = 2;
/// How long the reason for an end may wait to be taken.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Why a stream ended before it was complete.
pub(crate) enum Ended {
    /// The caller has gone, or took nothing for too long.
    Gone,
    /// There is an error to tell.
    Refused(VaultError),
}

impl From<VaultError> for Ended {
    fn from(error: VaultError) -> Self {
        Self::Refused(error)
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("Gone"),
            Self::Refused(error) => write!(f, "Refused({error})"),
        }
    }
}

/// Sends the frames of one stream.
pub(crate) struct Sender<T> {
    frames: mpsc::Sender<Result<T, Status>>,
    stall: Duration,
}

/// A stream and what fills it.
pub(crate) fn channel<T>(limits: &Limits) -> (Sender<T>, Frames<T>) {
    let (frames, stream) = mpsc::channel(READY);
    (Sender { frames, stall: limits.stall_max }, ReceiverStream::new(stream))
}

impl<T> Sender<T> {
    /// Sends a frame.
    ///
    /// # Errors
    /// [`Ended::Gone`] if nobody takes it in time.
    pub(crate) async fn send(&self, frame: T) -> Result<(), Ended> {
        match timeout(self.stall, self.frames.send(Ok(frame))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ended::Gone),
        }
    }

    /// Lets `work` fill the stream until its end or until `until`, and tells the caller why if it ends
    /// early. Ends with the caller, too.
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
            () = self.frames.closed() => Err(Ended::Gone),
        };
        if let Err(Ended::Refused(error)) = ended {
            let _ = timeout(LAST_WORD, self.frames.send(Err(error.into()))).await;
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
