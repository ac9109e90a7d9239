//! An engine in memory that knows what a crash would lose.
//!
//! Each column is a map behind an `Arc`, so that a snapshot is one clone of a pointer, and a list of
//! how to undo what is not durable yet, newest last. A crash walks that list back. What a real
//! crash may leave of the un-synced writes is any prefix; this engine leaves the shortest one that
//! the contract allows, which is the hardest case.
//!
//! For models and simulation: nothing here survives the process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Batch, Change, Column, Direction, Durability, Engine, EngineView, Visit};
use crate::fault::Fault;

#[cfg(test)]
mod tests;

type Map = BTreeMap<Vec<u8>, Arc<[u8]>>;
type Before = Option<Arc<[u8]>>;

/// What a crash takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process dies and the operating system lives: only what was never given to it is lost,
    /// which is the part of `State` that was not flushed.
    Process,
    /// The machine dies: lost is also what was not synced.
    Power,
}

/// Three maps and what it takes to undo their last changes.
#[derive(Default)]
pub struct MemoryEngine {
    columns: Mutex<[ColumnState; 3]>,
}

#[derive(Default)]
struct ColumnState {
    map: Arc<Map>,
    /// Keys and what stood there before, newest last.
    undo: Vec<(Vec<u8>, Before)>,
}

impl ColumnState {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        let before = Arc::make_mut(&mut self.map).insert(key.to_vec(), value.into());
        self.undo.push((key.to_vec(), before));
    }

    fn delete(&mut self, key: &[u8]) {
        if let Some(before) = Arc::make_mut(&mut self.map).remove(key) {
            self.undo.push((key.to_vec(), Some(before)));
        }
    }

    fn delete_range(&mut self, from: &[u8], to: &[u8]) {
        let keys: Vec<Vec<u8>> = range(&self.map, from, to).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.delete(&key);
        }
    }

    fn lose(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            let map = Arc::make_mut(&mut self.map);
            match before {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
    }
}

impl MemoryEngine {
    /// An empty engine.
    pub fn new() -> Self {
        MemoryEngine::default()
    }

    /// Takes away what `crash` would. Snapshots taken before keep what they saw.
    pub fn crash(&self, crash: Crash) {
        let mut columns = self.lock();
        for column in Column::ALL {
            if crash == Crash::Power || !column.is_logged() {
                columns[column as usize].lose();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, [ColumnState; 3]> {
        // A panic while the lock was held is a failed test; the maps are whole between changes.
        self.columns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pin(&self) -> Pinned {
        Pinned { maps: self.lock().each_ref().map(|column| Arc::clone(&column.map)) }
    }
}

impl EngineView for MemoryEngine {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.lock()[column as usize].map.get(key).map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        self.pin().scan(column, from, to, direction, visit)
    }
}

impl Engine for MemoryEngine {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Fault> {
        batch.check(durability);
        let mut columns = self.lock();
        for change in batch.changes() {
            match change {
                Change::Put { column, key, value } => columns[column as usize].put(key, value),
                Change::Delete { column, key } => columns[column as usize].delete(key),
                Change::DeleteRange { column, from, to } => {
                    columns[column as usize].delete_range(from, to)
                }
            }
        }
        drop(columns);
        if durability == Durability::Synced { self.sync() } else { Ok(()) }
    }

    fn sync(&self) -> Result<(), Fault> {
        let mut columns = self.lock();
        for column in Column::ALL.into_iter().filter(|column| column.is_logged()) {
            columns[column as usize].undo.clear();
        }
        Ok(())
    }

    fn flush(&self, column: Column) -> Result<(), Fault> {
        self.lock()[column as usize].undo.clear();
        Ok(())
    }

    fn snapshot(&self) -> Arc<dyn EngineView> {
        Arc::new(self.pin())
    }
}

/// One moment of a [`MemoryEngine`].
struct Pinned {
    maps: [Arc<Map>; 3],
}

impl EngineView for Pinned {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.maps[column as usize].get(key).map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        let mut pairs = range(&self.maps[column as usize], from, to);
        loop {
            let pair = match direction {
                Direction::Forward => pairs.next(),
                Direction::Reverse => pairs.next_back(),
            };
            match pair {
                Some((key, value)) if visit(key, value).is_continue() => {}
                _ => return Ok(()),
            }
        }
    }
}

fn range<'a>(
    map: &'a Map,
    from: &[u8],
    to: &[u8],
) -> impl DoubleEndedIterator<Item = (&'a Vec<u8>, &'a Arc<[u8]>)> {
    // The map's own `range` panics on bounds that cross; an empty range is what they mean here.
    let to = to.max(from);
    map.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
}
