//! What peers say to each other, between openraft's types and bytes.
//!
//! Every body begins with its version, 1. All numbers are big-endian; a log id is 8 term | 8 leader |
//! 8 index, and behind a flag where there may be none. Entries are laid out as in `log::entry`, each
//! with its index and a length, and their payloads stay slices of the message they came in. Terms and
//! indexes have a bound (`bounds`).

use std::collections::BTreeMap;

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError,
    StreamAppendResult, TransferLeaderRequest, VoteRequest, VoteResponse,
};
use store::{Position, Reply, StateDigest};
use types::NodeId;

use crate::log::entry::{
    OVERHEAD, decode_membership, decode_payload, encode_membership, encode_payload, weight,
};
use crate::propose::Failure;
use crate::status::GroupView;
use crate::types::{Entry, LogId, SnapshotMeta, StoredMembership, TypeConfig, Vote, leader_id};
use crate::upkeep::digests::Checkpoints;
use crate::upkeep::health::Said;
use crate::wire::{DecodeError, Reader, Writer};

const VERSION: u8 = 1;

/// What a control request asks for. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ControlKind {
    Vote = 1,
    PreVote = 2,
    Heartbeat = 3,
    ReadIndex = 4,
    /// The old leader tells the new one to stand now.
    TransferLeader = 5,
    /// A command of the cluster's own, passed on to the group's leader.
    Propose = 6,
    /// Asks the group's leader to give leadership to a node.
    HandOver = 7,
    /// How far the group is, as its leader sees it.
    Status = 8,
    /// How the asked node's disk is.
    Health = 9,
    /// The digests that the asked replica had.
    Checkpoints = 10,
}

impl ControlKind {
    pub(crate) fn parse(number: u32) -> Option<Self> {
        use ControlKind::*;
        let kinds = [
            Vote,
            PreVote,
            Heartbeat,
            ReadIndex,
            TransferLeader,
            Propose,
            HandOver,
            Status,
            Health,
            Checkpoints,
        ];
        kinds.into_iter().find(|kind| *kind as u32 == number)
    }
}

type Decoded<T> = Result<T, DecodeError>;

fn open(what: &'static str, bytes: Bytes) -> Decoded<Reader> {
    let mut reader = Reader::new(what, bytes);
    reader.version(VERSION)?;
    Ok(reader)
}

fn begin() -> Writer {
    let mut writer = Writer::new();
    writer.u8(VERSION);
    writer
}

fn put_vote(writer: &mut Writer, vote: &Vote) {
    writer.u64(vote.leader_id.term).u64(vote.leader_id.node_id).flag(vote.committed);
}

fn take_vote(reader: &mut Reader) -> Decoded<Vote> {
    Ok(Vote { leader_id: leader_id(reader.ordinal()?, reader.u64()?), committed: reader.flag()? })
}

fn put_log_id(writer: &mut Writer, id: &LogId) {
    writer.u64(id.leader_id.term).u64(id.leader_id.node_id).u64(id.index);
}

fn take_log_id(reader: &mut Reader) -> Decoded<LogId> {
    Ok(LogId::new(leader_id(reader.ordinal()?, reader.u64()?), reader.ordinal()?))
}

fn put_log_id_if(writer: &mut Writer, id: Option<&LogId>) {
    writer.flag(id.is_some());
    if let Some(id) = id {
        put_log_id(writer, id);
    }
}

fn take_log_id_if(reader: &mut Reader) -> Decoded<Option<LogId>> {
    if reader.flag()? { take_log_id(reader).map(Some) } else { Ok(None) }
}

/// Lays out one message, both directions.
macro_rules! message {
    ($what:literal, $type:ty, $encode:ident($value:ident, $writer:ident) $put:block, $decode:ident($reader:ident) $take:block) => {
        pub(crate) fn $encode($value: &$type) -> Bytes {
            let mut writer = begin();
            let $writer = &mut writer;
            $put
            writer.finish()
        }

        pub(crate) fn $decode(bytes: Bytes) -> Decoded<$type> {
            let mut reader = open($what, bytes)?;
            let $reader = &mut reader;
            let value = $take;
            reader.finish()?;
            Ok(value)
        }
    };
}

message!("vote request", VoteRequest<TypeConfig>,
    encode_vote_request(request, writer) {
        put_vote(writer, &request.vote);
        put_log_id_if(writer, request.last_log_id.as_ref());
        writer.flag(request.leadership_transfer);
    },
    decode_vote_request(reader) {
        let vote = take_vote(reader)?;
        let last_log_id = take_log_id_if(reader)?;
        VoteRequest { vote, last_log_id, leadership_transfer: reader.flag()? }
    }
);

