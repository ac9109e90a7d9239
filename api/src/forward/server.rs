//! What other nodes of the cluster pass on to this one.

use std::time::Duration;

use axum::extract::State;
use axum::middleware::Next;
use bytes::Bytes;
use prost::Message;
use proto::peer::forward_reply::Outcome;
use proto::peer::forward_server::Forward;
use proto::peer::{
    DescribeReply, DescribeRequest, ForwardReply, ForwardRequest, Hello, ReplicaDigest,
};
use raft::ConnectionIdentity;
use tokio::time::timeout;
use tonic::{Extensions, Request, Response, Status};
use tracing::{Instrument, Span};

use super::pass_back;
use crate::Shared;
use crate::grpc::unary;
use crate::methods::{Class, Method};
use crate::shed::Admission;
use crate::trace::{Surface, incoming};
use crate::vault::VaultError;

/// A request that is passed on is held as it came, and as its parts.
const TIMES: usize = 2;

/// The service between doors.
pub(crate) struct ForwardServer {
    inner: Shared,
}

impl ForwardServer {
    /// In front of this node's use cases.
    pub(crate) fn new(inner: Shared) -> Self {
        Self { inner }
    }

    fn admit(&self, extensions: &Extensions, hello: Option<&Hello>) -> Result<(), Status> {
        let hello = hello.ok_or_else(|| Status::permission_denied("no greeting came"))?;
        let certificate = extensions.get::<ConnectionIdentity>();
        let checked = self.inner.vault.node().check_hello(certificate, hello);
        checked.map(drop).map_err(|error| {
            tracing::warn!(from = hello.from, %error, "a request that was passed on was refused");
            Status::permission_denied(error.to_string())
        })
    }

    async fn answer(
        &self,
        method: &str,
        body: Bytes,
        admission: Admission,
    ) -> Result<Bytes, VaultError> {
        let vault = &self.inner.vault;
        match method {
            unary::CREATE => Ok(encoded(&unary::create(vault, &read(body)?, admission).await?)),
            unary::PUSH => Ok(encoded(&unary::push(vault, &read(body)?, admission).await?)),
            unary::OPEN_SESSION => Ok(encoded(&unary::open_session(vault, &read(body)?).await?)),
            unary::OPEN => Ok(encoded(&unary::open(vault, &read(body)?).await?)),
            _ => Err(VaultError::Unimplemented),
        }
    }
}

#[tonic::async_trait]
impl Forward for ForwardServer {
    async fn call(
        &self,
        request: Request<ForwardRequest>,
    ) -> Result<Response<ForwardReply>, Status> {
        self.admit(request.extensions(), request.get_ref().hello.as_ref())?;
        let span = Method::of(&request.get_ref().method).map_or_else(Span::none, |method| {
            incoming(Surface::Peer, method, request.metadata().as_ref())
        });
        let ForwardRequest { method, body, timeout_ms, .. } = request.into_inner();
        let class = Method::of(&method).map_or(Class::Read, |method| method.class);
        let (permit, admission) = match self.inner.permits.forwarded(class) {
            Ok(admitted) => admitted,
            Err(busy) => return Ok(Response::new(pass_back(&busy.into()))),
        };
        let left = Duration::from_millis(timeout_ms.into()).min(self.inner.limits.deadline_max);
        let work = self.answer(&method, body, admission).instrument(span);
        let outcome = timeout(left, work).await;
        drop(permit);
        let reply = match outcome {
            Ok(Ok(body)) => ForwardReply { outcome: Some(Outcome::Body(body)) },
            Ok(Err(error)) => pass_back(&error.into()),
            // The one who waits has given up at the same moment, and says so itself.
            Err(_) => pass_back(&VaultError::Unknown.into()),
        };
        Ok(Response::new(reply))
    }

    async fn describe(
        &self,
        request: Request<DescribeRequest>,
    ) -> Result<Response<DescribeReply>, Status> {
        self.admit(request.extensions(), request.get_ref().hello.as_ref())?;
        Ok(Response::new(self.inner.describe()))
    }
}

/// Counts what a request that is passed on carries, while it comes and until it is answered.
pub(crate) async fn counted(
    State(inner): State<Shared>,
    request: axum::extract::Request,
    next: Next,
) -> axum::response::Response {
    let account = inner.permits.forwarded_body(TIMES);
    next.run(request.map(|body| account.count(body))).await
}

impl crate::Inner {
    /// How this node's door is.
    pub(crate) fn describe(&self) -> DescribeReply {
        let node = self.vault.node();
        let digest = |group: types::GroupId| {
            let reader = node.replica(group).ok()?;
            let (position, digest) = (reader.position().ok()??, reader.digest().ok()?);
            let digest = Bytes::copy_from_slice(&digest.to_bytes());
            Some(ReplicaDigest { group: group.0, digest, index: position.index })
        };
        DescribeReply {
            locked: self.vault.keyring().is_locked(),
            opens_unattended: self.keys.opens_unattended(),
            digests: node.groups().into_iter().filter_map(digest).collect(),
        }
    }
}

fn read<T: Message + Default>(body: Bytes) -> Result<T, VaultError> {
    T::decode(body).map_err(|error| VaultError::Malformed(error.to_string()))
}

fn encoded(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}
