//! The state machine of one group: committed entries in, replies out.
//!
//! Promises: [`Machine::apply`] is a function of the state and the entries, and of nothing else; a
//! run of entries becomes one batch that holds the data, the digest and the position together; what
//! a crash takes away, it takes away together, and applying the same entries again restores it.
//!
//! The batch goes past the write-ahead log ([`crate::engine`]), because the Raft log holds the
//! entries already. So the log may be purged no further than what [`Machine::flush`] returned.
//!
//! Not here: who may be heard (`api` checks signatures and roots before it proposes), and when to
//! apply, flush or take a snapshot (`raft` does).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use types::ids::GroupId;

use crate::codec;
use crate::command::{Command, Reply};
use crate::digest::StateDigest;
use crate::engine::{Batch, Column, Durability, Engine};
use crate::entry::{Applied, Entry, Payload, Position};
use crate::fault::Fault;
use crate::keys::{Key, Prefix};
use crate::read::Reader;
use crate::rows::{AppliedRow, MembershipAt};
use crate::snapshot::{self, SnapshotError, SnapshotMeta, SnapshotSink, SnapshotSource};

mod apply;
mod audit;
mod bootstrap;
mod cluster;
mod floor;
pub(crate) mod incarnation;
mod journal;
mod level;
mod locators;
mod placement;
mod push;
mod receipts;
mod restore;
pub(crate) mod view;

use view::View;

/// The state machine of one group on one node.
///
/// There is one per group and engine; whoever holds it is the only one that writes the group's state.
pub struct Machine {
    engine: Arc<dyn Engine>,
    prefix: Prefix,
    applied: AppliedRow,
    /// The next life that no snapshot has been promised yet.
    next_incarnation: AtomicU64,
}

impl Machine {
    /// Opens the state of `group`, which is empty if it never had any, and removes what an
    /// interrupted install left behind.
    ///
    /// # Errors
    /// When the engine fails, or what is stored does not read back.
    pub fn open(engine: Arc<dyn Engine>, group: GroupId) -> Result<Self, Fault> {
        let current = incarnation::current(&*engine, group)?;
        let prefix = Prefix { group, incarnation: current };
        incarnation::remove_others(&*engine, prefix)?;
        let applied = match snapshot::applied(&*engine, prefix)? {
            Some(applied) => applied,
            None if incarnation::is_empty(&*engine, prefix)? => AppliedRow::default(),
            None => return Err(Fault::Inconsistent { group, what: Key::Applied.kind() }),
        };
        let next = current.checked_add(1).ok_or(Fault::Inconsistent { group, what: "its life" })?;
        Ok(Machine { engine, prefix, applied, next_incarnation: AtomicU64::new(next) })
    }

    /// The group.
    pub fn group(&self) -> GroupId {
        self.prefix.group
    }

    /// How far the state has come. Not all of it need be durable: see [`Machine::flush`].
    pub fn applied(&self) -> Applied {
        Applied {
            position: self.applied.position,
            membership: self.applied.membership.as_ref().map(|at| (at.position, at.bytes.clone())),
        }
    }

    /// The digest of the whole state: equal on every replica at the same position.
    pub fn digest(&self) -> StateDigest {
        self.applied.digest
    }

    /// Applies a run of committed entries as one batch, and answers each.
    ///
    /// Every replica does this with the same entries in the same order. No clock, no randomness, no
    /// key: time and ciphertext were fixed when the command was proposed. Nothing is synced.
    ///
    /// # Errors
    /// Any [`Fault`]. Nothing of the run was then applied as far as this machine says, and the node
    /// must stop.
    pub fn apply(&mut self, entries: &[Entry]) -> Result<Vec<Reply>, Fault> {
        let Some(last) = entries.last() else { return Ok(Vec::new()) };
        let mut applied = self.applied.clone();
        let mut view = View::new(&*self.engine, self.prefix);
        let mut replies = Vec::with_capacity(entries.len());
        for entry in entries {
            check_order(applied.position, entry.position)?;
            replies.push(match &entry.payload {
                Payload::Blank => Reply::Nothing,
                Payload::Membership(bytes) => {
                    applied.membership =
                        Some(MembershipAt { position: entry.position, bytes: bytes.clone() });
                    Reply::Nothing
                }
                Payload::Command(bytes) => {
                    apply::run(&mut view, &self.command(entry.position, bytes)?)?
                }
            });
            applied.position = Some(entry.position);
        }
        debug_assert_eq!(
            applied.position,
            Some(last.position),
            "the run ends where its last entry stands"
        );

        let mut batch = Batch::new();
        view.finish(&mut applied.digest, &mut batch)?;
        batch.put(Column::State, &Key::Applied.encode(self.prefix), &codec::encode(&applied));
        self.engine.write(batch, Durability::Unlogged)?;
        self.applied = applied;
        Ok(replies)
    }

