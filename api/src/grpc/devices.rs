//! `holdfast.v1.Devices`.

use std::sync::Arc;

use proto::v1::devices_server::Devices;
use proto::v1::{
    ChallengeReply, ChallengeRequest, LinksRequest, OpenSessionRequest, Session, SignedLink,
};
use tonic::{Request, Response, Status};
use types::WalletId;

use super::{stream, unary};
use crate::Shared;
use crate::vault::VaultError;

/// The service.
pub(crate) struct DevicesServer {
    inner: Shared,
}

impl DevicesServer {
    /// In front of this node's use cases.
    pub(crate) fn new(inner: Shared) -> Self {
        Self { inner }
    }
}

#[tonic::async_trait]
impl Devices for DevicesServer {
    type LinksStream = stream::Frames<SignedLink>;

    async fn challenge(
        &self,
        _: Request<ChallengeRequest>,
    ) -> Result<Response<ChallengeReply>, Status> {
        Ok(Response::new(unary::challenge(&self.inner.vault)?))
    }

    async fn open_session(
        &self,
        request: Request<OpenSessionRequest>,
    ) -> Result<Response<Session>, Status> {
        let deadline = stream::deadline(&request)?;
        let request = request.into_inner();
        let answer = unary::open_session(&self.inner.vault, &request).await;
        self.inner
            .or_elsewhere(unary::OPEN_SESSION, &request, deadline, answer)
            .await
            .map(Response::new)
    }

    async fn links(
        &self,
        request: Request<LinksRequest>,
    ) -> Result<Response<Self::LinksStream>, Status> {
        let (deadline, caller) = (stream::deadline(&request)?, stream::caller(&request)?);
        let LinksRequest { wallet, from } = request.into_inner();
        let wallet = WalletId::parse(&wallet).map_err(VaultError::from)?;
        let permit = self.inner.permits.pull(&caller)?;
        let begun = self.inner.vault.links(&caller, wallet, from).await?;
        let (sender, frames) = stream::channel(&self.inner.limits);
        let (inner, count) = (self.inner.clone(), self.inner.metrics.pull());
        tokio::spawn(async move {
            let _held = (permit, count);
            let sending = async {
                let mut left = Some(begun);
                while let Some(links) = left {
                    let room = Arc::new(inner.permits.frames().await);
                    let (some, rest) = inner.vault.more_links(links).await?;
                    for link in &some {
                        sender.send(link.into(), Some(&room)).await?;
                    }
                    left = rest;
                }
                Ok(())
            };
            let until = deadline.for_stream(inner.limits.pull_max);
            sender.end_by(until, sending).await;
            sender.taken(until).await;
        });
        Ok(Response::new(frames))
    }
}
