//! How far a journal stream reaches: every group, as of one moment.
//!
//! ```text
//! reach = "HFbt" ‖ fmt 01 ‖ cluster 16 ‖ created u64 ‖ groups u32 × ( group u32 ‖ next u64 ‖ last 32 )    big-endian
//! ```
//!
//! One file of a stream, written anew whenever the cluster was asked: so a group in which nothing happened
//! is told from one that nobody asked for, and a stream whose end was cut off does not reach as far as it
//! says. `created` is in Unix milliseconds, before the groups were asked; `last` is the SHA-256 of the
//! segment that ends at `next`, 0 when there is none yet.

use types::ids::{ClusterId, GroupId};
use types::layout::{FORMAT, FormatError, Problem, Reader, Writer};

const MAGIC: &[u8; 4] = b"HFbt";
const WHAT: &str = "reach of a journal";

/// How far a stream reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Whose journal.
    pub cluster: ClusterId,
    /// When the cluster was asked, in Unix milliseconds: what happened before is in the stream.
    pub created_ms: u64,
    /// Every group, ascending.
    pub groups: Vec<GroupReach>,
}

/// How far a stream reaches in one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupReach {
    /// The group.
    pub group: GroupId,
    /// The place at which its next segment begins.
    pub next: u64,
    /// The hash of the file of its last segment; 0 for none.
    pub last: [u8; 32],
}

impl Reach {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let writer = Writer::default()
            .bytes(MAGIC)
            .u8(FORMAT)
            .bytes(self.cluster)
            .u64(self.created_ms)
            .u32(self.groups.len() as u32);
        let groups = self.groups.iter();
        groups
            .fold(writer, |writer, at| writer.u32(at.group.0).u64(at.next).bytes(at.last))
            .finish()
    }

    /// The reach of these bytes, all of them.
    ///
    /// # Errors
    /// They are no reach, or one of a newer format.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(WHAT, bytes);
        if reader.fixed::<4>("magic")? != *MAGIC {
            return Err(reader.error(Problem::Magic));
        }
        let format = reader.u8("format")?;
        if format != FORMAT {
            return Err(reader.unknown("format", format.into(), FORMAT.into()));
        }
        let cluster = ClusterId::from_bytes(reader.fixed("cluster")?);
        let created_ms = reader.u64("time")?;
        let mut groups: Vec<GroupReach> = Vec::new();
        for _ in 0..reader.u32("groups")? {
            let group = GroupId(reader.u32("group")?);
            let ascends = groups.last().is_none_or(|before| before.group < group);
            reader.require(ascends, "group", "greater than the one before")?;
            let next = reader.u64("next place")?;
            let last: [u8; 32] = reader.fixed("last segment")?;
            let none = last == [0; 32];
            reader.require(none == (next == 0), "last segment", "0 where there is none")?;
            groups.push(GroupReach { group, next, last });
        }
        reader.finish()?;
        Ok(Reach { cluster, created_ms, groups })
    }
}
