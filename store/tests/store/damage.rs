//! Damage: bytes that are not what was written are named, and nothing panics.

use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;
use store::engine::Direction;
use store::engine::memory::MemoryEngine;
use store::keys::Key;
use store::{
    Batch, Column, Command, Durability, Engine, EngineView, Entry, Fault, Machine, Payload,
    Position, Reader,
};
use types::ids::{GroupId, NodeId};

use crate::support::act::bootstrap;
use crate::support::history::{World, step};
use crate::support::wallet::{locator, record};

fn entry(index: u64, command: Vec<u8>) -> Entry {
    Entry { position: Position { term: 1, leader: 1, index }, payload: Payload::Command(command) }
}

/// A wallet group that has been through `steps`.
fn lived(steps: &[crate::support::history::Step]) -> (Arc<MemoryEngine>, World) {
    let engine = Arc::new(MemoryEngine::new());
    let mut machine = Machine::open(engine.clone(), GroupId(2)).unwrap();
    let mut world = World::new();
    let mut commands = vec![world.bootstrap()];
    commands.extend(steps.iter().filter_map(|step| world.take(step)).map(|(command, _)| command));
    let entries: Vec<_> =
        (0..).zip(&commands).map(|(n, command)| entry(n, command.encode().unwrap())).collect();
    machine.apply(&entries).unwrap();
    (engine, world)
}

