//! RocksDB as the engine of a node.
//!
//! One database holds all groups of a node. Every option that matters to durability is spelled out
//! in `rocks/options.rs`, with its reason; nothing is left to a default that an upgrade could change.
//!
//! A sync is `flush_wal(true)`, not a synced write, so that whoever applies entries meanwhile does
//! not queue behind the disk. `State` never enters the write-ahead log: it becomes durable when a
//! memtable is written to a file, in the order of writing, which is what [`super`] promises of it.

use std::path::Path;
use std::sync::Arc;

use rocksdb::{ColumnFamily, DB, DBRawIterator, ErrorKind, FlushOptions, WriteBatch, WriteOptions};

use super::{Batch, Change, Column, Direction, DiskError, Durability, Engine, EngineView, Visit};
use crate::fault::Fault;

mod diary;
mod options;
mod pinned;
mod salvage;

pub use options::Memory;

/// A RocksDB database with the three columns.
pub struct RocksEngine {
    db: Arc<DB>,
}

impl RocksEngine {
    /// Opens the database in `directory`, and makes it if there is none.
    ///
    /// # Errors
    /// [`Fault::Open`] when the directory cannot be used, is open in another process, or holds
    /// something that was damaged anywhere but at the unfinished end of the write-ahead log.
    pub fn open(directory: &Path, memory: Memory) -> Result<Self, Fault> {
        let db = options::open(directory, memory)
            .and_then(|(database, columns)| DB::open_cf_descriptors(&database, directory, columns))
            .map_err(|cause| unopened(directory, cause))?;
        Ok(RocksEngine { db: Arc::new(db) })
    }

    /// Whether a database was made in this directory and still has what it begins with.
    pub fn is_in(directory: &Path) -> bool {
        directory.join("CURRENT").is_file()
    }
}

fn unopened(directory: &Path, cause: rocksdb::Error) -> Fault {
    let path = directory.display().to_string();
    let nameless = cause.kind() == ErrorKind::Corruption && !cause.as_ref().contains(&path);
    let source = match diary::damaged_log(directory).filter(|_| nameless) {
        Some(file) => DiskError::damage(format!("{} {file}", cause.as_ref())),
        None => told(cause),
    };
    Fault::Open { path, source }
}

/// A file that the database names and that is not there was lost, as one whose checksum is wrong.
fn told(cause: rocksdb::Error) -> DiskError {
    let missing =
        cause.kind() == ErrorKind::IOError && cause.as_ref().contains("No such file or directory");
    if missing || cause.kind() == ErrorKind::Corruption {
        DiskError::damage(cause)
    } else {
        DiskError::new(cause)
    }
}

impl EngineView for RocksEngine {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let handle = handle(&self.db, column)?;
        self.db
            .get_cf_opt(handle, key, &options::read())
            .map_err(|cause| disk("read", column, cause))
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        let Some(options) = options::read_range(from, to) else { return Ok(()) };
        let pairs = self.db.raw_iterator_cf_opt(handle(&self.db, column)?, options);
        walk(pairs, direction, visit).map_err(|cause| disk("scan", column, cause))
    }
}

impl Engine for RocksEngine {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Fault> {
        batch.check(durability);
        let Some(column) = batch.changes().next().map(|change| column_of(&change)) else {
            return Ok(());
        };
        let mut options = WriteOptions::default();
        options.disable_wal(durability == Durability::Unlogged);
        self.db
            .write_opt(self.convert(&batch)?, &options)
            .map_err(|cause| self.refused("write", column, cause))?;
        if durability == Durability::Synced { self.sync() } else { Ok(()) }
    }

    fn sync(&self) -> Result<(), Fault> {
        self.db.flush_wal(true).map_err(|cause| self.refused("sync", Column::Log, cause))
    }

    fn flush(&self, column: Column) -> Result<(), Fault> {
        let mut options = FlushOptions::default();
        options.set_wait(true);
        self.db
            .flush_cf_opt(handle(&self.db, column)?, &options)
            .map_err(|cause| self.refused("flush", column, cause))
    }

    fn snapshot(&self) -> Arc<dyn EngineView> {
        Arc::new(pinned::Pinned::take(&self.db))
    }
}

impl RocksEngine {
    fn convert(&self, batch: &Batch) -> Result<WriteBatch, Fault> {
        // What RocksDB adds to each change: a tag, the column and two lengths.
        let mut converted = WriteBatch::with_capacity_bytes(batch.size_bytes() + 16 * batch.len());
        for change in batch.changes() {
            let handle = handle(&self.db, column_of(&change))?;
            match change {
                Change::Put { key, value, .. } => converted.put_cf(handle, key, value),
                Change::Delete { key, .. } => converted.delete_cf(handle, key),
                Change::DeleteRange { from, to, .. } => converted.delete_range_cf(handle, from, to),
            }
        }
        Ok(converted)
    }

    /// Why nothing can be written. After a compaction has met a damaged table, RocksDB answers every write with
    /// that, to whichever column it was: the damage is that of the column whose table is named.
    fn refused(&self, action: &'static str, written: Column, cause: rocksdb::Error) -> Fault {
        let named = |column: &Column| {
            let tables = self.files(*column).unwrap_or_default();
            tables.iter().any(|table| cause.as_ref().contains(table))
        };
        let damaged = told(cause.clone()).is_damage();
        let column = Column::ALL.into_iter().find(|column| damaged && named(column));
        disk(action, column.unwrap_or(written), cause)
    }
}

fn column_of(change: &Change<'_>) -> Column {
    match change {
        Change::Put { column, .. }
        | Change::Delete { column, .. }
        | Change::DeleteRange { column, .. } => *column,
    }
}

fn handle(db: &DB, column: Column) -> Result<&ColumnFamily, Fault> {
    // `open` names every column, so one that is missing was dropped under our feet.
    db.cf_handle(column.name()).ok_or_else(|| Fault::Disk {
        action: "find",
        column,
        source: DiskError::new("the column is not in the database"),
    })
}

fn walk(
    mut pairs: DBRawIterator<'_>,
    direction: Direction,
    visit: &mut Visit<'_>,
) -> Result<(), rocksdb::Error> {
    match direction {
        Direction::Forward => pairs.seek_to_first(),
        Direction::Reverse => pairs.seek_to_last(),
    }
    while let Some((key, value)) = pairs.item() {
        if visit(key, value).is_break() {
            return Ok(());
        }
        match direction {
            Direction::Forward => pairs.next(),
            Direction::Reverse => pairs.prev(),
        }
    }
    // An iterator that met an error looks like one that is at its end.
    pairs.status()
}

fn disk(action: &'static str, column: Column, cause: rocksdb::Error) -> Fault {
    Fault::Disk { action, column, source: told(cause) }
}
