//! A piece of the journal stream of one group: the facts from one place up to another.
//!
//! ```text
//! segment = "HFbj" ‖ fmt 01 ‖ cluster 16 ‖ group u32 ‖ from u64 ‖ next u64 ‖ before 32 ‖ created u64
//!           ‖ facts u32 × ( length u32 ‖ fact )                                              big-endian
//! ```
//!
//! A segment begins where the one before it ended and names its file by its SHA-256 (0 for the first,
//! which begins at 0), so that none is lost, exchanged or taken from another stream. Where a stream ends
//! is said by its [`super::Reach`]. `created` is the Unix time in milliseconds at which it was asked for.

use types::ids::{ClusterId, GroupId};
use types::layout::{FORMAT, FormatError, Problem, Reader, Writer};

const MAGIC: &[u8; 4] = b"HFbj";
const WHAT: &str = "segment of a journal";

/// Facts of one group's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Whose journal.
    pub cluster: ClusterId,
    /// The group.
    pub group: GroupId,
    /// The place of its first fact.
    pub from: u64,
    /// The place at which the next segment begins, greater than [`Self::from`].
    pub next: u64,
    /// The hash of the file before it; 0 for the first.
    pub before: [u8; 32],
    /// When its facts were asked for, in Unix milliseconds.
    pub created_ms: u64,
    /// The facts, opaque.
    pub facts: Vec<Vec<u8>>,
}

impl Segment {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let writer = Writer::default()
            .bytes(MAGIC)
            .u8(FORMAT)
            .bytes(self.cluster)
            .u32(self.group.0)
            .u64(self.from)
            .u64(self.next)
            .bytes(self.before)
            .u64(self.created_ms)
            .u32(self.facts.len() as u32);
        let facts = self.facts.iter();
        facts.fold(writer, |writer, fact| writer.u32(fact.len() as u32).bytes(fact)).finish()
    }

    /// The segment of these bytes, all of them.
    ///
    /// # Errors
    /// They are no segment, or one of a newer format.
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
        let group = GroupId(reader.u32("group")?);
        let from = reader.u64("first place")?;
        let next = reader.u64("next place")?;
        reader.require(from < next, "next place", "behind the first")?;
        let before: [u8; 32] = reader.fixed("segment before")?;
        let first = before == [0; 32];
        reader.require(first == (from == 0), "segment before", "0 for the first segment alone")?;
        let created_ms = reader.u64("time")?;
        let mut facts = Vec::new();
        for _ in 0..reader.u32("facts")? {
            let length = reader.u32("length of a fact")?;
            facts.push(reader.bytes("fact", length as usize)?.to_vec());
        }
        reader.finish()?;
        Ok(Segment { cluster, group, from, next, before, created_ms, facts })
    }
}
