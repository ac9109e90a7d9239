//! The other end of every link: what peers ask of this node.
//!
//! Nothing is answered before the greeting holds, except who is there and who belongs here ([`Identify`],
//! [`Adopt`] and [`Rejoin`] are for nodes that do not know each other yet, and still need a certificate of
//! the cluster).
//!
//! [`Identify`]: proto::peer::IdentifyRequest
//! [`Adopt`]: proto::peer::AdoptRequest
//! [`Rejoin`]: proto::peer::RejoinRequest

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use proto::peer::peer_server::Peer as PeerService;
use proto::peer::{
    AdoptReply, AdoptRequest, ControlFrame, FetchFrame, FetchRequest, Hello, IdentifyReply,
    IdentifyRequest, LogFrame, RecoverReply, RecoverRequest, RejoinReply, RejoinRequest,
    RosterNode, SnapshotFrame, SnapshotReply,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use types::{GroupId, NodeId, NodeInfo};

use crate::certificate::{ConnectionIdentity, IdentityKind};
use crate::error::ClusterError;
use crate::node::Inner;
use crate::peer::link::Protocol;
use crate::peer::{control::Control, handshake, session::Log};

mod answer;
mod append;
mod fetch;
mod install;
mod recovery;

/// From the opening of a stream to its greeting.
const GREET: Duration = Duration::from_secs(3);
/// Frames that may wait to be sent.
const OUTBOUND: usize = 256;

/// The peer service of one node.
#[derive(Clone)]
pub(crate) struct PeerServer {
    pub(crate) node: Arc<Inner>,
}

/// Frames of a state read ahead of the network.
const FETCHED: usize = 2;

type Frames<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl PeerServer {
    /// The machine of this cluster that a connection's certificate names. The authority may sign for
    /// other clusters too: its signature alone says nothing about where a machine belongs.
    fn machine<'a>(
        &self,
        identity: Option<&'a ConnectionIdentity>,
    ) -> Result<&'a ConnectionIdentity, Status> {
        let own = |found: &&ConnectionIdentity| {
            found.kind == IdentityKind::Node && found.cluster == self.node.tls.cluster()
        };
        identity.filter(own).ok_or_else(|| {
            Status::permission_denied(
                "the connection shows no certificate of a node of this cluster",
            )
        })
    }

    /// Whether a machine may take this node in: one that the registry knows, as far as this node has
    /// one, else one of those that it is to join.
    fn may_adopt(&self, asked_by: &ConnectionIdentity, request: &AdoptRequest) -> bool {
        if self.node.identity.load().place.is_some() {
            let roster = self.node.roster.load();
            roster.nodes().any(|node| {
                node.name == asked_by.name && node.dc == asked_by.dc && node.state.counts()
            })
        } else {
            let is_caller =
                |node: &RosterNode| node.name == asked_by.name && node.dc == asked_by.dc;
            request.roster.iter().any(is_caller)
        }
    }

    /// Checks the first frame of a stream and answers it in kind.
    fn admit(
        &self,
        identity: &ConnectionIdentity,
        hello: &Hello,
    ) -> Result<(NodeInfo, Hello), Status> {
        let node = &self.node;
        if node.quarantine.get().is_some() {
            return Err(Status::unavailable("this node is in quarantine"));
        }
        let own = node.identity.load();
        let from = handshake::check(&own, &node.roster.load(), Some(identity), hello).map_err(
            |error| {
                tracing::warn!(from = hello.from, %error, "a peer's greeting was refused");
                if own.place.is_some() && node.node(NodeId(hello.from)).is_none() {
                    node.greeted_by_a_stranger();
                }
                Status::permission_denied(error.to_string())
            },
        )?;
        let answer = handshake::hello(&own, &from)
            .map_err(|error| Status::permission_denied(error.to_string()))?;
        node.peers.poke(from.id);
        Ok((from, answer))
    }

    async fn greet<P: Protocol>(
        &self,
        request: Request<Streaming<P::Frame>>,
    ) -> Result<
        (NodeInfo, Streaming<P::Frame>, mpsc::Sender<Result<P::Frame, Status>>, Frames<P::Frame>),
        Status,
    > {
        let identity = request.extensions().get::<ConnectionIdentity>().cloned();
        let mut frames = request.into_inner();
        let first = timeout(GREET, frames.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no greeting came"))??;
        let hello = first
            .and_then(P::greeting)
            .ok_or_else(|| Status::invalid_argument("no greeting came"))?;
        let identity = self.machine(identity.as_ref())?;
        let (from, answer) = self.admit(identity, &hello)?;
        let (out, answers) = mpsc::channel(OUTBOUND);
        // The channel is new and has room.
        let _ = out.try_send(Ok(P::greet(answer)));
        Ok((from, frames, out, Box::pin(ReceiverStream::new(answers))))
    }
}

