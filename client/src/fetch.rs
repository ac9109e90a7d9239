//! Pulls and watches over the wire: requests with their proofs, frames into whole pulls.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use proto::v1;
use tokio::time;
use tonic::Status;

use crate::{
    client::{CallError, Client, Effect, Hinted},
    clock,
    local::Known,
    random::Random,
    session::Session,
    sync::received::{Collector, Received, Unreadable},
    transport::{Frames, PULL, WATCH},
};

/// A watch says nothing for longer than this only if its connection broke unnoticed.
const WATCH_SILENCE: Duration = Duration::from_secs(120);

/// What the caller of a pull holds.
pub(crate) fn request(session: &Session, known: Option<&Known>) -> v1::PullRequest {
    let head = known.map(|known| &known.head);
    v1::PullRequest {
        wallet: session.wallet().as_bytes().to_vec().into(),
        seq: head.map_or(0, |head| head.head().seq),
        head: head.map_or_else(Vec::new, |head| head.hash().as_bytes().to_vec()).into(),
        links: known.map_or(0, |known| known.membership.links()),
        at_least: false,
    }
}

/// One linearizable pull, from whichever node answers.
pub(crate) async fn pull(
    client: &Client,
    session: &Session,
    request: &v1::PullRequest,
    random: &mut Random,
) -> Result<Received, CallError> {
    let transport = client.transport();
    let deadlines = client.deadlines();
    let answer = client
        .call(Effect::None, Some(&session.wallet()), deadlines.overall, |node| {
            let (transport, request) = (transport.clone(), request.clone());
            let credentials = session.credentials(PULL, clock::now_s(), random);
            async move {
                let credentials =
                    credentials.map_err(|error| Status::internal(error.to_string()))?;
                let opening =
                    time::timeout(deadlines.attempt, transport.pull(node, request, credentials));
                let mut frames = opening.await.map_err(|_| too_slow())??;
                whole(&mut frames, &mut Collector::default(), deadlines.attempt).await
            }
            .boxed()
        })
        .await?;
    answer.map_err(|unreadable| CallError::Other(unreadable.into()))
}

/// Opens a watch at the node that answers for the wallet's group.
pub(crate) async fn watch(
    client: &Client,
    session: &Session,
    request: v1::PullRequest,
    random: &mut Random,
) -> Result<Frames, Status> {
    let node = client.node_for(&session.wallet());
    let credentials = session
        .credentials(WATCH, clock::now_s(), random)
        .map_err(|error| Status::internal(error.to_string()))?;
    let opening = client.transport().watch(node, request, credentials);
    time::timeout(client.deadlines().attempt, opening).await.map_err(|_| too_slow())?
}

/// The next whole pull of a watch.
pub(crate) async fn next(frames: &mut Frames) -> Result<Result<Received, Unreadable>, Status> {
    whole(frames, &mut Collector::default(), WATCH_SILENCE).await
}

async fn whole(
    frames: &mut Frames,
    collector: &mut Collector,
    silence: Duration,
) -> Result<Result<Received, Unreadable>, Status> {
    loop {
        let frame = time::timeout(silence, frames.next()).await.map_err(|_| too_slow())?;
        let Some(frame) = frame else { return Err(Status::unavailable("the answer was cut off")) };
        match collector.frame(frame?) {
            Ok(None) => {}
            Ok(Some(received)) => return Ok(Ok(received)),
            Err(unreadable) => return Ok(Err(unreadable)),
        }
    }
}

fn too_slow() -> Status {
    Status::deadline_exceeded("no answer in time")
}

impl Hinted for Result<Received, Unreadable> {
    fn leader(&self) -> &str {
        self.as_ref().map_or("", |received| &received.leader)
    }
}
