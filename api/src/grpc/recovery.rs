//! `holdfast.v1.Recovery`.

use proto::v1::recovery_server::Recovery;
use proto::v1::{ChallengeReply, ChallengeRequest, OpenReply, OpenRequest};
use tonic::{Request, Response, Status};

use super::{stream, unary};
use crate::Shared;

/// The service.
pub(crate) struct RecoveryServer {
    inner: Shared,
}

impl RecoveryServer {
    /// In front of this node's use cases.
    pub(crate) fn new(inner: Shared) -> Self {
        Self { inner }
    }
}

#[tonic::async_trait]
impl Recovery for RecoveryServer {
    async fn challenge(
        &self,
        _: Request<ChallengeRequest>,
    ) -> Result<Response<ChallengeReply>, Status> {
        Ok(Response::new(unary::challenge(&self.inner.vault)?))
    }

    async fn open(&self, request: Request<OpenRequest>) -> Result<Response<OpenReply>, Status> {
        let deadline = stream::deadline(&request)?;
        let request = request.into_inner();
        let answer = unary::open(&self.inner.vault, &request).await;
        self.inner.or_elsewhere(unary::OPEN, &request, deadline, answer).await.map(Response::new)
    }
}
