//! What a loss of power leaves of RocksDB is what the contract allows, and what the memory engine can be
//! told to leave.
//!
//! The files are taken as they are in the middle of running, and the last file of the write-ahead log is
//! cut anywhere behind what was synced of it, also within a record: the part of it that a disk may have
//! written on its own. Other files are left whole: RocksDB syncs them before it relies on them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use store::engine::memory::{Crash, MemoryEngine, Pending};
use store::engine::rocks::RocksEngine;
use store::{Batch, Column, Durability, Engine};

use crate::engines::{Op, Pairs, batch, op, pairs};
use crate::support::replica::{SMALL, copy_of, directory};

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Op>, bool),
    WriteState(Vec<Op>),
    Sync,
    Flush,
    /// The process dies.
    Kill,
    /// The machine dies, with so many 65,535ths of what was not synced on its disk.
    Power(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let ops = || prop::collection::vec(op(), 1..6);
    prop_oneof![
        10 => (ops(), prop::bool::weighted(0.2)).prop_map(|(ops, synced)| Step::Write(ops, synced)),
        4 => ops().prop_map(Step::WriteState),
        1 => Just(Step::Sync),
        1 => Just(Step::Flush),
        1 => Just(Step::Kill),
        3 => any::<u16>().prop_map(Step::Power),
    ]
}

/// The file that the write-ahead log is being written to, and its length.
fn log_file(directory: &Path) -> (PathBuf, u64) {
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let logs = files.filter(|path| path.extension().is_some_and(|end| end == "log"));
    let last = logs.max().unwrap();
    let length = fs::metadata(&last).unwrap().len();
    (last, length)
}

/// Both engines, and what is known of the disk.
struct Pair {
    memory: MemoryEngine,
    rocks: RocksEngine,
    directory: tempfile::TempDir,
    /// The log file as of the last sync.
    synced: (PathBuf, u64),
    /// `Log` and `Meta` with 0, 1, 2… of the batches that were not synced.
    prefixes: Vec<[Pairs; 2]>,
}

impl Pair {
    fn new() -> Self {
        let directory = directory();
        let rocks = RocksEngine::open(directory.path(), SMALL).unwrap();
        let synced = log_file(directory.path());
        let prefixes = vec![[Pairs::new(), Pairs::new()]];
        Pair { memory: MemoryEngine::new(), rocks, directory, synced, prefixes }
    }

    fn both(&self, make: impl Fn() -> Batch, durability: Durability) {
        self.memory.write(make(), durability).unwrap();
        self.rocks.write(make(), durability).unwrap();
    }

    fn logged(engine: &dyn Engine) -> [Pairs; 2] {
        [Column::Log, Column::Meta].map(|column| pairs(engine, column))
    }

    fn note_sync(&mut self) {
        self.synced = log_file(self.directory.path());
        self.prefixes = vec![Self::logged(&self.memory)];
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Write(ops, synced) => {
                let durability = if *synced { Durability::Synced } else { Durability::Buffered };
                self.both(|| batch(ops, &[Column::Log, Column::Meta]), durability);
                if *synced {
                    self.note_sync();
                } else if self.memory.pending().logged == self.prefixes.len() {
                    self.prefixes.push(Self::logged(&self.memory));
                }
            }
            Step::WriteState(ops) => {
                self.both(|| batch(ops, &[Column::State]), Durability::Unlogged);
            }
            Step::Sync => {
                self.memory.sync().unwrap();
                self.rocks.sync().unwrap();
                self.note_sync();
            }
            Step::Flush => {
                self.memory.flush(Column::State).unwrap();
                self.rocks.flush(Column::State).unwrap();
            }
            Step::Kill => {
                self.memory.crash(Crash::Process);
                self.reopen(copy_of(self.directory.path()));
            }
            Step::Power(part) => {
                let copy = copy_of(self.directory.path());
                self.lose_power(copy.path(), *part);
                self.reopen(copy);
                let found = Self::logged(&self.rocks);
                let left = self.prefixes.iter().rposition(|prefix| *prefix == found);
                prop_assert!(
                    left.is_some(),
                    "a prefix of what was written, with all that was synced"
                );
                let left = Pending { logged: left.unwrap_or_default(), unlogged: 0 };
                self.memory.crash_leaving(Crash::Power, left);
                self.prefixes = vec![found];
            }
        }
        for column in Column::ALL {
            prop_assert_eq!(pairs(&self.memory, column), pairs(&self.rocks, column));
        }
        Ok(())
    }

    /// Cuts the log in a copy of the directory somewhere behind what is synced.
    fn lose_power(&self, copy: &Path, part: u16) {
        let (path, length) = log_file(self.directory.path());
        let kept = if path == self.synced.0 { self.synced.1 } else { 0 };
        let cut = kept + (length - kept) * u64::from(part) / u64::from(u16::MAX);
        let file = copy.join(path.file_name().unwrap());
        File::options().write(true).open(file).unwrap().set_len(cut).unwrap();
    }

    fn reopen(&mut self, copy: tempfile::TempDir) {
        self.rocks = RocksEngine::open(copy.path(), SMALL).unwrap();
        self.directory = copy;
        // What was recovered went into files; the log is a new one.
        self.synced = log_file(self.directory.path());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_loss_of_power_leaves_what_the_contract_allows(steps in prop::collection::vec(step(), 1..40)) {
        let mut pair = Pair::new();
        for step in &steps {
            pair.take(step)?;
        }
    }
}
