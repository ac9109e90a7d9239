//! The transport of the product: gRPC over TLS, one connection per node, made when first used.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use proto::v1::{
    self, devices_client::DevicesClient, recovery_client::RecoveryClient,
    wallets_client::WalletsClient,
};
use tonic::{Request, Status, metadata::MetadataValue, transport::Channel};

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

    /// A request whose caller waits for one attempt's time.
    fn timed<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.attempt);
        request
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
        let (mut wallets, request) = (self.wallets(node), self.timed(request));
        async move { Ok(wallets.create(request).await?.into_inner()) }.boxed()
    }

    fn push(&self, node: NodeIndex, request: v1::PushRequest) -> Attempt<v1::PushReply> {
        let (mut wallets, request) = (self.wallets(node), self.timed(request));
        async move { Ok(wallets.push(request).await?.into_inner()) }.boxed()
    }

    fn challenge(&self, node: NodeIndex, door: Door) -> Attempt<v1::ChallengeReply> {
        let (mut devices, mut recovery) = (self.devices(node), self.recovery(node));
        let request = self.timed(v1::ChallengeRequest {});
        async move {
            let answer = match door {
                Door::Devices => devices.challenge(request).await?,
                Door::Recovery => recovery.challenge(request).await?,
            };
            Ok(answer.into_inner())
        }
        .boxed()
    }

    fn open_session(
        &self,
        node: NodeIndex,
        request: v1::OpenSessionRequest,
    ) -> Attempt<v1::Session> {
        let (mut devices, request) = (self.devices(node), self.timed(request));
        async move { Ok(devices.open_session(request).await?.into_inner()) }.boxed()
    }

    fn open_recovery(&self, node: NodeIndex, request: v1::OpenRequest) -> Attempt<v1::OpenReply> {
        let (mut recovery, request) = (self.recovery(node), self.timed(request));
        async move { Ok(recovery.open(request).await?.into_inner()) }.boxed()
    }

    fn pull(
        &self,
        node: NodeIndex,
        request: v1::PullRequest,
        as_whom: Credentials,
    ) -> Attempt<Frames> {
        let mut wallets = self.wallets(node);
        async move { Ok(wallets.pull(signed(request, &as_whom)?).await?.into_inner().boxed() as Frames) }.boxed()
    }

    fn watch(
        &self,
        node: NodeIndex,
        request: v1::PullRequest,
        as_whom: Credentials,
    ) -> Attempt<Frames> {
        let mut wallets = self.wallets(node);
        async move {
            Ok(wallets.watch(signed(request, &as_whom)?).await?.into_inner().boxed() as Frames)
        }
        .boxed()
    }
}

/// The request with its session token and proof.
fn signed<T>(message: T, as_whom: &Credentials) -> Result<Request<T>, Status> {
    let mut request = Request::new(message);
    for (name, value) in [("authorization", &as_whom.authorization), ("dpop", &as_whom.proof)] {
        let value = MetadataValue::try_from(value)
            .map_err(|_| Status::internal("a session token that is no header"))?;
        request.metadata_mut().insert(name, value);
    }
    Ok(request)
}
