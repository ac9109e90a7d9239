//! The nodes of the cluster, as this node knows them.
//!
//! Group 0's registry says who they are. A copy stands in the engine beside it, so that a node can
//! reach its peers before group 0 has caught up; it is replaced whenever the registry changes.
//!
//! ```text
//! 1 version = 1 | 2 nodes | per node: 8 id | 16 incarnation | 1 role | 1 state | 1+n name | 1+n dc | 1+n peer | 1+n endpoint
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::peer::RosterNode;
use store::{Batch, Column, Durability, Engine, Fault};
use types::{Incarnation, NodeId, NodeInfo, NodeState, Role};

use crate::wire::{DecodeError, Reader, Writer};

const VERSION: u8 = 1;
/// Keys of the meta column from 0x80 on are this crate's.
const KEY: [u8; 1] = [0x80];

/// All nodes, also removed ones: their ids and names stay known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roster {
    nodes: BTreeMap<NodeId, NodeInfo>,
}

impl Roster {
    pub(crate) fn new(nodes: impl IntoIterator<Item = NodeInfo>) -> Self {
        Roster { nodes: nodes.into_iter().map(|node| (node.id, node)).collect() }
    }

    /// Adds the nodes of another roster that this one does not know. Ids are never used again, and nobody is
    /// ever forgotten: they joined later than what this one knows.
    pub(crate) fn add_newcomers(&mut self, other: &Roster) {
        for (id, node) in &other.nodes {
            self.nodes.entry(*id).or_insert_with(|| node.clone());
        }
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&NodeInfo> {
        self.nodes.get(&id)
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.values()
    }

    /// These nodes count no more, whatever the registry says of them yet.
    pub(crate) fn fence(&mut self, lost: &[NodeId]) {
        for id in lost {
            if let Some(node) = self.nodes.get_mut(id).filter(|node| node.state.counts()) {
                node.state = NodeState::Fenced;
            }
        }
    }

    /// The node of this name that was not removed, if any.
    pub(crate) fn named(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes().find(|node| node.name == name && node.state != NodeState::Removed)
    }

    /// The copy kept beside the engine's other facts; empty if there is none.
    pub(crate) fn load(engine: &dyn Engine) -> Result<Result<Self, DecodeError>, Fault> {
        let value = engine.get(Column::Meta, &KEY)?;
        Ok(value.map_or_else(|| Ok(Roster::default()), |value| Roster::decode(value.into())))
    }

    /// Replaces the copy, durably.
    pub(crate) fn save(&self, engine: &dyn Engine) -> Result<(), Fault> {
        let mut batch = Batch::new();
        batch.put(Column::Meta, &KEY, &self.encode());
        engine.write(batch, Durability::Synced)
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.u8(VERSION).u16(self.nodes.len() as u16);
        for node in self.nodes() {
            let state = match node.state {
                NodeState::Active => 1,
                NodeState::Draining => 2,
                NodeState::Removed => 3,
                NodeState::Fenced => 4,
            };
            let role = match node.role {
                Role::Data => 1,
                Role::Witness => 2,
            };
            writer.u64(node.id.0).bytes(node.incarnation.as_bytes()).u8(role).u8(state);
            writer.text(&node.name).text(&node.dc).text(&node.peer).text(&node.endpoint);
        }
        writer.finish()
    }

    pub(crate) fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("roster", bytes);
        reader.version(VERSION)?;
        let mut nodes: Vec<NodeInfo> = Vec::new();
        for _ in 0..reader.u16()? {
            let id = NodeId(reader.u64()?);
            reader.ascends(nodes.last().map(|last| &last.id), &id)?;
            let incarnation = Incarnation::from_bytes(reader.array()?);
            let role = match reader.u8()? {
                1 => Role::Data,
                2 => Role::Witness,
                _ => return Err(reader.error("unknown role")),
            };
            let state = match reader.u8()? {
                1 => NodeState::Active,
                2 => NodeState::Draining,
                3 => NodeState::Removed,
                4 => NodeState::Fenced,
                _ => return Err(reader.error("unknown state")),
            };
            let (name, dc, peer, endpoint) =
                (reader.text()?, reader.text()?, reader.text()?, reader.text()?);
            nodes.push(NodeInfo { id, name, dc, role, peer, endpoint, incarnation, state });
        }
        reader.finish()?;
        Ok(Roster::new(nodes))
    }

    pub(crate) fn to_proto(&self) -> Vec<RosterNode> {
        self.nodes().map(to_proto).collect()
    }

    pub(crate) fn from_proto(nodes: Vec<RosterNode>) -> Result<Self, &'static str> {
        Ok(Roster::new(nodes.into_iter().map(from_proto).collect::<Result<Vec<_>, _>>()?))
    }
}

fn to_proto(node: &NodeInfo) -> RosterNode {
    RosterNode {
        id: node.id.0,
        name: node.name.clone(),
        dc: node.dc.clone(),
        role: node.role.to_string(),
        peer: node.peer.clone(),
        endpoint: node.endpoint.clone(),
        incarnation: Bytes::copy_from_slice(node.incarnation.as_bytes()),
        state: node.state.to_string(),
    }
}

fn from_proto(node: RosterNode) -> Result<NodeInfo, &'static str> {
    Ok(NodeInfo {
        id: NodeId(node.id),
        name: node.name,
        dc: node.dc,
        role: parse_role(&node.role)?,
        peer: node.peer,
        endpoint: node.endpoint,
        incarnation: Incarnation::parse(&node.incarnation).map_err(|_| "malformed incarnation")?,
        state: match node.state.as_str() {
            "active" => NodeState::Active,
            "draining" => NodeState::Draining,
            "removed" => NodeState::Removed,
            "fenced" => NodeState::Fenced,
            _ => return Err("unknown state of a node"),
        },
    })
}

pub(crate) fn parse_role(text: &str) -> Result<Role, &'static str> {
    match text {
        "data" => Ok(Role::Data),
        "witness" => Ok(Role::Witness),
        _ => Err("unknown role of a node"),
    }
}
