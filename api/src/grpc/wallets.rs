//! `holdfast.v1.Wallets`.

use std::sync::Arc;

use proto::v1::pull_reply::Part as Frame;
use proto::v1::wallets_server::Wallets;
use proto::v1::{
    CreateRequest, HeadTrail, Idle, PullEnd, PullReply, PullRequest, PullStart, PushReply,
    PushRequest,
};
use tokio::time::{Instant, sleep};
use tonic::{Request, Response, Status};
use types::{HeadHash, WalletId};

use super::stream::{self, Ended, Frames, Sender};
use super::{IDLE, unary};
use crate::Shared;
use crate::vault::{Freshness, Held, Part, Pull, VaultError, Watch};

/// The service.
pub(crate) struct WalletsServer {
    inner: Shared,
}

impl WalletsServer {
    /// In front of this node's use cases.
    pub(crate) fn new(inner: Shared) -> Self {
        Self { inner }
    }
}

#[tonic::async_trait]
impl Wallets for WalletsServer {
    type PullStream = Frames<PullReply>;
    type WatchStream = Frames<PullReply>;

    async fn create(&self, request: Request<CreateRequest>) -> Result<Response<PushReply>, Status> {
        let (deadline, admission) = (stream::deadline(&request)?, stream::admission(&request)?);
        let request = request.into_inner();
        let answer = unary::create(&self.inner.vault, &request, admission).await;
        self.inner.or_leader(unary::CREATE, &request, deadline, answer).await.map(Response::new)
    }

    async fn push(&self, request: Request<PushRequest>) -> Result<Response<PushReply>, Status> {
        let (deadline, admission) = (stream::deadline(&request)?, stream::admission(&request)?);
        let request = request.into_inner();
        let answer = unary::push(&self.inner.vault, &request, admission).await;
        self.inner.or_leader(unary::PUSH, &request, deadline, answer).await.map(Response::new)
    }

    async fn pull(
        &self,
        request: Request<PullRequest>,
    ) -> Result<Response<Self::PullStream>, Status> {
        let (deadline, caller) = (stream::deadline(&request)?, stream::caller(&request)?);
        let (held, freshness) = asked(request.get_ref())?;
        let permit = self.inner.permits.pull(&caller)?;
        let pull = self.inner.vault.pull(&caller, held, freshness).await?;
        let (sender, frames) = stream::channel(&self.inner.limits);
        let (inner, count) = (self.inner.clone(), self.inner.metrics.pull());
        tokio::spawn(async move {
            let _held = (permit, count);
            let until = deadline.for_stream(inner.limits.pull_max);
            sender.end_by(until, send(&inner, &sender, pull)).await;
            sender.taken(until).await;
        });
        Ok(Response::new(frames))
    }

    async fn watch(
        &self,
        request: Request<PullRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (deadline, caller) = (stream::deadline(&request)?, stream::caller(&request)?);
        let (held, freshness) = asked(request.get_ref())?;
        let permit = self.inner.permits.watch(&caller)?;
        let (watch, first) = self.inner.vault.watch(&caller, held, freshness).await?;
        let (sender, frames) = stream::channel(&self.inner.limits);
        let (inner, count) = (self.inner.clone(), self.inner.metrics.watch());
        tokio::spawn(async move {
            let _held = (permit, count);
            let guarded = async {
                tokio::select! {
                    refused = inner.vault.guard(&caller) => Err(refused.into()),
                    ended = follow(&inner, &sender, watch, first) => ended,
                }
            };
            sender.end_by(deadline.for_watch(), guarded).await;
            sender.taken(deadline.for_watch()).await;
        });
        Ok(Response::new(frames))
    }
}

/// What a request says its caller holds.
fn asked(request: &PullRequest) -> Result<(Held, Freshness), VaultError> {
    let head = match (request.seq, request.head.is_empty()) {
        (0, true) => HeadHash::ZERO,
        (0, false) | (_, true) => {
            return Err(VaultError::Malformed(
                "seq and head of what is held come together, or not at all".to_owned(),
            ));
        }
        _ => HeadHash::parse(&request.head)?,
    };
    let wallet = WalletId::parse(&request.wallet)?;
    let held = Held { wallet, seq: request.seq, head, links: request.links };
    Ok((held, if request.at_least { Freshness::AtLeast } else { Freshness::Linearizable }))
}

/// Sends a whole pull.
async fn send(inner: &Shared, sender: &Sender<PullReply>, pull: Pull) -> Result<(), Ended> {
    let wallet = *pull.wallet();
    let mut left = Some(pull);
    while let Some(pull) = left {
        let room = Arc::new(inner.permits.frames().await);
        let (parts, rest) = inner.vault.more(pull).await?;
        for part in parts {
            let frame = frame(part, || inner.vault.leader_hint(&wallet));
            sender.send(frame, Some(&room)).await?;
        }
        left = rest;
    }
    Ok(())
}

/// Sends pull after pull, and a sign of life now and then.
async fn follow(
    inner: &Shared,
    sender: &Sender<PullReply>,
    mut watch: Watch,
    first: Pull,
) -> Result<(), Ended> {
    send(inner, sender, first).await?;
    let mut idle_at = Instant::now() + IDLE;
    loop {
        tokio::select! {
            pull = watch.next() => send(inner, sender, pull?).await?,
            () = sleep(idle_at - Instant::now()) => {
                let idle = Frame::Idle(Idle { seq: watch.seq() });
                sender.send(PullReply { part: Some(idle) }, None).await?;
            }
        }
        idle_at = Instant::now() + IDLE;
    }
}

fn frame(part: Part, leader: impl FnOnce() -> String) -> PullReply {
    let part = match part {
        Part::Start { head, unchanged, full } => {
            Frame::Start(PullStart { head: Some((&head).into()), unchanged, full })
        }
        Part::Trail(heads) => {
            Frame::Trail(HeadTrail { heads: heads.iter().map(Into::into).collect() })
        }
        Part::Link(link) => Frame::Link((&link).into()),
        Part::HeadHashes(hashes) => {
            Frame::HeadHashes(run(hashes.iter().map(|hash| hash.as_bytes().as_slice())))
        }
        Part::Removed(ids) => Frame::Removed(run(ids.iter().map(|id| id.as_bytes().as_slice()))),
        Part::Entries(entries) => {
            let encoded: Vec<_> = entries.iter().map(types::Entry::encode).collect();
            Frame::Entries(run(encoded.iter().map(Vec::as_slice)))
        }
        Part::Envelope(envelope) => Frame::Envelope(envelope.into()),
        Part::End => Frame::End(PullEnd { leader: leader() }),
    };
    PullReply { part: Some(part) }
}

/// Items of fixed length, one after another.
fn run<'a>(items: impl Iterator<Item = &'a [u8]>) -> bytes::Bytes {
    items.collect::<Vec<_>>().concat().into()
}