message!("vote response", VoteResponse<TypeConfig>,
    encode_vote_response(response, writer) {
        put_vote(writer, &response.vote);
        put_log_id_if(writer, response.last_log_id.as_ref());
        writer.flag(response.vote_granted);
    },
    decode_vote_response(reader) {
        let vote = take_vote(reader)?;
        let last_log_id = take_log_id_if(reader)?;
        VoteResponse { vote, vote_granted: reader.flag()?, last_log_id }
    }
);

message!("append response", AppendEntriesResponse<TypeConfig>,
    encode_append_response(response, writer) {
        match response {
            AppendEntriesResponse::Success => { writer.u8(0); }
            AppendEntriesResponse::PartialSuccess(upto) => {
                writer.u8(1);
                put_log_id_if(writer, upto.as_ref());
            }
            AppendEntriesResponse::Conflict => { writer.u8(2); }
            AppendEntriesResponse::HigherVote(vote) => {
                writer.u8(3);
                put_vote(writer, vote);
            }
        }
    },
    decode_append_response(reader) {
        match reader.u8()? {
            0 => AppendEntriesResponse::Success,
            1 => AppendEntriesResponse::PartialSuccess(take_log_id_if(reader)?),
            2 => AppendEntriesResponse::Conflict,
            3 => AppendEntriesResponse::HigherVote(take_vote(reader)?),
            _ => return Err(reader.error("unknown outcome")),
        }
    }
);

message!("session response", StreamAppendResult<TypeConfig>,
    encode_session_response(response, writer) {
        match response {
            Ok(upto) => {
                writer.u8(0);
                put_log_id_if(writer, upto.as_ref());
            }
            Err(StreamAppendError::Conflict(at)) => {
                writer.u8(2);
                put_log_id(writer, at);
            }
            Err(StreamAppendError::HigherVote(vote)) => {
                writer.u8(3);
                put_vote(writer, vote);
            }
        }
    },
    decode_session_response(reader) {
        match reader.u8()? {
            0 => Ok(take_log_id_if(reader)?),
            2 => Err(StreamAppendError::Conflict(take_log_id(reader)?)),
            3 => Err(StreamAppendError::HigherVote(take_vote(reader)?)),
            _ => return Err(reader.error("unknown outcome")),
        }
    }
);

message!("transfer request", TransferLeaderRequest<TypeConfig>,
    encode_transfer(request, writer) {
        put_vote(writer, request.from_leader());
        writer.u64(*request.to_node_id());
        put_log_id_if(writer, request.last_log_id());
    },
    decode_transfer(reader) {
        let from = take_vote(reader)?;
        let to = reader.u64()?;
        TransferLeaderRequest::new(from, to, take_log_id_if(reader)?)
    }
);

message!("read index", LogId,
    encode_read_index(id, writer) { put_log_id(writer, id); },
    decode_read_index(reader) { take_log_id(reader)? }
);

message!("hand-over request", u64,
    encode_hand_over(to, writer) { writer.u64(*to); },
    decode_hand_over(reader) { reader.u64()? }
);

message!("snapshot response", SnapshotResponse<TypeConfig>,
    encode_snapshot_response(response, writer) { put_vote(writer, &response.vote); },
    decode_snapshot_response(reader) { SnapshotResponse::new(take_vote(reader)?) }
);

message!("snapshot start", (Vote, SnapshotMeta),
    encode_snapshot_start(start, writer) {
        put_vote(writer, &start.0);
        put_log_id_if(writer, start.1.last_log_id.as_ref());
        put_log_id_if(writer, start.1.last_membership.log_id().as_ref());
        writer.sized(&encode_membership(start.1.last_membership.membership()));
    },
    decode_snapshot_start(reader) {
        let vote = take_vote(reader)?;
        let last_log_id = take_log_id_if(reader)?;
        let membership_at = take_log_id_if(reader)?;
        let membership = decode_membership(reader.sized()?)?;
        (vote, SnapshotMeta { last_log_id, last_membership: StoredMembership::new(membership_at, membership) })
    }
);

