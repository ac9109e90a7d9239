//! Saving log and vote out of a database whose state is damaged.
//!
//! The columns `Log` and `Meta` are opened alone, which needs no file of `State`, and copied into a new
//! database beside it. Every block that is read is verified: what is copied is what was written, or
//! there is no copy.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use rocksdb::DB;

use super::{Memory, RocksEngine, disk, options, unopened};
use crate::engine::{Batch, Column, Direction, Durability, Engine, EngineView};
use crate::fault::Fault;

/// What is copied at once, in bytes.
const BATCH_BYTES: usize = 4 << 20;
/// Above every key of `Log` and `Meta`.
const END: [u8; 16] = [0xff; 16];

impl RocksEngine {
    /// The names of the files that hold a column now, as the engine's messages name them: for whoever
    /// has to find out what a damaged file held.
    ///
    /// # Errors
    /// [`Fault::Disk`].
    pub fn files(&self, column: Column) -> Result<Vec<String>, Fault> {
        let files = self.db.live_files().map_err(|cause| disk("list", column, cause))?;
        let own = files.into_iter().filter(|file| file.column_family_name == column.name());
        Ok(own.map(|file| file.name).collect())
    }

    /// Opens what a node promised, its log and its votes, and nothing else, to be read only.
    ///
    /// # Errors
    /// [`Fault::Open`] when these are damaged themselves.
    pub fn open_promises(directory: &Path, memory: Memory) -> Result<Self, Fault> {
        let db = options::open(directory, memory).and_then(|(mut database, columns)| {
            database.create_if_missing(false);
            let kept = columns.into_iter().filter(|column| column.name() != Column::State.name());
            DB::open_cf_descriptors_read_only(&database, directory, kept, false)
        });
        Ok(RocksEngine { db: Arc::new(db.map_err(|cause| unopened(directory, cause))?) })
    }

    /// Copies log and votes of the database in `from` into a new one in `to`, which has no state, and
    /// leaves it durable.
    ///
    /// # Errors
    /// When something of them is damaged, or `to` cannot be written.
    pub fn salvage(from: &Path, to: &Path, memory: Memory) -> Result<(), Fault> {
        let old = RocksEngine::open_promises(from, memory)?;
        let new = RocksEngine::open(to, memory)?;
        for column in [Column::Log, Column::Meta] {
            copy(&old, &new, column)?;
            new.flush(column)?;
        }
        new.sync()
    }
}

fn copy(from: &RocksEngine, to: &RocksEngine, column: Column) -> Result<(), Fault> {
    let (mut batch, mut written) = (Batch::new(), Ok(()));
    from.scan(column, &[], &END, Direction::Forward, &mut |key, value| {
        batch.put(column, key, value);
        if batch.size_bytes() >= BATCH_BYTES {
            written = to.write(std::mem::take(&mut batch), Durability::Buffered);
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written?;
    to.write(batch, Durability::Buffered)
}
