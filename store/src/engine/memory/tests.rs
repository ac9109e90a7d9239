use super::*;

fn put(engine: &MemoryEngine, column: Column, key: &[u8], durability: Durability) {
    let mut batch = Batch::new();
    batch.put(column, key, b"value");
    engine.write(batch, durability).unwrap();
}

fn keys(engine: &MemoryEngine, column: Column) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    engine
        .scan(column, &[], &[0xff], Direction::Forward, &mut |key, _| {
            keys.push(key.to_vec());
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    keys
}

#[test]
fn a_process_that_dies_loses_only_what_was_not_flushed() {
    let engine = MemoryEngine::new();
    put(&engine, Column::Log, b"buffered", Durability::Buffered);
    put(&engine, Column::State, b"flushed", Durability::Unlogged);
    engine.flush(Column::State).unwrap();
    put(&engine, Column::State, b"unflushed", Durability::Unlogged);
    engine.crash(Crash::Process);
    assert_eq!(keys(&engine, Column::Log), [b"buffered"]);
    assert_eq!(keys(&engine, Column::State), [b"flushed"]);
}

#[test]
fn a_machine_that_dies_loses_what_was_not_synced() {
    let engine = MemoryEngine::new();
    put(&engine, Column::Log, b"one", Durability::Buffered);
    put(&engine, Column::Meta, b"two", Durability::Synced);
    put(&engine, Column::Log, b"three", Durability::Buffered);
    let mut batch = Batch::new();
    batch.delete_range(Column::Log, b"a", b"z");
    engine.write(batch, Durability::Buffered).unwrap();
    engine.crash(Crash::Power);
    assert_eq!(
        keys(&engine, Column::Log),
        [b"one"],
        "a synced write takes the buffered ones before it along"
    );
    assert_eq!(keys(&engine, Column::Meta), [b"two"]);
}

/// A disk may have written some of what it was not asked to: always the oldest.
#[test]
fn a_crash_can_leave_a_prefix() {
    let engine = MemoryEngine::new();
    for (column, key) in [(Column::Log, b"a"), (Column::Meta, b"b"), (Column::Log, b"c")] {
        put(&engine, column, key, Durability::Buffered);
    }
    put(&engine, Column::State, b"d", Durability::Unlogged);
    put(&engine, Column::State, b"e", Durability::Unlogged);
    assert_eq!(engine.pending(), Pending { logged: 3, unlogged: 2 });
    assert_eq!(engine.after(Crash::Power, Column::Log, b"a"), None);
    assert_eq!(engine.after(Crash::Process, Column::Log, b"a").unwrap(), b"value");
    engine.crash_leaving(Crash::Power, Pending { logged: 2, unlogged: 1 });
    assert_eq!(keys(&engine, Column::Log), [b"a"]);
    assert_eq!(keys(&engine, Column::Meta), [b"b"]);
    assert_eq!(keys(&engine, Column::State), [b"d"]);
    assert_eq!(engine.pending(), Pending::default(), "what is left is on the disk");
    assert_eq!(engine.after(Crash::Power, Column::Log, b"a").unwrap(), b"value");
}

#[test]
#[should_panic(expected = "the column state is not written as Buffered")]
fn a_column_is_written_only_as_it_is_meant_to_be() {
    put(&MemoryEngine::new(), Column::State, b"key", Durability::Buffered);
}
