//! What a compaction finds damaged is named by the column it lies in, whoever is told of it.

use std::path::Path;
use std::time::{Duration, Instant};

use store::engine::rocks::RocksEngine;
use store::{Batch, Column, Damage, Durability, Engine, Fault};

use crate::support::replica::{SMALL, directory};

const PATIENCE: Duration = Duration::from_secs(60);

/// One table of a column, over the same keys each time, so that a compaction reads all of them.
fn table(engine: &RocksEngine, column: Column, round: u8) -> Result<(), Fault> {
    let durability =
        if column == Column::State { Durability::Unlogged } else { Durability::Buffered };
    for key in 0..64_u8 {
        let mut batch = Batch::new();
        batch.put(column, &[key], &[round; 1024]);
        engine.write(batch, durability)?;
    }
    engine.flush(column)
}

/// Rows stand first in a table; what it says of itself would be missed when it is opened.
fn flip_in_a_row(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[100] ^= 0x10;
    std::fs::write(file, bytes).unwrap();
}

/// What the writes to the log are answered with when a table of `damaged` is being compacted.
fn the_log_is_refused_with(damaged: Column) -> Fault {
    let place = directory();
    let engine = RocksEngine::open(place.path(), SMALL).unwrap();
    table(&engine, damaged, 0).unwrap();
    let own = engine.files(damaged).unwrap();
    let [only] = own.as_slice() else { panic!("one table: {own:?}") };
    let only = place.path().join(only.trim_start_matches('/'));
    drop(engine);
    flip_in_a_row(&only);

    let engine = RocksEngine::open(place.path(), SMALL).unwrap();
    // Enough tables for a compaction, which may be there before the last of them.
    let _ = (1..4).try_for_each(|round| table(&engine, damaged, round));
    let begun = Instant::now();
    loop {
        let mut batch = Batch::new();
        batch.put(Column::Log, b"entry", b"of the log");
        if let Err(fault) = engine.write(batch, Durability::Synced) {
            return fault;
        }
        assert!(begun.elapsed() < PATIENCE, "no compaction met the damage");
        std::thread::yield_now();
    }
}

#[test]
fn damage_that_a_compaction_met_is_of_the_column_that_was_compacted() {
    for (column, damage) in [(Column::State, Damage::State), (Column::Log, Damage::Log)] {
        let fault = the_log_is_refused_with(column);
        assert_eq!(fault.damage(), Some(damage), "{fault:?}");
    }
}
