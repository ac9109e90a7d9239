//! An engine whose disk fails at a chosen step, and stays failed: how a test kills a node between any
//! two steps of what it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use store::engine::{Direction, DiskError, Visit};
use store::{Batch, Column, Durability, Engine, EngineView, Fault};

pub(crate) struct FaultyEngine {
    inner: Arc<dyn Engine>,
    /// How many steps still succeed.
    left: AtomicUsize,
    failed: AtomicBool,
}

impl FaultyEngine {
    pub(crate) fn new(inner: Arc<dyn Engine>, steps: usize) -> Self {
        FaultyEngine { inner, left: AtomicUsize::new(steps), failed: AtomicBool::new(false) }
    }

    /// Whether it came to fail.
    pub(crate) fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn step(&self, column: Column) -> Result<(), Fault> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            self.failed.store(true, Ordering::Relaxed);
            return Err(Fault::Disk {
                action: "write",
                column,
                source: DiskError::new("no space left on device"),
            });
        }
        self.left.store(left - 1, Ordering::Relaxed);
        Ok(())
    }
}

impl EngineView for FaultyEngine {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.inner.get(column, key)
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        self.inner.scan(column, from, to, direction, visit)
    }
}

impl Engine for FaultyEngine {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Fault> {
        self.step(Column::State)?;
        self.inner.write(batch, durability)
    }

    fn sync(&self) -> Result<(), Fault> {
        self.step(Column::Log)?;
        self.inner.sync()
    }

    fn flush(&self, column: Column) -> Result<(), Fault> {
        self.step(column)?;
        self.inner.flush(column)
    }

    fn snapshot(&self) -> Arc<dyn EngineView> {
        self.inner.snapshot()
    }
}
