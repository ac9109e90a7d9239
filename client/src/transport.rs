//! What a client asks of one node, whatever carries it.
//!
//! The one implementation for the product is [`grpc`]; tests put a scripted, hostile or forgetful
//! cluster in its place. Nothing is retried here: each call is one attempt at one node.

use futures::{future::BoxFuture, stream::BoxStream};
use proto::v1;
use tonic::Status;

use crate::endpoint::NodeIndex;

#[cfg(test)]
pub(crate) mod fake;
pub(crate) mod grpc;

/// One attempt: an answer, or how it ended.
pub(crate) type Attempt<T> = BoxFuture<'static, Result<T, Status>>;
/// The frames of a pull or a watch.
pub(crate) type Frames = BoxStream<'static, Result<v1::PullReply, Status>>;

/// Which of the two doors a challenge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// A device asks for a session of its wallet.
    Devices,
    /// A recovery code or revoker asks for sessions of the wallets it is a member of.
    Recovery,
}

/// What proves that a request comes from the holder of a session (RFC 9449).
#[derive(Clone)]
pub(crate) struct Credentials {
    /// `authorization`
    pub(crate) authorization: String,
    /// `dpop`
    pub(crate) proof: String,
}

/// Path of a method: also the `htu` of its DPoP proof.
pub(crate) const PULL: &str = "/holdfast.v1.Wallets/Pull";
/// As [`PULL`].
pub(crate) const WATCH: &str = "/holdfast.v1.Wallets/Watch";

/// One attempt at one node, for each method that a wallet uses.
pub(crate) trait Transport: Send + Sync {
    fn create(&self, node: NodeIndex, request: v1::CreateRequest) -> Attempt<v1::PushReply>;
    fn push(&self, node: NodeIndex, request: v1::PushRequest) -> Attempt<v1::PushReply>;
    fn challenge(&self, node: NodeIndex, door: Door) -> Attempt<v1::ChallengeReply>;
    fn open_session(
        &self,
        node: NodeIndex,
        request: v1::OpenSessionRequest,
    ) -> Attempt<v1::Session>;
    fn open_recovery(&self, node: NodeIndex, request: v1::OpenRequest) -> Attempt<v1::OpenReply>;
    fn pull(
        &self,
        node: NodeIndex,
        request: v1::PullRequest,
        as_whom: Credentials,
    ) -> Attempt<Frames>;
    fn watch(
        &self,
        node: NodeIndex,
        request: v1::PullRequest,
        as_whom: Credentials,
    ) -> Attempt<Frames>;
}
