//! What applying costs: pushes of one record of 2,196 bytes to wallets of ten records, on RocksDB.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use store::engine::rocks::{Memory, RocksEngine};
use store::{Command, Entry, Machine, Payload, Policy, Position};

/// What the tests build their commands with.
#[allow(dead_code)]
#[path = "../tests/store/support"]
mod support {
    pub(crate) mod act;
    pub(crate) mod replica;
    pub(crate) mod wallet;
}

use support::act::bootstrap;
use support::replica::GROUP;
use support::wallet::{Draft, Edit, device, record};

/// How many wallets take turns.
const WALLETS: usize = 64;

struct Bench {
    machine: Machine,
    drafts: Vec<Draft>,
    index: u64,
}

impl Bench {
    fn new(directory: &std::path::Path) -> Self {
        let engine = Arc::new(RocksEngine::open(directory, Memory::default()).unwrap());
        let machine = Machine::open(engine, GROUP).unwrap();
        let mut bench = Bench { machine, drafts: Vec::new(), index: 0 };
        let begin = bench.entry(&bootstrap(Policy::default()));
        bench.machine.apply(&[begin]).unwrap();
        for number in 0..WALLETS {
            let draft = Draft::in_group_from(number * 1_000, vec![device("phone")]);
            bench.drafts.push(draft);
            let first: Vec<_> = (0..10).map(write).collect();
            let entry = bench.push(number, &first);
            bench.machine.apply(&[entry]).unwrap();
        }
        bench
    }

    fn entry(&mut self, command: &Command) -> Entry {
        let position = Position { term: 1, leader: 1, index: self.index };
        self.index += 1;
        Entry { position, payload: Payload::Command(command.encode().unwrap()) }
    }

    fn push(&mut self, wallet: usize, edits: &[Edit]) -> Entry {
        let (push, next) = self.drafts[wallet].push(&device("phone"), edits, self.index * 1_000);
        self.drafts[wallet] = next;
        self.entry(&Command::Push(Box::new(push)))
    }

    /// The next run of `length` pushes.
    fn run(&mut self, length: usize) -> Vec<Entry> {
        (0..length).map(|n| self.push(n % WALLETS, &[write(n % 10)])).collect()
    }
}

fn write(name: usize) -> Edit {
    Edit::Write(record(&name.to_string()), vec![name as u8; 2_196])
}

fn apply(criterion: &mut Criterion) {
    for length in [1, 16, 256] {
        let directory = tempfile::tempdir().unwrap();
        let mut bench = Bench::new(directory.path());
        let mut group = criterion.benchmark_group("apply");
        group.throughput(Throughput::Elements(length as u64));
        let bench = std::cell::RefCell::new(&mut bench);
        group.bench_function(format!("run of {length} pushes"), |timer| {
            let setup = || bench.borrow_mut().run(length);
            let apply = |entries: Vec<Entry>| bench.borrow_mut().machine.apply(&entries).unwrap();
            timer.iter_batched(setup, apply, BatchSize::PerIteration);
        });
        group.finish();
    }
}

fn read(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::new(directory.path());
    let wallet = bench.drafts[0].wallet;
    criterion.bench_function("what a push is checked against", |timer| {
        timer.iter(|| bench.machine.reader().unwrap().stored(wallet).unwrap());
    });
}

criterion_group!(benches, apply, read);
criterion_main!(benches);
