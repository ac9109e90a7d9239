//! Which life of a group's keys is the present one.
//!
//! The number stands in `Meta`, synced; a group that never installed a snapshot has none and is in
//! its life 0. Keys of any other life are leftovers of an install that was interrupted, or that
//! finished a moment ago.

use std::ops::ControlFlow;

use types::ids::GroupId;

use crate::codec;
use crate::engine::{Batch, Column, Direction, Durability, Engine, EngineView};
use crate::fault::Fault;
use crate::keys::{MetaKey, Prefix};

/// The present life of `group` in what `view` shows.
pub(crate) fn current(view: &dyn EngineView, group: GroupId) -> Result<u64, Fault> {
    let Some(value) = view.get(Column::Meta, &MetaKey::Incarnation(group).encode())? else {
        return Ok(0);
    };
    codec::decode(&value).map_err(|source| Fault::Corrupt {
        column: Column::Meta,
        kind: "an incarnation",
        source,
    })
}

/// Names the present life of a group, durably, together with what is in `batch`.
pub(super) fn name(engine: &dyn Engine, prefix: Prefix, mut batch: Batch) -> Result<(), Fault> {
    batch.put(
        Column::Meta,
        &MetaKey::Incarnation(prefix.group).encode(),
        &codec::encode(&prefix.incarnation),
    );
    engine.write(batch, Durability::Synced)
}

/// Removes the keys of one life of a group.
pub(crate) fn remove(engine: &dyn Engine, prefix: Prefix) -> Result<(), Fault> {
    let (from, to) = prefix.range();
    let mut batch = Batch::new();
    batch.delete_range(Column::State, &from, &to);
    engine.write(batch, Durability::Unlogged)
}

/// Removes the keys of every other life of the group, if there are any. Not while one is being
/// received.
pub(super) fn remove_others(engine: &dyn Engine, present: Prefix) -> Result<(), Fault> {
    let (start, end) = present.range();
    let (first, _) = Prefix { incarnation: 0, ..present }.range();
    let (_, last) = Prefix { incarnation: u64::MAX, ..present }.range();
    let mut batch = Batch::new();
    for (from, to) in [(first, start), (end, last)] {
        // A range tombstone costs every later read a little, so none is written over nothing.
        if has_keys(engine, &from, &to)? {
            batch.delete_range(Column::State, &from, &to);
        }
    }
    engine.write(batch, Durability::Unlogged)
}

/// Whether a life of a group has no keys at all.
pub(super) fn is_empty(engine: &dyn EngineView, prefix: Prefix) -> Result<bool, Fault> {
    let (from, to) = prefix.range();
    has_keys(engine, &from, &to).map(|found| !found)
}

fn has_keys(engine: &dyn EngineView, from: &[u8], to: &[u8]) -> Result<bool, Fault> {
    let mut found = false;
    engine.scan(Column::State, from, to, Direction::Forward, &mut |_, _| {
        found = true;
        ControlFlow::Break(())
    })?;
    Ok(found)
}
