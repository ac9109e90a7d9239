//! The little that is asked of a disk: three ordered columns, atomic batches, and a say in when a
//! batch has to be durable.
//!
//! Two engines keep this contract and are tested against each other: [`rocks::RocksEngine`] for
//! nodes, [`memory::MemoryEngine`] for models and simulation, which also shows what a crash loses.
//!
//! | column | written | after a crash of the process | after a loss of power |
//! |---|---|---|---|
//! | `Log`, `Meta` | through the write-ahead log | everything written is there | everything up to the last sync is there, and a prefix of what followed |
//! | `State` | past the write-ahead log | everything up to the last flush is there, and a prefix of what followed | the same |
//!
//! A batch is there whole or not at all. Within `State` the prefix follows the order of writing, and
//! within `Log` and `Meta` together it does too; between the two there is no order. That is enough:
//! Raft keeps every entry in the log until the state that it produced is flushed.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::fault::Fault;

mod batch;
pub mod memory;
pub mod rocks;

pub use batch::{Batch, Change};

/// One ordered space of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// The Raft logs and votes of all groups. The `raft` crate owns its keys.
    Log,
    /// Everything that applying entries writes, of all groups.
    State,
    /// The few facts about this node that are in neither: which incarnation of a group's keys is
    /// the present one. First bytes below 0x80 belong to this crate, the others to `raft`.
    Meta,
}

impl Column {
    /// Every column, in the order of their indices.
    pub const ALL: [Column; 3] = [Column::Log, Column::State, Column::Meta];

    /// The name the column has on disk. Never changed.
    pub const fn name(self) -> &'static str {
        match self {
            Column::Log => "log",
            Column::State => "state",
            Column::Meta => "meta",
        }
    }

    /// Whether writes to it go through the write-ahead log.
    pub const fn is_logged(self) -> bool {
        !matches!(self, Column::State)
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a batch has to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// In the write-ahead log, durable with the next [`Engine::sync`]. For `Log` and `Meta`.
    Buffered,
    /// In the write-ahead log and durable on return, with every buffered write before it. For `Log`
    /// and `Meta`.
    Synced,
    /// Past the write-ahead log, durable with the next [`Engine::flush`]. For `State`.
    Unlogged,
}

/// Which way a scan goes through its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the lowest key up.
    Forward,
    /// From the highest key down.
    Reverse,
}

/// What a scan calls for each pair; [`ControlFlow::Break`] ends the scan.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Reading: the present of an engine, or one pinned moment of it.
pub trait EngineView: Send + Sync {
    /// The value under `key`.
    ///
    /// # Errors
    /// [`Fault::Disk`] when it cannot be read or its checksum is wrong.
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// Shows every pair with `from <= key < to` to `visit`, as of one moment.
    ///
    /// # Errors
    /// [`Fault::Disk`] when something in the range cannot be read or its checksum is wrong; pairs
    /// before it may have been shown.
    fn scan(
        &self,
        column: Column,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault>;

    /// Whether calls may wait for a device, so that they belong on threads where that is allowed.
    fn blocks(&self) -> bool {
        true
    }
}

/// Three columns on something that keeps them.
pub trait Engine: EngineView {
    /// Writes a batch, whole or not at all.
    ///
    /// # Errors
    /// [`Fault::Disk`]. Whether the batch is there afterwards is then not known: the node stops.
    ///
    /// # Panics
    /// When `durability` is not one of the column's: [`Durability::Unlogged`] is for `State`, the
    /// other two are for `Log` and `Meta`.
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Fault>;

    /// Makes every write to `Log` and `Meta` so far durable.
    ///
    /// # Errors
    /// [`Fault::Disk`]. What is durable is then not known: the node stops.
    fn sync(&self) -> Result<(), Fault>;

    /// Makes every write to `column` so far durable, by writing it to files, and waits for it.
    ///
    /// # Errors
    /// [`Fault::Disk`]. What is durable is then not known: the node stops.
    fn flush(&self, column: Column) -> Result<(), Fault>;

    /// Pins this moment for reading. It holds back the reclaiming of space for as long as it lives.
    fn snapshot(&self) -> Arc<dyn EngineView>;
}

/// The engine's own account of a failure: one layer of text, with the cause behind it.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct DiskError {
    cause: Box<dyn std::error::Error + Send + Sync>,
    damage: bool,
}

impl DiskError {
    /// Wraps what an engine reported.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        DiskError { cause: cause.into(), damage: false }
    }

    /// As [`DiskError::new`], for bytes that are not what the engine once wrote, or are missing.
    pub fn damage(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        DiskError { damage: true, ..DiskError::new(cause) }
    }

    /// Whether something was found damaged, rather than refused by the system.
    pub fn is_damage(&self) -> bool {
        self.damage
    }
}