message!("outcome of a proposal", Result<Reply, Failure>,
    encode_outcome(outcome, writer) {
        match outcome {
            Ok(reply) => { writer.u8(0).sized(&reply.encode()); }
            Err(Failure::NotLeader(leader)) => { writer.u8(1).u64(leader.map_or(0, |leader| leader.0)); }
            Err(Failure::Unknown) => { writer.u8(2); }
            Err(Failure::Overloaded) => { writer.u8(3); }
            Err(Failure::TooLarge(bytes)) => { writer.u8(4).u64(*bytes as u64); }
            Err(Failure::Stopped) => { writer.u8(5); }
        }
    },
    decode_outcome(reader) {
        match reader.u8()? {
            0 => {
                let reply = reader.sized()?;
                Ok(Reply::decode(&reply).map_err(|_| reader.error("the reply cannot be read"))?)
            }
            1 => Err(Failure::NotLeader(Some(reader.u64()?).filter(|id| *id != 0).map(NodeId))),
            2 => Err(Failure::Unknown),
            3 => Err(Failure::Overloaded),
            4 => Err(Failure::TooLarge(reader.u64()? as usize)),
            5 => Err(Failure::Stopped),
            _ => return Err(reader.error("unknown outcome")),
        }
    }
);

message!("status of a group", GroupView,
    encode_view(view, writer) {
        writer.u64(view.term);
        for index in [view.last, view.committed, view.applied] {
            writer.u64(index.map_or(0, |index| index + 1));
        }
        writer.u16(view.lag.len() as u16);
        for (node, lag) in &view.lag {
            writer.u64(node.0).u64(*lag);
        }
    },
    decode_view(reader) {
        let term = reader.ordinal()?;
        let index = |reader: &mut Reader| Ok(reader.ordinal()?.checked_sub(1));
        let (last, committed, applied) = (index(reader)?, index(reader)?, index(reader)?);
        let mut lag = BTreeMap::new();
        for _ in 0..reader.u16()? {
            let node = NodeId(reader.u64()?);
            reader.ascends(lag.keys().next_back(), &node)?;
            lag.insert(node, reader.u64()?);
        }
        GroupView { term, last, committed, applied, lag }
    }
);

message!("health", Said,
    encode_health(said, writer) {
        writer.flag(said.low).flag(said.slow).u64(said.sync_us);
    },
    decode_health(reader) {
        Said { low: reader.flag()?, slow: reader.flag()?, sync_us: reader.u64()? }
    }
);

message!("checkpoints", Checkpoints,
    encode_checkpoints(kept, writer) {
        writer.u16(kept.0.len() as u16);
        for (at, digest) in &kept.0 {
            writer.u64(at.term).u64(at.leader).u64(at.index).bytes(&digest.to_bytes());
        }
    },
    decode_checkpoints(reader) {
        let mut kept = Checkpoints::default();
        for _ in 0..reader.u16()? {
            let (term, leader) = (reader.ordinal()?, reader.u64()?);
            let at = Position { term, leader, index: reader.ordinal()? };
            kept.0.push_back((at, StateDigest::from_bytes(reader.array()?)));
        }
        kept
    }
);

/// An append with its entries: what the log connection and heartbeats carry.
pub(crate) fn encode_append(request: &AppendEntriesRequest<TypeConfig>) -> Bytes {
    let bytes: usize = request.entries.iter().map(weight).sum();
    let mut writer = Writer::with_capacity(2 * OVERHEAD + bytes);
    writer.u8(VERSION);
    put_vote(&mut writer, &request.vote);
    put_log_id_if(&mut writer, request.prev_log_id.as_ref());
    put_log_id_if(&mut writer, request.leader_commit.as_ref());
    writer.u32(request.entries.len() as u32);
    for entry in &request.entries {
        let (kind, payload) = encode_payload(&entry.payload);
        put_log_id(&mut writer, &entry.log_id);
        writer.u8(kind).sized(&payload);
    }
    writer.finish()
}

pub(crate) fn decode_append(bytes: Bytes) -> Decoded<AppendEntriesRequest<TypeConfig>> {
    let mut reader = open("append request", bytes)?;
    let vote = take_vote(&mut reader)?;
    let prev_log_id = take_log_id_if(&mut reader)?;
    let leader_commit = take_log_id_if(&mut reader)?;
    let mut next = prev_log_id.map_or(Some(0), |id| id.index.checked_add(1));
    let mut entries = Vec::new();
    for _ in 0..reader.u32()? {
        let log_id = take_log_id(&mut reader)?;
        if next != Some(log_id.index) {
            return Err(reader.error("entries do not follow each other"));
        }
        if log_id.leader_id > vote.leader_id {
            return Err(reader.error("an entry of a later leader than its sender"));
        }
        next = log_id.index.checked_add(1);
        let kind = reader.u8()?;
        let payload = decode_payload(kind, reader.sized()?)?;
        entries.push(Entry { log_id, payload });
    }
    reader.finish()?;
    Ok(AppendEntriesRequest { vote, prev_log_id, entries, leader_commit })
}

#[cfg(test)]
mod tests;
