//! The audit log: one leaf per act, in a Merkle tree per group.
//!
//! A leaf is 58 bytes, big-endian:
//!
//! ```text
//! "HFal" ‖ fmt 01 ‖ kind u8 ‖ group u32 ‖ number u64 ‖ time_ms u64 ‖ token 32
//! ```
//!
//! * `kind`: 1 a push, 2 an act on the group or the cluster;
//! * `group`, `number`: which log, and the leaf's place in it, from 0;
//! * `time_ms`: the group's clock when the act was applied, Unix milliseconds, never falling;
//! * `token`: for a push, a MAC of its head hash under a key of the wallet, so that whoever has the
//!   wallet's key finds its leaves and nobody else can tell which leaves belong together; for an act,
//!   a hash of caller and request id.
//!
//! The tree is RFC 6962's: a leaf hashes as `SHA-256(00 ‖ leaf)`, a node as `SHA-256(01 ‖ left ‖ right)`.
//! Every complete subtree's hash is stored, so a proof costs a few reads however long the log is. The
//! leaf is written in the entry of the act that it records: there is no act without it, and a retry,
//! which is not an act, adds none.

use serde::{Deserialize, Serialize};
use types::ids::GroupId;
use types::layout::{FORMAT, FormatError, Problem, Reader, Writer};

const MAGIC: &[u8; 4] = b"HFal";
const WHAT: &str = "audit leaf";

/// What the proposer gives of a leaf; apply adds the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLeaf {
    /// Leads the holder of the right key from the act to the leaf, and nobody else anywhere.
    pub token: [u8; 32],
}

/// What kind of act a leaf records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditKind {
    /// A push.
    Push,
    /// An act on the group or the cluster.
    Act,
}

/// A leaf as it stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// What it records.
    pub kind: AuditKind,
    /// The group whose log it is in.
    pub group: GroupId,
    /// Its place in the log.
    pub number: u64,
    /// When the act was applied, in Unix milliseconds.
    pub time_ms: u64,
    /// The proposer's token.
    pub token: [u8; 32],
}

impl AuditRecord {
    /// Length in bytes.
    pub const LEN: usize = 58;

    /// The bytes that the tree covers.
    pub fn encode(&self) -> Vec<u8> {
        Writer::with_capacity(Self::LEN)
            .bytes(MAGIC)
            .u8(FORMAT)
            .u8(self.kind.number())
            .u32(self.group.0)
            .u64(self.number)
            .u64(self.time_ms)
            .bytes(self.token)
            .finish()
    }

    /// The leaf of these bytes, all of them.
    ///
    /// # Errors
    /// When they are no leaf, or one of a newer format or kind.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(WHAT, bytes);
        if reader.fixed::<4>("magic")? != *MAGIC {
            return Err(reader.error(Problem::Magic));
        }
        let format = reader.u8("format")?;
        if format != FORMAT {
            return Err(reader.unknown("format", format.into(), FORMAT.into()));
        }
        let kind = match reader.u8("kind")? {
            1 => AuditKind::Push,
            2 => AuditKind::Act,
            other => return Err(reader.unknown("kind", other.into(), 2)),
        };
        let record = AuditRecord {
            kind,
            group: GroupId(reader.u32("group")?),
            number: reader.u64("number")?,
            time_ms: reader.u64("time")?,
            token: reader.fixed("token")?,
        };
        reader.finish()?;
        Ok(record)
    }
}

impl AuditKind {
    const fn number(self) -> u8 {
        match self {
            AuditKind::Push => 1,
            AuditKind::Act => 2,
        }
    }
}
