//! What stands in the log: entries, votes, positions, memberships, drawn byte by byte.
//!
//! All numbers are big-endian; terms and indexes have a bound (`bounds`). The first byte of every
//! stored value is its version.
//!
//! ```text
//! entry       1 version = 1 | 1 kind | 8 term | 8 leader | payload to the end     (index: in the key)
//!             kind 0 blank, no payload | 1 command, as encoded by store | 2 membership, as below
//! vote        1 version = 1 | 8 term | 8 node | 1 committed
//! position    1 version = 1 | 8 term | 8 leader | 8 index
//! membership  1 version = 1 | 1 sets | per set: 2 voters | 8 node each || 2 nodes | per node: 8 node | 1+n data centre
//! ```
//!
//! Commands come encoded and leave encoded; their format is the store's.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::EntryPayload;

use crate::bounds;
use crate::types::{CommandBytes, Entry, LogId, Membership, Payload, Replica, Vote, leader_id};
use crate::wire::{DecodeError, Reader, Writer};

const VERSION: u8 = 1;
const BLANK: u8 = 0;
const COMMAND: u8 = 1;
const MEMBERSHIP: u8 = 2;

/// What an entry costs beyond its payload, in memory and in a message.
pub(crate) const OVERHEAD: usize = 64;

/// How much an entry weighs against the limits on bytes.
pub(crate) fn weight(entry: &Entry) -> usize {
    OVERHEAD
        + match &entry.payload {
            EntryPayload::Blank => 0,
            EntryPayload::Normal(command) => command.bytes.len(),
            EntryPayload::Membership(membership) => 32 * membership.nodes().count(),
        }
}

/// The kind byte of a payload and its bytes.
pub(crate) fn encode_payload(payload: &Payload) -> (u8, Bytes) {
    match payload {
        EntryPayload::Blank => (BLANK, Bytes::new()),
        EntryPayload::Normal(command) => (COMMAND, command.bytes.clone()),
        EntryPayload::Membership(membership) => (MEMBERSHIP, encode_membership(membership)),
    }
}

/// The payload that a kind byte and its bytes stand for.
pub(crate) fn decode_payload(kind: u8, bytes: Bytes) -> Result<Payload, DecodeError> {
    match kind {
        BLANK if bytes.is_empty() => Ok(EntryPayload::Blank),
        COMMAND => Ok(EntryPayload::Normal(CommandBytes::from(bytes))),
        MEMBERSHIP => Ok(EntryPayload::Membership(decode_membership(bytes)?)),
        _ => Err(DecodeError { what: "log entry", at: 0, problem: "unknown kind" }),
    }
}

/// The value under an entry's key.
pub(crate) fn encode_entry(entry: &Entry) -> Vec<u8> {
    let (kind, payload) = encode_payload(&entry.payload);
    let mut value = Vec::with_capacity(18 + payload.len());
    value.extend_from_slice(&[VERSION, kind]);
    value.extend_from_slice(&entry.log_id.leader_id.term.to_be_bytes());
    value.extend_from_slice(&entry.log_id.leader_id.node_id.to_be_bytes());
    value.extend_from_slice(&payload);
    value
}

/// The entry that a value under the key of `index` stands for.
pub(crate) fn decode_entry(index: u64, value: Bytes) -> Result<Entry, DecodeError> {
    let mut reader = Reader::new("log entry", value);
    reader.version(VERSION)?;
    let kind = reader.u8()?;
    let leader = leader_id(reader.ordinal()?, reader.u64()?);
    if !bounds::is_lawful(index) {
        return Err(reader.error(bounds::BEYOND));
    }
    let payload = decode_payload(kind, reader.rest())?;
    Ok(Entry { log_id: LogId::new(leader, index), payload })
}

/// The value under a vote's key.
pub(crate) fn encode_vote(vote: &Vote) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(VERSION).u64(vote.leader_id.term).u64(vote.leader_id.node_id).flag(vote.committed);
    writer.finish().to_vec()
}

pub(crate) fn decode_vote(value: Bytes) -> Result<Vote, DecodeError> {
    let mut reader = Reader::new("vote", value);
    reader.version(VERSION)?;
    let vote =
        Vote { leader_id: leader_id(reader.ordinal()?, reader.u64()?), committed: reader.flag()? };
    reader.finish()?;
    Ok(vote)
}

/// The value under the key of the purged position.
pub(crate) fn encode_position(id: &LogId) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(VERSION).u64(id.leader_id.term).u64(id.leader_id.node_id).u64(id.index);
    writer.finish().to_vec()
}

pub(crate) fn decode_position(value: Bytes) -> Result<LogId, DecodeError> {
    let mut reader = Reader::new("log position", value);
    reader.version(VERSION)?;
    let id = LogId::new(leader_id(reader.ordinal()?, reader.u64()?), reader.ordinal()?);
    reader.finish()?;
    Ok(id)
}

/// A membership as the log, the store and snapshots keep it.
pub(crate) fn encode_membership(membership: &Membership) -> Bytes {
    let mut writer = Writer::new();
    let sets = membership.get_joint_config();
    writer.u8(VERSION).u8(sets.len() as u8);
    for set in sets {
        writer.u16(set.len() as u16);
        for node in set {
            writer.u64(*node);
        }
    }
    let nodes: Vec<_> = membership.nodes().collect();
    writer.u16(nodes.len() as u16);
    for (node, replica) in nodes {
        writer.u64(*node).text(&replica.dc);
    }
    writer.finish()
}

pub(crate) fn decode_membership(bytes: Bytes) -> Result<Membership, DecodeError> {
    let mut reader = Reader::new("membership", bytes);
    reader.version(VERSION)?;
    let mut sets = Vec::new();
    for _ in 0..reader.u8()? {
        let mut set = BTreeSet::new();
        for _ in 0..reader.u16()? {
            let node = reader.u64()?;
            reader.ascends(set.last(), &node)?;
            set.insert(node);
        }
        sets.push(set);
    }
    let mut nodes = BTreeMap::new();
    for _ in 0..reader.u16()? {
        let node = reader.u64()?;
        reader.ascends(nodes.keys().next_back(), &node)?;
        nodes.insert(node, Replica { dc: reader.text()? });
    }
    let membership = Membership::new(sets, nodes)
        .map_err(|_| reader.error("a voter is missing from the nodes"))?;
    reader.finish()?;
    Ok(membership)
}
