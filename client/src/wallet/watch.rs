//! Watch: a stream of pulls, made again whenever it breaks.

use std::ops::ControlFlow;

use tokio::time;
use tonic::Status;

use super::{PullReport, Wallet};
use crate::{error::ClientError, fetch, retry::Outcome};

impl Wallet {
    /// Follows the head: pulls, then takes over every change as it comes, and tells `on_change` each time,
    /// until that breaks off.
    ///
    /// A broken stream is opened again after a pull, as often as it takes: where streams do not get
    /// through at all, that amounts to pulling every half second.
    ///
    /// # Errors
    /// [`ClientError::Integrity`] and refusals as [`Wallet::pull`]; never that a node is away.
    pub async fn watch(
        &mut self,
        mut on_change: impl FnMut(&PullReport) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let mut failures = 0;
        loop {
            match self.pull().await {
                Ok(report) if !report.unchanged && on_change(&report).is_break() => return Ok(()),
                Ok(_) => {}
                Err(ClientError::Unavailable(_)) => failures += 1,
                Err(error) => return Err(error),
            }
            match self.follow(&mut on_change, &mut failures).await? {
                ControlFlow::Break(()) => return Ok(()),
                ControlFlow::Continue(()) => failures += 1,
            }
            time::sleep(self.client.pause(failures)).await;
        }
    }

    /// Reads one stream until it breaks.
    async fn follow(
        &mut self,
        on_change: &mut impl FnMut(&PullReport) -> ControlFlow<()>,
        failures: &mut u32,
    ) -> Result<ControlFlow<()>, ClientError> {
        let session = match self.take_session().await {
            Ok(session) => session,
            Err(ClientError::Unavailable(_)) => return Ok(ControlFlow::Continue(())),
            Err(error) => return Err(error),
        };
        let request = fetch::request(&session, self.known.as_ref());
        let mut frames = match fetch::watch(&self.client, &session, request, &mut self.random).await
        {
            Ok(frames) => frames,
            Err(status) => return broken(&status).map_err(|error| self.told(error)),
        };
        self.session = Some(session);
        let mut live = false;
        loop {
            // While waiting, for however long, no wallet key is kept open.
            self.key = None;
            let received = match fetch::next(&mut frames).await {
                Ok(received) => received.map_err(ClientError::from)?,
                Err(status) => return broken(&status).map_err(|error| self.told(error)),
            };
            *failures = 0;
            let report = PullReport { live, ..self.take_in(received)? };
            // The first is what the stream was asked for; what follows nobody asked for.
            live = true;
            if !report.unchanged && on_change(&report).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
}

/// Whether the stream may be opened again.
fn broken(status: &Status) -> Result<ControlFlow<()>, ClientError> {
    match Outcome::of(status) {
        Outcome::Refused(refusal) => Err(refusal.into()),
        Outcome::NotDone { .. } | Outcome::Unknown { .. } | Outcome::SessionEnded { .. } => {
            Ok(ControlFlow::Continue(()))
        }
    }
}
