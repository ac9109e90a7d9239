//! What a backup consists of.
//!
//! ```text
//! manifest = "HFbm" ‖ fmt 01 ‖ cluster 16 ‖ created u64 ‖ before 32 ‖ release length u8 ‖ release
//!            ‖ wallet groups u32 ‖ groups u32 × group                                        big-endian
//! group    = header of its snapshot (group u32 ‖ position ‖ membership ‖ digest 32)
//!            ‖ rows u64 ‖ restored rows u64 ‖ digest of restored 32 ‖ digest of kept 32
//!            ‖ wallets u64 ‖ digest of heads 32 ‖ leaves u64 ‖ audit root 32 ‖ journal u64
//!            ‖ chunks u32 × ( SHA-256 32 ‖ length u32 ‖ rows u32 )
//! ```
//!
//! `created` is in Unix milliseconds; `before` is the SHA-256 of the manifest file before it of the same
//! cluster, 0 for the first. The groups are 0, 1 and every wallet group, in order: a manifest of less
//! does not parse.

use types::ids::{ClusterId, GroupId};
use types::layout::{FORMAT, FormatError, Problem, Reader, Writer};

use super::{ChunkRef, GroupSummary, chunk};
use crate::snapshot::SnapshotMeta;
use crate::snapshot::format::{read_meta, write_meta};

const MAGIC: &[u8; 4] = b"HFbm";
const WHAT: &str = "manifest of a backup";
/// The groups that hold no wallets: system and public.
const OTHER_GROUPS: u32 = GroupId::FIRST_WALLET.0;

/// A backup of a whole cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The cluster.
    pub cluster: ClusterId,
    /// When it was begun, in Unix milliseconds by the clock of the machine that took it.
    pub created_ms: u64,
    /// The hash of the manifest before it of the same cluster; 0 for the first.
    pub before: [u8; 32],
    /// The release of Holdfast that took it, at most 255 bytes.
    pub release: String,
    /// How many groups hold wallets.
    pub wallet_groups: u32,
    /// Every group, by number.
    pub groups: Vec<GroupBackup>,
}

/// A group in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupBackup {
    /// The moment that it shows.
    pub meta: SnapshotMeta,
    /// What its rows come to.
    pub summary: GroupSummary,
    /// Where its rows are, in order.
    pub chunks: Vec<ChunkRef>,
}

impl Manifest {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let release = self.release.as_bytes();
        let release = &release[..release.len().min(usize::from(u8::MAX))];
        let writer = Writer::default()
            .bytes(MAGIC)
            .u8(FORMAT)
            .bytes(self.cluster)
            .u64(self.created_ms)
            .bytes(self.before)
            .u8(release.len() as u8)
            .bytes(release)
            .u32(self.wallet_groups)
            .u32(self.groups.len() as u32);
        self.groups.iter().fold(writer, |writer, group| group.write(writer)).finish()
    }

    /// The manifest of these bytes, all of them.
    ///
    /// # Errors
    /// They are no manifest, one of a newer format, or one in which a group is missing.
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
        let before = reader.fixed("manifest before")?;
        let length = reader.u8("release length")?;
        let release = std::str::from_utf8(reader.bytes("release", length.into())?);
        reader.require(release.is_ok(), "release", "text")?;
        let release = release.unwrap_or_default().to_owned();
        let wallet_groups = reader.u32("wallet groups")?;
        reader.require(wallet_groups > 0, "wallet groups", "at least one")?;
        let count = reader.u32("groups")?;
        let all = wallet_groups.checked_add(OTHER_GROUPS);
        reader.require(all == Some(count), "groups", "every group of the cluster")?;
        let mut groups = Vec::new();
        for number in 0..count {
            groups.push(GroupBackup::read(&mut reader, GroupId(number))?);
        }
        reader.finish()?;
        Ok(Manifest { cluster, created_ms, before, release, wallet_groups, groups })
    }

    /// How many wallets there are.
    pub fn wallets(&self) -> u64 {
        self.groups.iter().fold(0, |sum, group| group.summary.wallets.saturating_add(sum))
    }

    /// How many bytes its chunks have, the same chunk counted once for each place where it stands.
    pub fn bytes(&self) -> u64 {
        self.groups
            .iter()
            .flat_map(|group| &group.chunks)
            .map(|chunk| u64::from(chunk.length))
            .sum()
    }
}

impl GroupBackup {
    fn write(&self, writer: Writer) -> Writer {
        let writer = self.summary.write(write_meta(writer, &self.meta));
        let writer = writer.u32(self.chunks.len() as u32);
        self.chunks.iter().fold(writer, |writer, chunk| {
            writer.bytes(chunk.hash).u32(chunk.length).u32(chunk.rows)
        })
    }

    fn read(reader: &mut Reader<'_>, number: GroupId) -> Result<Self, FormatError> {
        let meta = read_meta(reader)?;
        reader.require(meta.group == number, "group", "the next one")?;
        let summary = GroupSummary::read(reader)?;
        let mut chunks = Vec::new();
        for _ in 0..reader.u32("chunks")? {
            let hash = reader.fixed("hash of a chunk")?;
            let length = reader.u32("length of a chunk")?;
            reader.require(length as usize <= chunk::LONGEST, "length of a chunk", "a chunk's")?;
            chunks.push(ChunkRef { hash, length, rows: reader.u32("rows of a chunk")? });
        }
        let rows = chunks.iter().map(|chunk| u64::from(chunk.rows)).sum::<u64>();
        reader.require(rows == summary.rows, "rows of the chunks", "as many as the group's")?;
        Ok(GroupBackup { meta, summary, chunks })
    }
}