    /// Makes the state durable, waits for it, and returns the position it is durable up to: the log
    /// may be purged up to there. The engine flushes the state of all its groups at once.
    ///
    /// # Errors
    /// [`Fault::Disk`]. What is durable is then not known: the node stops.
    pub fn flush(&self) -> Result<Option<Position>, Fault> {
        self.engine.flush(Column::State)?;
        Ok(self.applied.position)
    }

    /// The state at this moment.
    ///
    /// # Errors
    /// When the engine fails, or what is stored does not read back.
    pub fn reader(&self) -> Result<Reader, Fault> {
        Reader::open(&*self.engine, self.prefix.group)
    }

    /// The state at this moment, to be carried to another replica frame by frame.
    ///
    /// # Errors
    /// As [`Machine::reader`].
    pub fn snapshot(&self) -> Result<SnapshotSource, Fault> {
        SnapshotSource::open(&*self.engine, self.prefix.group)
    }

    /// A place for the frames of a snapshot: a new life of the group's keys, which nobody reads until
    /// [`Machine::finish_install`]. Dropped unfinished, it removes what it wrote.
    pub fn begin_install(&self) -> SnapshotSink {
        let incarnation = self.next_incarnation.fetch_add(1, Ordering::Relaxed);
        SnapshotSink::new(Arc::clone(&self.engine), Prefix { incarnation, ..self.prefix })
    }

    /// Puts a received snapshot in the place of the present state.
    ///
    /// Its digest is compared, it is flushed, one synced batch names it as the group's present life,
    /// and only then the former one is removed. Killed before the naming, the group is what it was;
    /// killed after it, it is the snapshot.
    ///
    /// # Errors
    /// [`SnapshotError::Refused`] when the snapshot is unfinished, does not have the digest it
    /// announced, is another group's or is older than the present state: the group is what it was.
    /// [`SnapshotError::Fault`] stops the node.
    pub fn finish_install(&mut self, sink: SnapshotSink) -> Result<SnapshotMeta, SnapshotError> {
        self.finish_install_with(sink, Batch::new())
    }

    /// As [`Machine::finish_install`], and whatever `beside` changes of `Log` and `Meta` changes in the
    /// same moment.
    ///
    /// # Errors
    /// As [`Machine::finish_install`].
    pub fn finish_install_with(
        &mut self,
        sink: SnapshotSink,
        beside: Batch,
    ) -> Result<SnapshotMeta, SnapshotError> {
        let (prefix, applied, meta) = sink.finish(self.applied.position)?;
        incarnation::name(&*self.engine, prefix, beside)?;
        let former = std::mem::replace(&mut self.prefix, prefix);
        self.applied = applied;
        // Only the former life: another snapshot may be on its way into yet another one.
        incarnation::remove(&*self.engine, former)?;
        Ok(meta)
    }

    fn command(&self, position: Position, bytes: &[u8]) -> Result<Command, Fault> {
        let group = self.prefix.group;
        Command::decode(bytes).map_err(|source| Fault::Command {
            group,
            index: position.index,
            source,
        })
    }
}

fn check_order(after: Option<Position>, found: Position) -> Result<(), Fault> {
    match after {
        Some(after)
            if after.index.checked_add(1) != Some(found.index) || found.term < after.term =>
        {
            Err(Fault::OutOfOrder { after, found })
        }
        _ => Ok(()),
    }
}
