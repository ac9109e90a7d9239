//! Both engines keep one contract: the same steps leave the same keys, after a crash too.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use store::engine::memory::{Crash, MemoryEngine};
use store::engine::rocks::RocksEngine;
use store::engine::{Change, Direction};
use store::{Batch, Column, Damage, Durability, Engine, EngineView};

use crate::support::replica::{SMALL, copy_of, directory};

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Op>, bool),
    WriteState(Vec<Op>),
    Sync,
    Flush(Column),
    Snapshot,
    /// The process dies: both engines come back with what its files hold.
    Kill,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    DeleteRange(Vec<u8>, Vec<u8>),
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..4_u8, 0..4)
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (key(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(key, value)| Op::Put(key, value)),
        1 => key().prop_map(Op::Delete),
        1 => (key(), key()).prop_map(|(from, to)| Op::DeleteRange(from, to)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let column = prop::sample::select(Column::ALL.to_vec());
    prop_oneof![
        6 => (prop::collection::vec(op(), 0..6), any::<bool>()).prop_map(|(ops, synced)| Step::Write(ops, synced)),
        6 => prop::collection::vec(op(), 0..6).prop_map(Step::WriteState),
        1 => Just(Step::Sync),
        1 => column.prop_map(Step::Flush),
        2 => Just(Step::Snapshot),
        1 => Just(Step::Kill),
    ]
}

/// Ops to `Log` and `Meta` alternate; those to `State` stand alone.
pub(crate) fn batch(ops: &[Op], columns: &[Column]) -> Batch {
    let mut batch = Batch::new();
    for (op, column) in ops.iter().zip(columns.iter().cycle()) {
        match op {
            Op::Put(key, value) => batch.put(*column, key, value),
            Op::Delete(key) => batch.delete(*column, key),
            Op::DeleteRange(from, to) => batch.delete_range(*column, from, to),
        }
    }
    batch
}

pub(crate) type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) fn pairs(view: &dyn EngineView, column: Column) -> Pairs {
    let mut pairs = Vec::new();
    for direction in [Direction::Forward, Direction::Reverse] {
        let mut seen = Vec::new();
        view.scan(column, &[], &[0xff], direction, &mut |key, value| {
            seen.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
        pairs.push(seen);
    }
    pairs[1].reverse();
    assert_eq!(pairs[0], pairs[1], "both directions show the same");
    assert!(pairs[0].is_sorted_by(|a, b| a.0 < b.0));
    for (key, value) in &pairs[0] {
        assert_eq!(view.get(column, key).unwrap().as_ref(), Some(value));
    }
    pairs.remove(0).into_iter().collect()
}

/// A moment of both engines, and what was in it.
type Pinned = ([Arc<dyn EngineView>; 2], [Pairs; 3]);

fn all(view: &dyn EngineView) -> [Pairs; 3] {
    Column::ALL.map(|column| pairs(view, column))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_rocksdb_are_one_engine(steps in prop::collection::vec(step(), 1..30)) {
        let memory = MemoryEngine::new();
        let mut directory = directory();
        let mut rocks = RocksEngine::open(directory.path(), SMALL).unwrap();
        let mut pinned: Vec<Pinned> = Vec::new();
        for step in &steps {
            match step {
                Step::Write(ops, synced) => {
                    let durability = if *synced { Durability::Synced } else { Durability::Buffered };
                    let columns = [Column::Log, Column::Meta];
                    memory.write(batch(ops, &columns), durability).unwrap();
                    rocks.write(batch(ops, &columns), durability).unwrap();
                }
                Step::WriteState(ops) => {
                    memory.write(batch(ops, &[Column::State]), Durability::Unlogged).unwrap();
                    rocks.write(batch(ops, &[Column::State]), Durability::Unlogged).unwrap();
                }
                Step::Sync => {
                    memory.sync().unwrap();
                    rocks.sync().unwrap();
                }
                Step::Flush(column) => {
                    memory.flush(*column).unwrap();
                    rocks.flush(*column).unwrap();
                }
                Step::Snapshot => pinned.push(([memory.snapshot(), rocks.snapshot()], all(&memory))),
                Step::Kill => {
                    memory.crash(Crash::Process);
                    pinned.clear();
                    let copy = copy_of(directory.path());
                    rocks = RocksEngine::open(copy.path(), SMALL).unwrap();
                    directory = copy;
                }
            }
            prop_assert_eq!(all(&memory), all(&rocks));
        }
        for (views, seen) in &pinned {
            prop_assert_eq!(&all(&*views[0]), seen);
            prop_assert_eq!(&all(&*views[1]), seen);
        }
    }

    #[test]
    fn a_range_is_what_its_bounds_say(keys in prop::collection::btree_set(key(), 0..12), from in key(), to in key()) {
        let directory = directory();
        let engines: [Box<dyn Engine>; 2] =
            [Box::new(MemoryEngine::new()), Box::new(RocksEngine::open(directory.path(), SMALL).unwrap())];
        for engine in engines {
            let mut batch = Batch::new();
            keys.iter().for_each(|key| batch.put(Column::Log, key, b""));
            engine.write(batch, Durability::Buffered).unwrap();
            let mut seen = Vec::new();
            engine.scan(Column::Log, &from, &to, Direction::Forward, &mut |key, _| {
                seen.push(key.to_vec());
                ControlFlow::Continue(())
            }).unwrap();
            let within: Vec<_> = keys.iter().filter(|key| from <= **key && **key < to).cloned().collect();
            prop_assert_eq!(seen, within);
        }
    }
}

#[test]
fn a_batch_keeps_what_was_put_in_and_its_order() {
    let mut batch = Batch::new();
    batch.put(Column::Log, b"a", b"1");
    batch.delete_range(Column::Log, b"z", b"a"); // Nothing lies between these.
    batch.delete_range(Column::Meta, b"a", b"z");
    batch.delete(Column::Log, b"a");
    let changes: Vec<_> = batch.changes().collect();
    let expected = [
        Change::Put { column: Column::Log, key: b"a", value: b"1" },
        Change::DeleteRange { column: Column::Meta, from: b"a", to: b"z" },
        Change::Delete { column: Column::Log, key: b"a" },
    ];
    assert_eq!(changes, expected);
    assert_eq!((batch.len(), batch.size_bytes()), (3, 5));
}

#[test]
fn a_damaged_file_is_a_fault_and_not_a_missing_key() {
    let directory = tempfile::tempdir().unwrap();
    let engine = RocksEngine::open(directory.path(), SMALL).unwrap();
    let mut batch = Batch::new();
    // Bytes that do not compress, so that the middle of the file is the middle of the value.
    let value: Vec<u8> =
        (0..128_u8).flat_map(|n| types::hash::tagged("holdfast/1 test", &[&[n]])).collect();
    batch.put(Column::State, b"key", &value);
    engine.write(batch, Durability::Unlogged).unwrap();
    engine.flush(Column::State).unwrap();
    drop(engine);
    let table = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path());
    let table =
        table.into_iter().find(|path| path.extension().is_some_and(|end| end == "sst")).unwrap();
    let mut bytes = std::fs::read(&table).unwrap();
    bytes[2000] ^= 1;
    std::fs::write(&table, bytes).unwrap();
    let engine = RocksEngine::open(directory.path(), SMALL).unwrap();
    let fault = engine.get(Column::State, b"key").err().unwrap();
    assert_eq!(fault.to_string(), "read the column state");
    assert!(std::error::Error::source(&fault).unwrap().to_string().contains("Corruption"));
}

#[test]
fn a_damaged_log_stops_the_start_unless_only_its_end_is_unfinished() {
    let directory = tempfile::tempdir().unwrap();
    let engine = RocksEngine::open(directory.path(), SMALL).unwrap();
    for n in 0..100_u8 {
        let mut batch = Batch::new();
        batch.put(Column::Log, &[n], &[n; 1000]);
        engine.write(batch, Durability::Synced).unwrap();
    }
    let (torn, flipped) = (copy_of(directory.path()), copy_of(directory.path()));
    drop(engine);
    let wal = |directory: &tempfile::TempDir| {
        let length = |path: &PathBuf| std::fs::metadata(path).unwrap().len();
        logs(directory.path()).into_iter().max_by_key(length).unwrap()
    };

    let mut bytes = std::fs::read(wal(&torn)).unwrap();
    bytes.truncate(bytes.len() - 500);
    std::fs::write(wal(&torn), &bytes).unwrap();
    let engine = RocksEngine::open(torn.path(), SMALL).unwrap();
    assert!(engine.get(Column::Log, &[98]).unwrap().is_some());
    assert!(engine.get(Column::Log, &[99]).unwrap().is_none(), "the last record was cut in half");

    let mut bytes = std::fs::read(wal(&flipped)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(wal(&flipped), &bytes).unwrap();
    let fault = RocksEngine::open(flipped.path(), SMALL).err().unwrap();
    assert!(fault.to_string().starts_with("open the database in "), "{fault}");
}

/// Files of the log, in the order in which they were begun.
fn logs(directory: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let mut logs: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    logs.sort();
    logs
}

/// A file of the log is over when a column goes into a table; as long as another column is not in tables it is still
/// needed. Of two such files the first loses its last record, so that it ends as if that had never been written.
#[test]
fn an_earlier_file_of_the_log_without_its_end_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let engine = RocksEngine::open(directory.path(), SMALL).unwrap();
    let write = |n: u8| {
        let mut batch = Batch::new();
        batch.put(Column::Log, &[n], &[n; 300]);
        batch.put(Column::Meta, &[n], &[n]);
        engine.write(batch, Durability::Synced).unwrap();
    };
    (0..20).for_each(write);
    let first = |directory: &Path| logs(directory).remove(0);
    let end = std::fs::metadata(first(directory.path())).unwrap().len() as usize;
    write(20);
    engine.flush(Column::Meta).unwrap();
    (21..40).for_each(write);
    let copies: [_; 3] = std::array::from_fn(|_| copy_of(directory.path()));
    drop(engine);
    let [whole, zeroed, cut] = &copies;
    assert_eq!(logs(whole.path()).len(), 2);
    let engine = RocksEngine::open(whole.path(), SMALL).unwrap();
    assert_eq!(pairs(&engine, Column::Log).len(), 40);

    let mut bytes = std::fs::read(first(zeroed.path())).unwrap();
    bytes[end..].fill(0);
    std::fs::write(first(zeroed.path()), &bytes).unwrap();
    std::fs::write(first(cut.path()), &bytes[..end]).unwrap();
    for copy in [zeroed, cut] {
        match RocksEngine::open(copy.path(), SMALL) {
            Ok(engine) => panic!("it opens, with {} of 40", pairs(&engine, Column::Log).len()),
            Err(fault) => assert_eq!(fault.damage(), Some(Damage::Database), "{fault}"),
        }
        let promises = RocksEngine::open_promises(copy.path(), SMALL);
        assert!(promises.is_err(), "nor is the log alone to be had");
    }
}

/// The process that made it ended before there was a log.
#[test]
fn a_database_that_was_never_written_to_may_have_no_log() {
    let directory = tempfile::tempdir().unwrap();
    drop(RocksEngine::open(directory.path(), SMALL).unwrap());
    logs(directory.path()).iter().for_each(|log| std::fs::remove_file(log).unwrap());
    let engine = RocksEngine::open(directory.path(), SMALL).unwrap();
    assert!(Column::ALL.into_iter().all(|column| pairs(&engine, column).is_empty()));
}

#[test]
fn a_directory_is_open_in_one_place_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let engine = RocksEngine::open(directory.path(), SMALL).unwrap();
    let snapshot = engine.snapshot();
    assert!(RocksEngine::open(directory.path(), SMALL).is_err());
    drop(engine);
    assert!(
        RocksEngine::open(directory.path(), SMALL).is_err(),
        "a snapshot keeps its database open"
    );
    drop(snapshot);
    RocksEngine::open(directory.path(), SMALL).unwrap();
}
