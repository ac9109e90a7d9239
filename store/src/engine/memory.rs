//! An engine in memory that knows what a crash would lose.
//!
//! Each column is a map behind an `Arc`, so that a snapshot is one clone of a pointer, and a list of
//! how to undo what is not durable yet, newest last. A crash walks that list back. What a real
//! crash may leave of the un-synced writes is any prefix: [`MemoryEngine::crash`] leaves the shortest
//! one that the contract allows, which is the hardest case, and [`MemoryEngine::crash_leaving`] any
//! other. A batch of which a disk has written a part (a torn last record) is not there at all.
//!
//! For models and simulation: nothing here survives the process.

use std::collections::{BTreeMap, BTreeSet};
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
    state: Mutex<State>,
}

#[derive(Clone, Default)]
struct State {
    columns: [ColumnState; 3],
    /// How many batches were written.
    batches: u64,
}

#[derive(Clone, Default)]
struct ColumnState {
    map: Arc<Map>,
    /// What the changes that are not durable took the place of, newest last.
    undo: Vec<Undo>,
}

#[derive(Clone)]
struct Undo {
    /// The number of the batch.
    batch: u64,
    key: Vec<u8>,
    before: Before,
}

/// Batches that are written and not durable, so that a crash may take them away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Of `Log` and `Meta`.
    pub logged: usize,
    /// Of `State`.
    pub unlogged: usize,
}

impl ColumnState {
    fn put(&mut self, batch: u64, key: &[u8], value: &[u8]) {
        let before = Arc::make_mut(&mut self.map).insert(key.to_vec(), value.into());
        self.undo.push(Undo { batch, key: key.to_vec(), before });
    }

    fn delete(&mut self, batch: u64, key: &[u8]) {
        if let Some(before) = Arc::make_mut(&mut self.map).remove(key) {
            self.undo.push(Undo { batch, key: key.to_vec(), before: Some(before) });
        }
    }

    fn delete_range(&mut self, batch: u64, from: &[u8], to: &[u8]) {
        let keys: Vec<Vec<u8>> = range(&self.map, from, to).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.delete(batch, &key);
        }
    }

    /// Loses the batches from this number on. What is left has reached the disk.
    fn lose(&mut self, from: u64) {
        while let Some(Undo { key, before, .. }) = self.undo.pop_if(|undo| undo.batch >= from) {
            let map = Arc::make_mut(&mut self.map);
            match before {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        self.undo.clear();
    }
}

impl State {
    /// The columns of which a crash leaves one prefix.
    fn kept_together(&mut self, logged: bool) -> impl Iterator<Item = &mut ColumnState> {
        let columns = Column::ALL.into_iter().zip(&mut self.columns);
        columns.filter(move |(column, _)| column.is_logged() == logged).map(|(_, state)| state)
    }

    /// The numbers of the batches that are not durable, in order.
    fn pending(&mut self, logged: bool) -> BTreeSet<u64> {
        self.kept_together(logged).flat_map(|column| &column.undo).map(|undo| undo.batch).collect()
    }

    fn lose(&mut self, logged: bool, kept: usize) {
        let from = self.pending(logged).into_iter().nth(kept).unwrap_or(u64::MAX);
        self.kept_together(logged).for_each(|column| column.lose(from));
    }
}

impl MemoryEngine {
    /// An empty engine.
    pub fn new() -> Self {
        MemoryEngine::default()
    }

    /// Takes away all that `crash` may. Snapshots taken before keep what they saw.
    pub fn crash(&self, crash: Crash) {
        self.crash_leaving(crash, Pending::default());
    }

    /// As [`MemoryEngine::crash`], but for so many of the oldest batches that were not durable.
    pub fn crash_leaving(&self, crash: Crash, left: Pending) {
        let mut state = self.lock();
        state.lose(false, left.unlogged);
        if crash == Crash::Power {
            state.lose(true, left.logged);
        }
    }

    /// How many batches are not durable.
    pub fn pending(&self) -> Pending {
        let mut state = self.lock();
        Pending { logged: state.pending(true).len(), unlogged: state.pending(false).len() }
    }

    /// What [`MemoryEngine::crash`] would leave, as an engine of its own.
    pub fn left_by(&self, crash: Crash) -> MemoryEngine {
        let left = MemoryEngine { state: Mutex::new(self.lock().clone()) };
        left.crash(crash);
        left
    }

    /// What [`MemoryEngine::crash`] would leave under `key`.
    pub fn after(&self, crash: Crash, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        let state = self.lock();
        let ColumnState { map, undo } = &state.columns[column as usize];
        let lost = crash == Crash::Power || !column.is_logged();
        let value = match undo.iter().find(|undo| lost && undo.key == key) {
            Some(undo) => undo.before.as_ref(),
            None => map.get(key),
        };
        value.map(|value| value.to_vec())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held is a failed test; the maps are whole between changes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pin(&self) -> Pinned {
        Pinned { maps: self.lock().columns.each_ref().map(|column| Arc::clone(&column.map)) }
    }
}

impl EngineView for MemoryEngine {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.lock().columns[column as usize].map.get(key).map(|value| value.to_vec()))
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

    fn blocks(&self) -> bool {
        false
    }
}

impl Engine for MemoryEngine {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Fault> {
        batch.check(durability);
        let mut state = self.lock();
        state.batches += 1;
        let State { columns, batches } = &mut *state;
        for change in batch.changes() {
            match change {
                Change::Put { column, key, value } => {
                    columns[column as usize].put(*batches, key, value);
                }
                Change::Delete { column, key } => columns[column as usize].delete(*batches, key),
                Change::DeleteRange { column, from, to } => {
                    columns[column as usize].delete_range(*batches, from, to);
                }
            }
        }
        drop(state);
        if durability == Durability::Synced { self.sync() } else { Ok(()) }
    }

    fn sync(&self) -> Result<(), Fault> {
        self.lock().kept_together(true).for_each(|column| column.undo.clear());
        Ok(())
    }

    fn flush(&self, column: Column) -> Result<(), Fault> {
        self.lock().columns[column as usize].undo.clear();
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

    fn blocks(&self) -> bool {
        false
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
