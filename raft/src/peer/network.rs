//! openraft's way to one peer: which link carries what, and which failures mean what.
//!
//! `Unreachable` makes openraft back off, so it is said only when the peer cannot be reached;
//! a peer that answers with a refusal, or not in time, is tried again soon.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use openraft::errors::{
    NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::network::{RPCOption, stream_append_sequential};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use types::{GroupId, NodeId};

use crate::bounds::check_leap;
use crate::peer::control::CallError;
use crate::peer::convert::{self, ControlKind};
use crate::peer::pool::{Peer, Peers};
use crate::peer::session::{Ends, Session, check_upto, last_of, network};
use crate::peer::snapshot;
use crate::snapshot::SnapshotData;
use crate::types::{LeaderId, LogId, Replica, Snapshot, TypeConfig, Vote};
use crate::wire::DecodeError;

/// Makes the ways from one group on this node to its peers.
pub(crate) struct NetworkFactory {
    pub(crate) peers: Arc<Peers>,
    pub(crate) group: GroupId,
    pub(crate) from: u64,
    /// How long a peer may leave an append unanswered.
    pub(crate) append_deadline: Duration,
}

/// The way from one group on this node to one peer.
pub(crate) struct Network {
    peers: Arc<Peers>,
    ends: Ends,
    append_deadline: Duration,
    heartbeat: bool,
}

impl NetworkFactory {
    fn network(&self, target: u64, heartbeat: bool) -> Network {
        Network {
            peers: self.peers.clone(),
            ends: Ends { group: self.group, from: self.from, to: target },
            append_deadline: self.append_deadline,
            heartbeat,
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for NetworkFactory {
    type Network = Network;

    async fn new_client(&mut self, target: u64, _node: &Replica) -> Network {
        self.network(target, false)
    }

    async fn new_heartbeat_client(&mut self, target: u64, _node: &Replica) -> Network {
        self.network(target, true)
    }
}

impl Network {
    /// The peer, as long as it counts.
    fn peer(&self) -> Result<Arc<Peer>, Unreachable<TypeConfig>> {
        let peer = self
            .peers
            .get(NodeId(self.ends.to))
            .ok_or_else(|| Unreachable::from_string("the node is not in the registry"))?;
        peer.acknowledged.check().map_err(|went_back| Unreachable::new(&went_back))?;
        Ok(peer)
    }

    async fn call<T>(
        &self,
        kind: ControlKind,
        action: RPCTypes,
        body: Bytes,
        option: &RPCOption,
        decode: impl FnOnce(Bytes) -> Result<T, DecodeError>,
    ) -> Result<T, RPCError<TypeConfig>> {
        self.peer().map_err(RPCError::Unreachable)?;
        let answer = self
            .peers
            .call(NodeId(self.ends.to), self.ends.group, kind, body, option.hard_ttl())
            .await;
        let answer = answer.map_err(|error| self.failure(error, action))?;
        decode(answer).map_err(|error| RPCError::Network(NetworkError::new(&error)))
    }

    fn failure(&self, error: CallError, action: RPCTypes) -> RPCError<TypeConfig> {
        match error {
            CallError::Unreachable(_) => RPCError::Unreachable(Unreachable::new(&error)),
            CallError::Refused(_) => RPCError::Network(NetworkError::new(&error)),
            CallError::Timeout(timeout) => RPCError::Timeout(Timeout {
                action,
                id: self.ends.from,
                target: self.ends.to,
                timeout,
            }),
        }
    }
}

type Responses<'s> = BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>>;

impl RaftNetworkV2<TypeConfig> for Network {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let body = convert::encode_append(&request);
        let answer = self
            .call(
                ControlKind::Heartbeat,
                RPCTypes::AppendEntries,
                body,
                &option,
                convert::decode_append_response,
            )
            .await?;
        if let Some(at) = check_append(&request, &answer)? {
            let peer = self.peer().map_err(RPCError::Unreachable)?;
            peer.acknowledged
                .lacks(self.ends.group, request.vote.leader_id, at)
                .map_err(|went_back| RPCError::Unreachable(Unreachable::new(&went_back)))?;
        }
        Ok(answer)
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<Responses<'s>, RPCError<TypeConfig>>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        if self.heartbeat {
            return stream_append_sequential(self, input, option);
        }
        Box::pin(async move {
            // openraft makes whoever failed before wait here, and nowhere else: an answer without having
            // asked for the first request would be followed by the next attempt at once, without end.
            let mut input = input.peekable();
            Pin::new(&mut input).peek().await;
            let peer = self.peer().map_err(RPCError::Unreachable)?;
            let log = peer.log.get(option.soft_ttl()).await;
            let log =
                log.map_err(|reason| RPCError::Unreachable(Unreachable::from_string(reason)))?;
            let known = peer.acknowledged.clone();
            Ok(Session::open(log, known, self.ends, input, self.append_deadline)?.boxed())
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let body = convert::encode_vote_request(&request);
        let answer = self
            .call(ControlKind::Vote, RPCTypes::Vote, body, &option, convert::decode_vote_response)
            .await?;
        check_vote(&request, answer)
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let body = convert::encode_vote_request(&request);
        let answer = self
            .call(
                ControlKind::PreVote,
                RPCTypes::Vote,
                body,
                &option,
                convert::decode_vote_response,
            )
            .await?;
        check_vote(&request, answer)
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let body = convert::encode_transfer(&request);
        // An empty answer is the whole of it: a refusal comes as one.
        self.call(ControlKind::TransferLeader, RPCTypes::TransferLeader, body, &option, |_| {
            Ok(Ok(()))
        })
        .await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let peer = self.peer().map_err(StreamingError::Unreachable)?;
        let sending = snapshot::send(&self.peers, &peer, self.ends, vote, snapshot);
        tokio::select! {
            sent = sending => sent,
            closed = cancel => Err(StreamingError::Closed(closed)),
        }
    }
}

/// Refuses an answer whose term no election can have led to, from the one that was asked in.
fn check_term(asked: &Vote, told: Option<LeaderId>) -> Result<(), RPCError<TypeConfig>> {
    let told = told.map_or(0, |told| told.term);
    check_leap(asked.leader_id.term, told).map_err(|leap| {
        tracing::error!(error = %leap, "a peer's answer is not believed");
        network(leap)
    })
}

/// Holds an answer against what was asked: openraft takes a conflict to be about an entry. Gives the entry
/// that the peer lacks, if it does.
fn check_append(
    asked: &AppendEntriesRequest<TypeConfig>,
    answer: &AppendEntriesResponse<TypeConfig>,
) -> Result<Option<LogId>, RPCError<TypeConfig>> {
    match answer {
        AppendEntriesResponse::Success => Ok(None),
        AppendEntriesResponse::PartialSuccess(upto) => {
            check_upto(*upto, last_of(asked)).map(|()| None)
        }
        AppendEntriesResponse::Conflict if asked.prev_log_id.is_none() => {
            Err(network("the peer lacks an entry, and was asked for none"))
        }
        AppendEntriesResponse::Conflict => Ok(asked.prev_log_id),
        AppendEntriesResponse::HigherVote(vote) => {
            check_term(&asked.vote, Some(vote.leader_id)).map(|()| None)
        }
    }
}

fn check_vote(
    asked: &VoteRequest<TypeConfig>,
    answer: VoteResponse<TypeConfig>,
) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
    check_term(&asked.vote, Some(answer.vote.leader_id))?;
    check_term(&asked.vote, answer.last_log_id.map(|id| id.leader_id))?;
    Ok(answer)
}

#[cfg(test)]
mod tests;
