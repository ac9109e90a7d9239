//! An engine whose every reader notices damage, and what the disk refuses.
//!
//! Whoever meets a block whose checksum is wrong, in whatever it was doing, ends the node: the damage is
//! named, and the next start rebuilds what it hit. What cannot be read at all ends it too: a leader that
//! does not know what its log says must not lead, and others can. Nobody can pass over either.

use std::sync::Arc;

use store::engine::{Direction, Visit};
use store::{Batch, Column, Durability, Engine, EngineView, Fault};

use crate::error::chain;
use crate::fatal::{End, FatalSignal};

/// An engine, or a pinned moment of one, on behalf of a node.
pub(crate) struct Watched<E: ?Sized> {
    inner: Arc<E>,
    fatal: FatalSignal,
}

impl<E: ?Sized> Watched<E> {
    pub(crate) fn new(inner: Arc<E>, fatal: FatalSignal) -> Self {
        Watched { inner, fatal }
    }

    fn look<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.inspect_err(|fault| {
            self.fatal.end(match fault.damage() {
                Some(damage) => End::Damaged(damage, chain(fault)),
                None => End::Failed(chain(fault)),
            });
        })
    }
}

impl<E: EngineView + ?Sized> EngineView for Watched<E> {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.look(self.inner.get(column, key))
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        self.look(self.inner.scan(column, from, to, direction, visit))
    }

    fn blocks(&self) -> bool {
        self.inner.blocks()
    }
}

impl<E: Engine + ?Sized> Engine for Watched<E> {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Fault> {
        self.look(self.inner.write(batch, durability))
    }

    fn sync(&self) -> Result<(), Fault> {
        self.look(self.inner.sync())
    }

    fn flush(&self, column: Column) -> Result<(), Fault> {
        self.look(self.inner.flush(column))
    }

    fn snapshot(&self) -> Arc<dyn EngineView> {
        Arc::new(Watched::new(self.inner.snapshot(), self.fatal.clone()))
    }
}
