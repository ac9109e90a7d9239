//! A node's disk: the memory engine, which knows what is not durable, and what a disk may do to it.
//!
//! A handle belongs to one life of its node. When that life ends, what it had not made durable is lost
//! up to a prefix that the seed chooses (whole records: of one that was torn the engine shows nothing), and
//! the handle refuses everything from then on: what is left of the dead node's tasks can do no harm.
//!
//! Writes and syncs that fail go on failing until the node's life ends; a read fails once, so that a node
//! that takes no notice of it would go on with what it did not read.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::engine::memory::{Crash, MemoryEngine, Pending};
use store::engine::{Direction, DiskError, Visit};
use store::{Batch, Column, Durability, Engine, EngineView, Fault};
use tokio::time::Instant;
use types::GroupId;

use super::stage::Stage;

mod records;

use records::group_of;

/// How long syncs take of a disk that is well, in milliseconds.
const SYNC_MS: (u64, u64) = (0, 2);

/// The disk of one node, through all its lives.
pub(super) struct Disk {
    node: u64,
    engine: MemoryEngine,
    life: AtomicU64,
    faults: Mutex<Faults>,
    stage: Arc<Stage>,
}

/// What the disk does to its node.
struct Faults {
    /// How long a sync takes, in milliseconds: at least, at most.
    sync_ms: (u64, u64),
    /// As what a sync counts that takes so long.
    felt: Option<&'static str>,
    /// After so many more calls that write, one fails, and with it every one after it.
    fails_in: Option<u32>,
    /// A call that reads, and fails.
    unreadable: Option<Unreadable>,
    /// When the disk first refused its node something in this life.
    refused: Option<Instant>,
}

/// Something that cannot be read, once.
#[derive(Clone, Copy)]
pub(super) struct Unreadable {
    pub(super) column: Column,
    /// Of this group only, where the column is the log; else of any.
    pub(super) group: Option<GroupId>,
    /// After so many calls that could read it.
    pub(super) after: u32,
}

impl Disk {
    pub(super) fn new(node: u64, stage: Arc<Stage>) -> Arc<Self> {
        let faults = Faults {
            sync_ms: SYNC_MS,
            felt: None,
            fails_in: None,
            unreadable: None,
            refused: None,
        };
        let (engine, life) = (MemoryEngine::new(), AtomicU64::new(0));
        Arc::new(Disk { node, engine, life, faults: Mutex::new(faults), stage })
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn life(&self) -> u64 {
        self.life.load(Ordering::Relaxed)
    }

    /// The disk in the hands of its node's present life.
    pub(super) fn handle(self: &Arc<Self>) -> Arc<Handle> {
        Arc::new(Handle { disk: self.clone(), life: self.life() })
    }

    /// Ends the present life. Returns what was lost.
    pub(super) fn crash(&self, crash: Crash) -> Pending {
        self.life.fetch_add(1, Ordering::Relaxed);
        let pending = self.engine.pending();
        let left = |pending: usize| {
            use rand::RngExt;
            self.stage.draw(|random| match random.random_range(0..3) {
                0 => 0,
                _ => random.random_range(0..=pending),
            })
        };
        let left = Pending { logged: left(pending.logged), unlogged: left(pending.unlogged) };
        self.engine.crash_leaving(crash, left);
        self.whole();
        let logged = if crash == Crash::Power { pending.logged - left.logged } else { 0 };
        Pending { logged, unlogged: pending.unlogged - left.unlogged }
    }

    /// Loses all that a crash may take.
    pub(super) fn lose_all(&self, crash: Crash) {
        self.engine.crash(crash);
    }

    /// Makes a later call fail as the system would say EIO.
    pub(super) fn fail_in(&self, calls: u32) {
        self.faults().fails_in = Some(calls);
    }

    /// Makes a later call that reads fail as the system would say EIO.
    pub(super) fn fail_read(&self, unreadable: Unreadable) {
        self.faults().unreadable = Some(unreadable);
    }

    /// The disk refuses nothing any more.
    pub(super) fn whole(&self) {
        let mut faults = self.faults();
        (faults.fails_in, faults.unreadable, faults.refused) = (None, None, None);
    }

    /// How long ago the disk first refused something in this life of its node.
    pub(super) fn refused(&self) -> Option<Duration> {
        Some(self.faults().refused?.elapsed())
    }

    /// Syncs take so long from now on, in milliseconds. Each is counted as `felt`.
    pub(super) fn slow(&self, felt: &'static str, from_ms: u64, to_ms: u64) {
        let mut faults = self.faults();
        (faults.sync_ms, faults.felt) = ((from_ms, to_ms), Some(felt));
    }

    /// Syncs take as long as they do.
    pub(super) fn swift(&self) {
        let mut faults = self.faults();
        (faults.sync_ms, faults.felt) = (SYNC_MS, None);
    }

    /// How long the sync takes that begins now.
    pub(super) fn sync_time(&self) -> Duration {
        let ((from, to), felt) = {
            let faults = self.faults();
            (faults.sync_ms, faults.felt)
        };
        if let Some(felt) = felt {
            self.stage.count(felt, 1);
        }
        self.stage.time(from, to)
    }
}

impl Unreadable {
    fn hits(&self, column: Column, key: &[u8]) -> bool {
        let of_group = || self.group.is_none_or(|group| group_of(key) == Some(group));
        self.column == column && (column != Column::Log || of_group())
    }
}

/// A disk, as one life of its node has it open.
#[derive(Clone)]
pub(super) struct Handle {
    pub(super) disk: Arc<Disk>,
    life: u64,
}

impl Handle {
    fn check(&self, column: Column) -> Result<(), Fault> {
        if self.life == self.disk.life() { Ok(()) } else { Err(fault("use", column)) }
    }