fn rows(engine: &MemoryEngine) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    engine
        .scan(Column::State, &[], &[0xff; 8], Direction::Forward, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

fn overwrite(engine: &MemoryEngine, key: &[u8], value: &[u8]) {
    let mut batch = Batch::new();
    batch.put(Column::State, key, value);
    engine.write(batch, Durability::Unlogged).unwrap();
}

/// Reads all there is to read. What it finds does not matter, only that it comes back.
fn read_all(reader: &Reader, world: &World) -> Result<(), Fault> {
    reader.applied()?;
    reader.standing()?;
    reader.policy()?;
    reader.slots()?;
    reader.journal(0)?;
    reader.restore()?;
    reader.locator(locator("code"))?;
    reader.cluster()?;
    reader.nodes()?;
    reader.node(NodeId(1))?;
    reader.placements()?;
    reader.epochs()?;
    let size = reader.audit_size()?.min(100);
    reader.audit_root(size)?;
    reader.audit_inclusion(0, size)?;
    for wallet in world.wallets.keys() {
        reader.stored(*wallet)?;
        reader.data_key(*wallet)?;
        reader.links(*wallet, 0)?;
        reader.changes_since(*wallet, 0)?;
        reader.changes_since(*wallet, 2)?;
        reader.head_hashes(*wallet, 1, u64::MAX)?;
        reader.trail(*wallet)?;
        for name in 0..24 {
            let record = record(&name.to_string());
            reader.body(*wallet, record)?;
            reader.was_removed(*wallet, record)?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A byte of any row changes, or its end is lost: the digest shows it, reading it or applying on
    /// top of it is an error or an answer, and never a panic.
    #[test]
    fn a_damaged_row_is_found(
        steps in prop::collection::vec(step(), 5..30),
        at in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        change in prop_oneof![(1..=u8::MAX).prop_map(Some), Just(None)],
    ) {
        let (engine, mut world) = lived(&steps);
        let rows = rows(&engine);
        let (key, value) = &rows[at.index(rows.len())];
        let mut damaged = value.clone();
        let place = byte.index(value.len());
        match change {
            Some(flip) => damaged[place] ^= flip,
            None => damaged.truncate(place),
        }
        overwrite(&engine, key, &damaged);

        let reader = Reader::open(&*engine, GroupId(2)).unwrap();
        let (_, parsed) = Key::decode(key).unwrap();
        let found = read_all(&reader, &world);
        match reader.digest() {
            // The position stands beside the digest, not under it: the engine's checksums guard it.
            Ok(_) if parsed == Key::Applied => {}
            Ok(digest) => prop_assert_ne!(digest, reader.recount().unwrap()),
            Err(fault) => prop_assert_eq!((fault.to_string(), parsed), ("decode the applied position in the column state".into(), Key::Applied)),
        }
        if change.is_none() && parsed != Key::Applied {
            // A row that was cut short never reads back.
            let message = format!("decode {} in the column state", parsed.kind());
            let unread = matches!(parsed, Key::HeadHash(..) | Key::TombstoneOrder(..) | Key::AuditLeaf(_) | Key::AuditNode(..) | Key::Receipt(..) | Key::ReceiptOrder(_));
            match found {
                Err(fault) => prop_assert_eq!(fault.to_string(), message),
                Ok(()) => prop_assert!(unread, "{} was read", parsed.kind()),
            }
        }
        if let Ok(mut machine) = Machine::open(engine.clone(), GroupId(2)) {
            let next = machine.applied().position.map_or(0, |position| position.index.wrapping_add(1));
            for step in &steps {
                let Some((command, _)) = world.take(step) else { continue };
                if next < u64::MAX {
                    let _ = machine.apply(&[entry(next, command.encode().unwrap())]);
                }
            }
        }
    }

    #[test]
    fn cut_or_flipped_commands_are_refused_or_other_commands(
        steps in prop::collection::vec(step(), 1..4),
        byte in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let mut world = World::new();
        let begin = world.bootstrap().encode().unwrap();
        for (command, _) in steps.iter().filter_map(|step| world.take(step)) {
            let bytes = command.encode().unwrap();
            prop_assert_eq!(&Command::decode(&bytes).unwrap(), &command);
            let at = byte.index(bytes.len());
            prop_assert!(Command::decode(&bytes[..at]).is_err());
            prop_assert!(Command::decode(&[&bytes[..], &[0]].concat()).is_err());
            let mut flipped = bytes.clone();
            flipped[at] ^= flip;
            if let Ok(other) = Command::decode(&flipped) {
                // A longer form of a number reads the same; anything else is another command.
                prop_assert!(other != command || other.encode().unwrap() != flipped);
                let engine = Arc::new(MemoryEngine::new());
                let mut machine = Machine::open(engine, GroupId(2)).unwrap();
                machine.apply(&[entry(0, begin.clone()), entry(1, flipped)]).unwrap();
            }
        }
    }

    #[test]
    fn any_bytes_are_a_command_or_an_error(bytes: Vec<u8>) {
        let _ = Command::decode(&bytes);
        let _ = Command::decode(&[&[1], &bytes[..]].concat());
    }
}

#[test]
fn a_command_of_a_newer_release_stops_the_node_and_moves_nothing() {
    let engine = Arc::new(MemoryEngine::new());
    let mut machine = Machine::open(engine.clone(), GroupId(2)).unwrap();
    let mut newer = bootstrap(store::Policy::default()).encode().unwrap();
    newer[0] = 2;
    let fault = machine.apply(&[entry(0, vec![1, 9]), entry(1, newer.clone())]).unwrap_err();
    assert_eq!(fault.to_string(), "read the command of entry 0 of group 2");
    let fault = machine.apply(&[entry(4, newer)]).unwrap_err();
    assert_eq!(fault.to_string(), "read the command of entry 4 of group 2");
    let cause = std::error::Error::source(&fault).unwrap().to_string();
    assert_eq!(
        cause,
        "version 2 is not known here, the newest known is 1; a newer release wrote it"
    );
    assert_eq!(machine.applied(), store::Applied::default());
    assert!(rows(&engine).is_empty());
}

#[test]
fn entries_out_of_order_stop_the_node() {
    let engine = Arc::new(MemoryEngine::new());
    let mut machine = Machine::open(engine, GroupId(2)).unwrap();
    let blank = |term, index| Entry {
        position: Position { term, leader: 1, index },
        payload: Payload::Blank,
    };
    machine.apply(&[blank(2, 7), blank(2, 8)]).unwrap();
    for (wrong, found) in [(blank(2, 8), "2-1-8"), (blank(2, 10), "2-1-10"), (blank(1, 9), "1-1-9")]
    {
        let fault = machine.apply(&[wrong]).unwrap_err();
        assert_eq!(fault.to_string(), format!("entry {found} given after 2-1-8"));
    }
    machine.apply(&[blank(3, 9)]).unwrap();
}

#[test]
fn rows_without_a_position_are_not_taken_for_a_state() {
    let (engine, _) = lived(&[]);
    let applied = rows(&engine)
        .into_iter()
        .find(|(key, _)| Key::decode(key).unwrap().1 == Key::Applied)
        .unwrap()
        .0;
    let mut batch = Batch::new();
    batch.delete(Column::State, &applied);
    engine.write(batch, Durability::Unlogged).unwrap();
    let fault = Machine::open(engine, GroupId(2)).err().unwrap();
    assert_eq!(
        fault.to_string(),
        "the applied position does not fit the rest of the state of group 2"
    );
}
