//! A RocksDB snapshot that keeps its database open.

use std::sync::Arc;

use rocksdb::{DB, Snapshot};
use self_cell::self_cell;

use super::{disk, handle, options, walk};
use crate::engine::{Column, Direction, EngineView, Visit};
use crate::fault::Fault;

self_cell!(
    /// A snapshot and the database it borrows, released together and in this order.
    struct Held {
        owner: Arc<DB>,
        #[not_covariant]
        dependent: Snapshot,
    }
);

/// One moment of a [`super::RocksEngine`].
pub(super) struct Pinned {
    held: Held,
}

impl Pinned {
    pub(super) fn take(db: &Arc<DB>) -> Self {
        Pinned { held: Held::new(Arc::clone(db), |db| db.snapshot()) }
    }
}

impl EngineView for Pinned {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.held.with_dependent(|db, snapshot| {
            let value = snapshot.get_cf_opt(handle(db, column)?, key, options::read());
            value.map_err(|cause| disk("read", column, cause))
        })
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
        self.held.with_dependent(|db, snapshot| {
            let pairs = snapshot.raw_iterator_cf_opt(handle(db, column)?, options);
            walk(pairs, direction, visit).map_err(|cause| disk("scan", column, cause))
        })
    }
}