#[tonic::async_trait]
impl PeerService for PeerServer {
    type ControlStream = Frames<ControlFrame>;
    type LogStream = Frames<LogFrame>;
    type SnapshotStream = Frames<SnapshotReply>;
    type FetchStream = Frames<FetchFrame>;

    async fn identify(
        &self,
        request: Request<IdentifyRequest>,
    ) -> Result<Response<IdentifyReply>, Status> {
        self.machine(request.extensions().get())?;
        Ok(Response::new(self.node.describe()))
    }

    async fn adopt(&self, request: Request<AdoptRequest>) -> Result<Response<AdoptReply>, Status> {
        let asked_by = self.machine(request.extensions().get())?.clone();
        tracing::info!(by = asked_by.name, "asked to join a cluster");
        let request = request.into_inner();
        if !self.may_adopt(&asked_by, &request) {
            return Err(Status::permission_denied(
                "only a node of the cluster that this one is in, or is to join, may take it in",
            ));
        }
        self.node
            .adopt(request)
            .await
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        Ok(Response::new(AdoptReply {}))
    }

    async fn rejoin(
        &self,
        request: Request<RejoinRequest>,
    ) -> Result<Response<RejoinReply>, Status> {
        let asked_by = self.machine(request.extensions().get())?.clone();
        let outcome = self.node.readmit(&asked_by, request.into_inner()).await;
        outcome.map(Response::new).map_err(|error| match error {
            ClusterError::Refused(reason) => Status::failed_precondition(reason),
            ClusterError::Unavailable(reason) => Status::unavailable(reason),
        })
    }

    async fn fetch(
        &self,
        request: Request<FetchRequest>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        let identity = self.machine(request.extensions().get())?.clone();
        let FetchRequest { hello, group } = request.into_inner();
        let hello = hello.ok_or_else(|| Status::invalid_argument("no greeting came"))?;
        let (from, _) = self.admit(&identity, &hello)?;
        let (out, frames) = mpsc::channel(FETCHED);
        tokio::spawn(fetch::serve(self.node.clone(), from, GroupId(group), out));
        Ok(Response::new(Box::pin(ReceiverStream::new(frames))))
    }

    async fn recover(
        &self,
        request: Request<RecoverRequest>,
    ) -> Result<Response<RecoverReply>, Status> {
        let identity = self.machine(request.extensions().get())?.clone();
        let RecoverRequest { hello, mandate } = request.into_inner();
        let hello = hello.ok_or_else(|| Status::invalid_argument("no greeting came"))?;
        let (from, _) = self.admit(&identity, &hello)?;
        recovery::serve(self.node.clone(), from, mandate).await.map(Response::new)
    }

    async fn control(
        &self,
        request: Request<Streaming<ControlFrame>>,
    ) -> Result<Response<Self::ControlStream>, Status> {
        let (from, frames, out, answers) = self.greet::<Control>(request).await?;
        tokio::spawn(answer::serve(self.node.clone(), from, frames, out));
        Ok(Response::new(answers))
    }

    async fn log(
        &self,
        request: Request<Streaming<LogFrame>>,
    ) -> Result<Response<Self::LogStream>, Status> {
        let (from, frames, out, answers) = self.greet::<Log>(request).await?;
        tokio::spawn(append::serve(self.node.clone(), from, frames, out));
        Ok(Response::new(answers))
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<SnapshotFrame>>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        let identity = request.extensions().get::<ConnectionIdentity>().cloned();
        let mut frames = request.into_inner();
        let first = timeout(GREET, frames.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no greeting came"))??;
        let hello = first
            .and_then(install::greeting)
            .ok_or_else(|| Status::invalid_argument("no greeting came"))?;
        let identity = self.machine(identity.as_ref())?;
        let (from, answer) = self.admit(identity, &hello)?;
        let (out, replies) = mpsc::channel(OUTBOUND);
        // The channel is new and has room.
        let _ = out.try_send(Ok(install::greet(answer)));
        tokio::spawn(install::serve(self.node.clone(), from, frames, out));
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }
}
