//! How far every group's log is known to have been on disk.
//!
//! A database whose write-ahead log lost its end opens without complaint, and a node that votes or
//! acknowledges on such a log breaks what it promised. So the log writer notes, in a file of its
//! own and after each sync, every touched group's vote and last synced entry. A log that starts
//! with less than its mark has gone back, and the node must not serve.
//!
//! Writing a mark costs no sync: a mark that is too old is still true. Lowering one (before a
//! truncation) is synced first, because a mark that is too high would accuse an honest log.
//!
//! ```text
//! slot of 64 bytes at 64 × (1 + group); the first slot holds "HFMARKS1"
//! 1 version = 1 | 1 flags | 2 zero | 4 group | 8 vote term | 8 vote node | 8 last term | 8 last leader | 8 last index | 12 zero | 4 CRC-32C
//! flags: 1 vote known | 2 vote committed | 4 last known
//! ```

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use types::GroupId;

use crate::bounds;
use crate::identity::Place;
use crate::types::{LogId, Vote, leader_id};

pub(crate) const SLOT: usize = 64;
const MAGIC: &[u8; 8] = b"HFMARKS1";
const VERSION: u8 = 1;
/// The length of a file that has a mark of every group that a cluster can have.
const LONGEST: u64 =
    (SLOT as u64) * (1 + GroupId::FIRST_WALLET.0 + *Place::WALLET_GROUPS.end()) as u64;

/// What one group's log is known to have held on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Mark {
    pub(crate) vote: Option<Vote>,
    pub(crate) last: Option<LogId>,
}

/// The file with every group's mark.
pub(crate) struct Marks {
    file: File,
    marks: BTreeMap<GroupId, Mark>,
}

impl Marks {
    /// Creates the file, durably. An existing one is an error: its marks must not be forgotten.
    pub(crate) fn create(path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let mut head = [0; SLOT];
        head[..8].copy_from_slice(MAGIC);
        file.write_all_at(&head, 0)?;
        file.sync_all()?;
        match path.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Makes room for the marks of so many groups, durably.
    pub(crate) fn reserve(path: &Path, groups: usize) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        let length = (SLOT * (1 + groups)) as u64;
        if length > LONGEST {
            let problem = format!(
                "make room for the marks of {groups} groups: a cluster cannot have so many"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        if file.metadata()?.len() < length {
            file.set_len(length)?;
        }
        file.sync_all()
    }

    /// Whether there is room for the marks of so many groups, as there is unless the file was cut.
    pub(crate) fn check_room(&self, groups: usize) -> io::Result<()> {
        let (length, expected) = (self.file.metadata()?.len(), (SLOT * (1 + groups)) as u64);
        if length < expected {
            return Err(damaged(&format!("it ends at byte {length} instead of {expected}")));
        }
        Ok(())
    }

    /// Reads all marks.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let length = file.metadata()?.len();
        if length > LONGEST {
            return Err(damaged(&format!(
                "it has {length} bytes, and the marks of all groups that a cluster can have take {LONGEST}"
            )));
        }
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, 0)?;
        if !bytes.starts_with(MAGIC) {
            return Err(damaged("it does not begin as a file of marks does"));
        }
        let mut marks = BTreeMap::new();
        for (number, slot) in bytes.chunks(SLOT).enumerate().skip(1) {
            // A hole: this group has never synced anything here.
            if slot.iter().all(|byte| *byte == 0) {
                continue;
            }
            let (group, mark) = decode(slot).ok_or_else(|| {
                damaged(&format!(
                    "the mark at byte {} is cut or its checksum is wrong",
                    number * SLOT
                ))
            })?;
            marks.insert(group, mark);
        }
        Ok(Marks { file, marks })
    }

    /// Every group's mark.
    pub(crate) fn all(&self) -> &BTreeMap<GroupId, Mark> {
        &self.marks
    }

    fn get(&self, group: GroupId) -> Mark {
        self.marks.get(&group).copied().unwrap_or_default()
    }

    /// Notes what is on disk now. Only after the sync.
    pub(crate) fn note(
        &mut self,
        group: GroupId,
        vote: Option<Vote>,
        last: Option<LogId>,
    ) -> io::Result<()> {
        let mut mark = self.get(group);
        mark.vote = vote.or(mark.vote);
        mark.last = last.or(mark.last);
        self.write(group, mark)
    }

    /// Lowers marks to what a truncation will leave, and syncs. Only before the truncation.
    pub(crate) fn lower(
        &mut self,
        truncations: &BTreeMap<GroupId, Option<LogId>>,
    ) -> io::Result<()> {
        for (group, after) in truncations {
            let mark = self.get(*group);
            if mark.last > *after {
                self.write(*group, Mark { last: *after, ..mark })?;
            }
        }
        self.file.sync_data()
    }

    /// Makes the marks themselves durable, at a planned end.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&mut self, group: GroupId, mark: Mark) -> io::Result<()> {
        self.file.write_all_at(&encode(group, &mark), (SLOT as u64) * (1 + u64::from(group.0)))?;
        self.marks.insert(group, mark);
        Ok(())
    }
}

pub(crate) fn encode(group: GroupId, mark: &Mark) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[0] = VERSION;
    slot[4..8].copy_from_slice(&group.0.to_be_bytes());
    if let Some(vote) = &mark.vote {
        slot[1] |= 1 | (u8::from(vote.committed) << 1);
        slot[8..16].copy_from_slice(&vote.leader_id.term.to_be_bytes());
        slot[16..24].copy_from_slice(&vote.leader_id.node_id.to_be_bytes());
    }
    if let Some(last) = &mark.last {
        slot[1] |= 4;
        slot[24..32].copy_from_slice(&last.leader_id.term.to_be_bytes());
        slot[32..40].copy_from_slice(&last.leader_id.node_id.to_be_bytes());
        slot[40..48].copy_from_slice(&last.index.to_be_bytes());
    }
    let checksum = crc32c::crc32c(&slot[..SLOT - 4]);
    slot[SLOT - 4..].copy_from_slice(&checksum.to_be_bytes());
    slot
}

pub(crate) fn decode(slot: &[u8]) -> Option<(GroupId, Mark)> {
    let number = |at: usize| Some(u64::from_be_bytes(slot.get(at..at + 8)?.try_into().ok()?));
    let ordinal = |at: usize| number(at).filter(|found| bounds::is_lawful(*found));
    let checksum = u32::from_be_bytes(slot.get(SLOT - 4..)?.try_into().ok()?);
    if slot.len() != SLOT || slot[0] != VERSION || crc32c::crc32c(&slot[..SLOT - 4]) != checksum {
        return None;
    }
    let group = u32::from_be_bytes(slot[4..8].try_into().ok()?);
    let mut mark = Mark::default();
    if slot[1] & 1 != 0 {
        mark.vote = Some(Vote {
            leader_id: leader_id(ordinal(8)?, number(16)?),
            committed: slot[1] & 2 != 0,
        });
    }
    if slot[1] & 4 != 0 {
        mark.last = Some(LogId::new(leader_id(ordinal(24)?, number(32)?), ordinal(40)?));
    }
    Some((GroupId(group), mark))
}

fn damaged(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