    /// Whether this call reads what it asks for.
    fn attempt_read(&self, column: Column, key: &[u8]) -> Result<(), Fault> {
        self.check(column)?;
        let mut faults = self.disk.faults();
        let Some(bad) = faults.unreadable.as_mut().filter(|bad| bad.hits(column, key)) else {
            return Ok(());
        };
        if bad.after > 0 {
            bad.after -= 1;
            return Ok(());
        }
        faults.unreadable = None;
        faults.refused.get_or_insert_with(Instant::now);
        drop(faults);
        let stage = &self.disk.stage;
        stage.count("read errors", 1);
        if column == Column::Log {
            stage.count("read errors of the log", 1);
        }
        stage.note(format_args!("n{} EIO on read {column}", self.disk.node));
        Err(fault("read", column))
    }

    /// A scan that fails may have shown something before.
    fn scan_of(
        &self,
        view: &dyn EngineView,
        column: Column,
        (from, to): (&[u8], &[u8]),
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        let attempt = self.attempt_read(column, from);
        if attempt.is_ok() {
            return view.scan(column, from, to, direction, visit);
        }
        self.check(column)?;
        let mut left = self.disk.stage.time(0, 2).as_millis();
        view.scan(column, from, to, direction, &mut |key, value| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            visit(key, value)
        })?;
        attempt
    }

    /// Whether this call that writes goes through. One that fails may have done its work all the same.
    fn attempt(&self, action: &'static str, column: Column) -> Result<bool, Fault> {
        self.check(column)?;
        let mut faults = self.disk.faults();
        match &mut faults.fails_in {
            None => Ok(true),
            Some(0) => {
                faults.refused.get_or_insert_with(Instant::now);
                drop(faults);
                self.disk.stage.count("disk errors", 1);
                self.disk.stage.note(format_args!("n{} EIO on {action} {column}", self.disk.node));
                Ok(false)
            }
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
        }
    }

    fn carry_out(
        &self,
        action: &'static str,
        column: Column,
        work: impl FnOnce(&MemoryEngine) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.attempt(action, column)? {
            return work(&self.disk.engine);
        }
        if self.disk.stage.chance(0.5) {
            work(&self.disk.engine)?;
        }
        Err(fault(action, column))
    }
}

fn fault(action: &'static str, column: Column) -> Fault {
    let source = DiskError::new(std::io::Error::from_raw_os_error(5));
    Fault::Disk { action, column, source }
}

impl EngineView for Handle {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.attempt_read(column, key)?;
        self.disk.engine.get(column, key)
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        self.scan_of(&self.disk.engine, column, (from, to), direction, visit)
    }

    fn blocks(&self) -> bool {
        false
    }
}

impl Engine for Handle {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Fault> {
        let column = if durability == Durability::Unlogged { Column::State } else { Column::Log };
        self.carry_out("write", column, |engine| {
            self.disk.show(&batch);
            engine.write(batch, durability)
        })
    }

    fn sync(&self) -> Result<(), Fault> {
        self.carry_out("sync", Column::Log, Engine::sync)
    }

    fn flush(&self, column: Column) -> Result<(), Fault> {
        self.carry_out("flush", column, |engine| engine.flush(column))
    }

    fn snapshot(&self) -> Arc<dyn EngineView> {
        Arc::new(Moment { view: self.disk.engine.snapshot(), handle: self.clone() })
    }
}

/// A pinned moment of a disk: no younger than when it was pinned, and no more readable than the disk is.
struct Moment {
    view: Arc<dyn EngineView>,
    handle: Handle,
}

impl EngineView for Moment {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.handle.attempt_read(column, key)?;
        self.view.get(column, key)
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        self.handle.scan_of(self.view.as_ref(), column, (from, to), direction, visit)
    }

    fn blocks(&self) -> bool {
        false
    }
}
