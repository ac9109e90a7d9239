//! What survivors have written down about going on alone, in the file `recovery` of a node's directory.
//!
//! ```text
//! 8 "HFRECO01" | 32 plan | 2 × 4+n operator | 8 driver | 1 restores the rule
//!   | 2 survivors | 8 each | 2 lost | 8 each | 1 decided | if decided: 4 cuts | per cut: 4 group | 8 node | 8 term
//!     | 4+n position (0: the log is empty) | 4+n membership | 4 CRC-32C
//! ```
//!
//! It stands until the lost nodes are fenced and what was allowed for it is taken back. A mandate that
//! cannot be read back is damage of what was promised: the node leaves the cluster, as with its votes.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use types::{GroupId, NodeId};

use crate::durable;
use crate::log::entry;
use crate::roster::Roster;
use crate::types::{LogId, Membership};
use crate::wire::{DecodeError, Reader, Writer};

const FILE: &str = "recovery";
const MAGIC: &[u8; 8] = b"HFRECO01";

/// Who goes on without whom, and in whose name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mandate {
    /// Names the plan that was approved.
    pub(crate) plan: [u8; 32],
    /// Who approved it.
    pub(crate) operators: [String; 2],
    /// The survivor that looks and decides.
    pub(crate) driver: NodeId,
    /// Whether the rule of zero loss was in force, and is to be again when it can.
    pub(crate) restores_rule: bool,
    pub(crate) survivors: Vec<NodeId>,
    pub(crate) lost: Vec<NodeId>,
    /// None until the driver has seen that every survivor hears no lost node any more.
    pub(crate) cuts: Option<Vec<Cut>>,
}

/// One entry that makes the survivors the membership of a group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cut {
    pub(crate) group: GroupId,
    /// Whose log it goes to: the one that goes furthest.
    pub(crate) node: NodeId,
    /// Of the entry. No leader ever had it.
    pub(crate) term: u64,
    /// How far that log goes at least.
    pub(crate) after: Option<LogId>,
    pub(crate) membership: Membership,
}

impl Mandate {
    /// Where it stands.
    pub(crate) fn path(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }

    /// The mandate in a node's directory, if there is one.
    pub(crate) fn load(directory: &Path) -> io::Result<Option<Self>> {
        match fs::read(Mandate::path(directory)) {
            Ok(bytes) => {
                let decoded = Mandate::decode(bytes.into());
                decoded.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it down durably, in the place of an earlier one.
    pub(crate) fn save(&self, directory: &Path) -> io::Result<()> {
        durable::replace(directory, FILE, &self.encode())
    }

    /// Removes it: it has been carried out.
    pub(crate) fn remove(directory: &Path) -> io::Result<()> {
        durable::remove(directory, FILE)
    }

    /// Whether every node that counts is either a survivor or lost, and the driver a survivor.
    pub(crate) fn divides(&self, roster: &Roster) -> bool {
        let either = |id: &NodeId| self.survivors.contains(id) != self.lost.contains(id);
        let counted = roster.nodes().filter(|node| node.state.counts());
        self.survivors.contains(&self.driver)
            && self.survivors.iter().chain(&self.lost).all(either)
            && counted.map(|node| node.id).all(|id| either(&id))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes(MAGIC).bytes(&self.plan);
        for operator in &self.operators {
            writer.sized(operator.as_bytes());
        }
        writer.u64(self.driver.0).flag(self.restores_rule);
        for nodes in [&self.survivors, &self.lost] {
            writer.u16(nodes.len() as u16);
            for node in nodes {
                writer.u64(node.0);
            }
        }
        writer.flag(self.cuts.is_some());
        if let Some(cuts) = &self.cuts {
            writer.u32(cuts.len() as u32);
            for cut in cuts {
                writer.u32(cut.group.0).u64(cut.node.0).u64(cut.term);
                writer.sized(&position(cut.after.as_ref()));
                writer.sized(&entry::encode_membership(&cut.membership));
            }
        }
        writer.finish_checked()
    }

    pub(crate) fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::checked("mandate", MAGIC, bytes)?;
        let plan = reader.array()?;
        let operators = [operator(&mut reader)?, operator(&mut reader)?];
        let driver = NodeId(reader.u64()?);
        let restores_rule = reader.flag()?;
        let (survivors, lost) = (nodes(&mut reader)?, nodes(&mut reader)?);
        let cuts = if reader.flag()? { Some(cuts(&mut reader)?) } else { None };
        reader.finish()?;
        Ok(Mandate { plan, operators, driver, restores_rule, survivors, lost, cuts })
    }
}

impl fmt::Display for Mandate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost: Vec<String> = self.lost.iter().map(NodeId::to_string).collect();
        let stage = match &self.cuts {
            None => "every survivor starts again, so that it hears no lost node",
            Some(_) if self.restores_rule => "it ends when the voters span data centres again",
            Some(_) => "it ends when the lost nodes are fenced",
        };
        write!(f, "recovery without nodes {}: {stage}", lost.join(", "))
    }
}

/// A position, or nothing for an empty log.
pub(crate) fn position(at: Option<&LogId>) -> Vec<u8> {
    at.map(entry::encode_position).unwrap_or_default()
}

/// The reverse of [`position`].
pub(crate) fn decode_position(bytes: Bytes) -> Result<Option<LogId>, DecodeError> {
    if bytes.is_empty() { Ok(None) } else { entry::decode_position(bytes).map(Some) }
}

fn operator(reader: &mut Reader) -> Result<String, DecodeError> {
    let bytes = reader.sized()?;
    String::from_utf8(bytes.to_vec()).map_err(|_| reader.error("not UTF-8"))
}

fn nodes(reader: &mut Reader) -> Result<Vec<NodeId>, DecodeError> {
    (0..reader.u16()?).map(|_| Ok(NodeId(reader.u64()?))).collect()
}

fn cuts(reader: &mut Reader) -> Result<Vec<Cut>, DecodeError> {
    let mut cuts = Vec::new();
    for _ in 0..reader.u32()? {
        cuts.push(Cut {
            group: GroupId(reader.u32()?),
            node: NodeId(reader.u64()?),
            term: reader.ordinal()?,
            after: decode_position(reader.sized()?)?,
            membership: entry::decode_membership(reader.sized()?)?,
        });
    }
    Ok(cuts)
}
