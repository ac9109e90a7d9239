//! The transport of the product: gRPC over TLS, one connection per node, made when first used.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use proto::trace::TARGET;
use proto::v1::{
    self, devices_client::DevicesClient, recovery_client::RecoveryClient,
    wallets_client::WalletsClient,
};
use tonic::{Request, Status, metadata::MetadataValue, transport::Channel};
use tracing::{Instrument, Span};

use super::{Attempt, Credentials, Door, Frames, Transport};
use crate::{
    builder::Deadlines,
    endpoint::{Endpoint, NodeIndex},
    error::Usage,
    tls::Trust,
};

/// Frames are below 1 MiB; what is larger is not from a Holdfast node.
const ANSWER_MAX: usize = 2 << 20;

/// Channels to all configured nodes.
pub(crate) struct Grpc {
    channels: Vec<Channel>,
    /// What a node is told of how long its one answer is waited for.
    attempt: Duration,
}

impl Grpc {
    pub(crate) fn new(
        endpoints: &[Endpoint],
        trust: &Trust,
        deadlines: Deadlines,
    ) -> Result<Self, Usage> {
        let channels = endpoints
            .iter()
            .map(|endpoint| trust.channel(endpoint, deadlines.connect))
            .collect::<Result<_, _>>()?;
        Ok(Self { channels, attempt: deadlines.attempt })
    }

    /// A request whose caller waits for one attempt's time, and the span of that attempt.
    fn timed<T>(&self, method: &'static str, message: T) -> (Span, Request<T>) {
        let mut request = Request::new(message);
        request.set_timeout(self.attempt);
        (traced(method, &mut request), request)
    }

    fn wallets(&self, node: NodeIndex) -> WalletsClient<Channel> {
        WalletsClient::new(self.channels[node].clone()).max_decoding_message_size(ANSWER_MAX)
    }

    fn devices(&self, node: NodeIndex) -> DevicesClient<Channel> {
        DevicesClient::new(self.channels[node].clone()).max_decoding_message_size(ANSWER_MAX)
    }

    fn recovery(&self, node: NodeIndex) -> RecoveryClient<Channel> {
        RecoveryClient::new(self.channels[node].clone()).max_decoding_message_size(ANSWER_MAX)
    }
}

impl Transport for Grpc {
    fn create(&self, node: NodeIndex, request: v1::CreateRequest) -> Attempt<v1::PushReply> {
        let mut wallets = self.wallets(node);
        let (span, request) = self.timed("Wallets/Create", request);
        async move { Ok(wallets.create(request).await?.into_inner()) }.instrument(span).boxed()
    }

    fn push(&self, node: NodeIndex, request: v1::PushRequest) -> Attempt<v1::PushReply> {
        let mut wallets = self.wallets(node);
        let (span, request) = self.timed("Wallets/Push", request);
        async move { Ok(wallets.push(request).await?.into_inner()) }.instrument(span).boxed()
    }

    fn challenge(&self, node: NodeIndex, door: Door) -> Attempt<v1::ChallengeReply> {
        let (mut devices, mut recovery) = (self.devices(node), self.recovery(node));
        let method = match door {
            Door::Devices => "Devices/Challenge",
            Door::Recovery => "Recovery/Challenge",
        };
        let (span, request) = self.timed(method, v1::ChallengeRequest {});
        async move {
            let answer = match door {
                Door::Devices => devices.challenge(request).await?,
                Door::Recovery => recovery.challenge(request).await?,
            };
            Ok(answer.into_inner())
        }
        .instrument(span)
        .boxed()
    }

    fn open_session(
        &self,
        node: NodeIndex,
        request: v1::OpenSessionRequest,
    ) -> Attempt<v1::Session> {
        let mut devices = self.devices(node);
        let (span, request) = self.timed("Devices/OpenSession", request);
        async move { Ok(devices.open_session(request).await?.into_inner()) }
            .instrument(span)
            .boxed()
    }

    fn open_recovery(&self, node: NodeIndex, request: v1::OpenRequest) -> Attempt<v1::OpenReply> {
        let mut recovery = self.recovery(node);
        let (span, request) = self.timed("Recovery/Open", request);
        async move { Ok(recovery.open(request).await?.into_inner()) }.instrument(span).boxed()
    }

    fn pull(
        &self,
        node: NodeIndex,
        request: v1::PullRequest,
        as_whom: Credentials,
    ) -> Attempt<Frames> {
        let mut wallets = self.wallets(node);
        let mut request = Request::new(request);
        let span = traced("Wallets/Pull", &mut request);
        async move {
            Ok(wallets.pull(signed(request, &as_whom)?).await?.into_inner().boxed() as Frames)
        }
        .instrument(span)
        .boxed()
    }

    fn watch(
        &self,
        node: NodeIndex,
        request: v1::PullRequest,
        as_whom: Credentials,
    ) -> Attempt<Frames> {
        let mut wallets = self.wallets(node);
        let mut request = Request::new(request);
        let span = traced("Wallets/Watch", &mut request);
        async move {
            Ok(wallets.watch(signed(request, &as_whom)?).await?.into_inner().boxed() as Frames)
        }
        .instrument(span)
        .boxed()
    }
}

/// The span of one attempt, whose context the request carries: the caller's trace goes on in the node. Spans
/// tell the method and nothing else.
fn traced<T>(method: &'static str, request: &mut Request<T>) -> Span {
    let span = tracing::info_span!(
        target: TARGET, "attempt", otel.name = method, otel.kind = "client", rpc.system = "grpc"
    );
    span.in_scope(|| proto::trace::inject(request.metadata_mut()));
    span
}

/// The request with its session token and proof.
fn signed<T>(mut request: Request<T>, as_whom: &Credentials) -> Result<Request<T>, Status> {
    for (name, value) in [("authorization", &as_whom.authorization), ("dpop", &as_whom.proof)] {
        let value = MetadataValue::try_from(value)
            .map_err(|_| Status::internal("a session token that is no header"))?;
        request.metadata_mut().insert(name, value);
    }
    Ok(request)
}
