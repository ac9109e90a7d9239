//! Passing requests on, once, to the node that can serve them.
//!
//! Going out: the request as received, with what is left of its deadline, over the peer connection.
//! Coming in: only from nodes of the cluster, whose greeting and certificate agree; answered here or
//! refused, never passed on again. What comes in is held to the same rules as what strangers send,
//! because it is what strangers sent.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use proto::convert::{detail_of, status_with_detail};
use proto::peer::forward_client::ForwardClient;
use proto::peer::forward_reply::Outcome;
use proto::peer::{DescribeReply, DescribeRequest, ForwardReply, ForwardRequest, Refusal};
use proto::v1::ErrorDetail;
use raft::Node;
use tokio::time::timeout;
use tonic::{Code as Grpc, Request, Status};
use tracing::Instrument;
use types::NodeId;

use crate::door::Deadline;
use crate::grpc::MESSAGE_MAX;
use crate::methods::Method;
use crate::metrics::Metrics;
use crate::trace::outgoing;
use crate::vault::VaultError;

mod server;

pub(crate) use server::{ForwardServer, counted};

/// Longer than this nobody waits for a description.
const DESCRIBE: Duration = Duration::from_secs(1);

/// Passes requests on.
#[derive(Clone)]
pub(crate) struct Forwarder {
    node: Node,
    metrics: Metrics,
}

impl Forwarder {
    /// From this node.
    pub(crate) fn new(node: Node, metrics: Metrics) -> Self {
        Self { node, metrics }
    }

    /// Has another node answer a request.
    ///
    /// # Errors
    /// The other node's refusal, as it made it. If no answer comes, the outcome of a request that acts
    /// is unknown.
    pub(crate) async fn call<Q: Message, R: Message + Default>(
        &self,
        to: NodeId,
        method: &Method,
        request: &Q,
        deadline: Deadline,
    ) -> Result<R, Status> {
        let body = request.encode_to_vec().into();
        let sent = self.send(to, method, body, deadline.left());
        let answer = sent.instrument(outgoing(method)).await;
        self.metrics.forwarded(answer.is_ok());
        match answer?.outcome {
            Some(Outcome::Body(body)) => R::decode(body).map_err(|_| lost(method).into()),
            Some(Outcome::Refusal(refusal)) => Err(passed_back(&refusal)),
            None => Err(lost(method).into()),
        }
    }

    async fn send(
        &self,
        to: NodeId,
        method: &Method,
        body: Bytes,
        left: Duration,
    ) -> Result<ForwardReply, VaultError> {
        let unreachable =
            || VaultError::Unavailable("the node that could answer is not reachable from here");
        let channel = self.channel(to).ok_or_else(unreachable)?;
        let request = ForwardRequest {
            hello: Some(self.node.hello(to).map_err(|_| unreachable())?),
            method: method.path.to_owned(),
            body,
            timeout_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
        };
        let mut client = ForwardClient::new(channel)
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX + 1024);
        let mut request = Request::new(request);
        proto::trace::inject(request.metadata_mut());
        match timeout(left, client.call(request)).await {
            Ok(Ok(reply)) => Ok(reply.into_inner()),
            Ok(Err(status)) => {
                tracing::debug!(%to, status = status.message(), "a request that was passed on was not answered");
                Err(lost(method))
            }
            Err(_) => Err(lost(method)),
        }
    }

    /// How another node's door is; none if it does not say so in time.
    pub(crate) async fn describe(&self, of: NodeId) -> Option<DescribeReply> {
        let request = DescribeRequest { hello: Some(self.node.hello(of).ok()?) };
        let mut client = ForwardClient::new(self.channel(of)?);
        timeout(DESCRIBE, client.describe(request))
            .await
            .ok()?
            .ok()
            .map(tonic::Response::into_inner)
    }

    fn channel(&self, to: NodeId) -> Option<tonic::transport::Channel> {
        let node = self.node.node(to).filter(|node| node.state.counts())?;
        let own = self.node.identity().place.map(|place| place.node);
        if own == Some(node.id) { None } else { self.node.channel(node.id) }
    }
}

/// What is known when no answer came.
fn lost(method: &Method) -> VaultError {
    if method.acts {
        VaultError::Unknown
    } else {
        VaultError::Unavailable("the node that could answer did not")
    }
}

/// Another node's refusal, for the caller.
fn passed_back(refusal: &Refusal) -> Status {
    let code = Grpc::from_i32(i32::try_from(refusal.status).unwrap_or(i32::MAX));
    match ErrorDetail::decode(refusal.detail.clone()) {
        Ok(detail) => status_with_detail(code, &detail),
        Err(_) => VaultError::Broken.into(),
    }
}

/// A refusal, for the node that passed the request on.
fn pass_back(status: &Status) -> ForwardReply {
    let detail = detail_of(status).unwrap_or_else(|| VaultError::Broken.detail());
    let refusal = Refusal { status: status.code() as u32, detail: detail.encode_to_vec().into() };
    ForwardReply { outcome: Some(Outcome::Refusal(refusal)) }
}
