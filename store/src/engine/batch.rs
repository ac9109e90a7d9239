//! A batch: changes that reach the disk together.

use std::ops::Range;

use super::{Column, Durability};

/// Changes that an engine makes together, in the order they were added.
///
/// All keys and values lie in one buffer, so that a batch of a thousand entries costs two
/// allocations, not two thousand.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    steps: Vec<Step>,
}

struct Step {
    column: Column,
    kind: Kind,
    /// The key, or where a deleted range begins.
    first: Range<usize>,
    /// The value, or where a deleted range ends.
    second: Range<usize>,
}

#[derive(Clone, Copy)]
enum Kind {
    Put,
    Delete,
    DeleteRange,
}

/// One change of a batch, as an engine reads it.
#[derive(Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Set `key` to `value`.
    Put {
        /// The column.
        column: Column,
        /// The key.
        key: &'a [u8],
        /// The new value.
        value: &'a [u8],
    },
    /// Remove `key`, if it is there.
    Delete {
        /// The column.
        column: Column,
        /// The key.
        key: &'a [u8],
    },
    /// Remove every key with `from <= key < to`.
    DeleteRange {
        /// The column.
        column: Column,
        /// The first key of the range.
        from: &'a [u8],
        /// The first key behind the range.
        to: &'a [u8],
    },
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Batch::default()
    }

    /// An empty batch with room for `changes` changes of together `bytes` bytes.
    pub fn with_capacity(changes: usize, bytes: usize) -> Self {
        Batch { bytes: Vec::with_capacity(bytes), steps: Vec::with_capacity(changes) }
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, column: Column, key: &[u8], value: &[u8]) {
        self.step(column, Kind::Put, key, value);
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, column: Column, key: &[u8]) {
        self.step(column, Kind::Delete, key, &[]);
    }

    /// Removes every key with `from <= key < to`; nothing when `from >= to`.
    pub fn delete_range(&mut self, column: Column, from: &[u8], to: &[u8]) {
        if from < to {
            self.step(column, Kind::DeleteRange, from, to);
        }
    }

    /// How many changes it holds.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether it holds no change.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many bytes its keys and values have together.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The changes, in the order they were added.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.steps.iter().map(|step| {
            let (first, second) =
                (&self.bytes[step.first.clone()], &self.bytes[step.second.clone()]);
            match step.kind {
                Kind::Put => Change::Put { column: step.column, key: first, value: second },
                Kind::Delete => Change::Delete { column: step.column, key: first },
                Kind::DeleteRange => {
                    Change::DeleteRange { column: step.column, from: first, to: second }
                }
            }
        })
    }

    /// Holds every change against the durability its column is written with.
    ///
    /// # Panics
    /// When they do not agree: that is a defect of the caller, and would show only after a crash.
    pub(super) fn check(&self, durability: Durability) {
        let logged = durability != Durability::Unlogged;
        for step in &self.steps {
            assert_eq!(
                step.column.is_logged(),
                logged,
                "the column {} is not written as {durability:?}",
                step.column
            );
        }
    }

    fn step(&mut self, column: Column, kind: Kind, first: &[u8], second: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(first);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(second);
        self.steps.push(Step {
            column,
            kind,
            first: start..middle,
            second: middle..self.bytes.len(),
        });
    }
}
