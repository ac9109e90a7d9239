#![allow(clippy::unwrap_used)]

use std::fs;

use store::{Batch, Durability, EngineView, Position};
use types::{ClusterId, GroupId, NodeId};

use super::*;
use crate::identity::{Identity, Place};
use crate::log::marks::Marks;
use crate::types::{LogId, leader_id};

const GROUP: GroupId = GroupId(2);
const MEMORY: Memory = Memory { block_cache: 8 << 20, write_buffer: 4 << 20 };

fn id(index: u64) -> LogId {
    LogId::new(leader_id(1, 1), index)
}

/// A directory with a log of some entries, all of them known to have been on disk, and a state.
fn lived() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let file = IdentityFile::new(directory.path());
    let fresh = file.open().unwrap();
    let place =
        Place { cluster: ClusterId::from_bytes([3; 16]), node: NodeId(7), wallet_groups: 1 };
    file.settle(Identity { place: Some(place), ..fresh }).unwrap();
    let engine = RocksEngine::open(&directory.path().join(DATABASE), MEMORY).unwrap();
    let mut batch = Batch::new();
    for index in 0..50 {
        let entry =
            crate::types::Entry { log_id: id(index), payload: openraft::EntryPayload::Blank };
        batch.put(Column::Log, &keys::entry(GROUP, index), &entry::encode_entry(&entry));
    }
    engine.write(batch, Durability::Synced).unwrap();
    engine.flush(Column::Log).unwrap();
    let engine = Arc::new(engine);
    let mut machine = store::Machine::open(engine.clone(), GROUP).unwrap();
    let blank = |index| store::Entry {
        position: Position { term: 1, leader: 1, index },
        payload: store::Payload::Blank,
    };
    machine.apply(&(0..50).map(blank).collect::<Vec<_>>()).unwrap();
    machine.flush().unwrap();
    Marks::open(&file.marks()).unwrap().note(GROUP, None, Some(id(49))).unwrap();
    directory
}

/// The table files of a column.
fn files(directory: &Path, column: Column) -> Vec<PathBuf> {
    let engine = RocksEngine::open(&directory.join(DATABASE), MEMORY).unwrap();
    let names = engine.files(column).unwrap();
    names.iter().map(|name| directory.join(DATABASE).join(name.trim_start_matches('/'))).collect()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

fn found(directory: &Path) -> String {
    match open(directory, MEMORY) {
        Err(StartError::Damaged { found }) => found,
        Err(other) => panic!("{}", chain(&other)),
        Ok(_) => panic!("the damage was not found"),
    }
}

/// A state file that is lost stops the start by its name; the next start keeps log and votes, and has
/// no state.
#[test]
fn a_lost_state_is_dropped_and_the_log_kept() {
    let directory = lived();
    let lost = files(directory.path(), Column::State);
    fs::remove_file(&lost[0]).unwrap();
    let said = found(directory.path());
    assert!(said.contains(lost[0].file_name().unwrap().to_str().unwrap()), "{said}");

    let opened = open(directory.path(), MEMORY).unwrap();
    assert!(opened.quarantine.is_none());
    let last = entry::decode_entry(
        49,
        opened.engine.get(Column::Log, &keys::entry(GROUP, 49)).unwrap().unwrap().into(),
    );
    assert_eq!(last.unwrap().log_id, id(49));
    assert_eq!(
        store::Reader::open(opened.engine.as_ref(), GROUP).unwrap().position().unwrap(),
        None
    );
    drop(opened);
    assert!(open(directory.path(), MEMORY).unwrap().quarantine.is_none(), "and that was all");
}

/// Log files that are lost leave nothing to believe: the node promises nothing, in this start and in
/// every later one, as the same next life.
#[test]
fn a_lost_log_is_a_quarantine_for_good() {
    let directory = lived();
    fs::remove_file(&files(directory.path(), Column::Log)[0]).unwrap();
    found(directory.path());
    let next = |opened: Opened| opened.quarantine.unwrap().next;
    let first = next(open(directory.path(), MEMORY).unwrap());
    assert_eq!(next(open(directory.path(), MEMORY).unwrap()), first);
}

/// The state is damaged, and the log is shorter than its mark: the log cannot be kept.
#[test]
fn a_log_below_its_mark_is_not_kept() {
    let directory = lived();
    fs::remove_file(&files(directory.path(), Column::State)[0]).unwrap();
    let marks = IdentityFile::new(directory.path()).marks();
    Marks::open(&marks).unwrap().note(GROUP, None, Some(id(60))).unwrap();
    found(directory.path());
    let quarantine = open(directory.path(), MEMORY).unwrap().quarantine.unwrap();
    assert!(quarantine.reason.contains("went back"), "{}", quarantine.reason);
}

/// A repair that is killed between any two of its steps goes on.
#[test]
fn a_killed_repair_goes_on() {
    for step in 0..3 {
        let directory = lived();
        let path = |name: &str| directory.path().join(name);
        fs::remove_file(&files(directory.path(), Column::State)[0]).unwrap();
        found(directory.path());
        RocksEngine::salvage(&path(DATABASE), &path(KEPT), MEMORY).unwrap();
        if step > 0 {
            fs::rename(path(DATABASE), path(DAMAGED)).unwrap();
        }
        if step > 1 {
            fs::rename(path(KEPT), path(DATABASE)).unwrap();
        }
        let opened = open(directory.path(), MEMORY).unwrap();
        assert!(opened.quarantine.is_none(), "step {step}");
        assert!(opened.engine.get(Column::Log, &keys::entry(GROUP, 49)).unwrap().is_some());
        assert!(!path(DAMAGED).exists() && !path(KEPT).exists());
    }
}

/// The file that says which database is in force is gone: an empty one would be opened in its place.
#[test]
fn a_database_without_its_beginning_is_damage() {
    let directory = lived();
    fs::remove_file(directory.path().join(DATABASE).join("CURRENT")).unwrap();
    assert!(found(directory.path()).contains("CURRENT is missing"));
}

/// A damaged block is found by whoever reads it, and named with file and offset.
#[test]
fn a_flipped_block_is_named_by_file_and_offset() {
    let directory = lived();
    let file = files(directory.path(), Column::Log)[0].clone();
    flip(&file, 40);
    let engine = RocksEngine::open(&directory.path().join(DATABASE), MEMORY).unwrap();
    let fault = engine.get(Column::Log, &keys::entry(GROUP, 0)).unwrap_err();
    assert_eq!(fault.damage(), Some(Damage::Log));
    let said = chain(&fault);
    assert!(said.contains(file.file_name().unwrap().to_str().unwrap()), "{said}");
    assert!(said.contains("offset"), "{said}");
}

#[test]
fn a_note_that_cannot_be_read_says_the_worst() {
    let directory = lived();
    Note::found(Damage::State, "state".into()).save(directory.path()).unwrap();
    flip(&directory.path().join("repair"), 9);
    assert!(open(directory.path(), MEMORY).unwrap().quarantine.is_some());
}

#[test]
fn a_note_to_leave_is_not_replaced_by_a_lesser_one() {
    let directory = tempfile::tempdir().unwrap();
    let leave = Note::found(Damage::Log, "log".into());
    leave.save(directory.path()).unwrap();
    Note::found(Damage::State, "state".into()).save(directory.path()).unwrap();
    assert_eq!(Note::load(directory.path()).unwrap(), Some(leave));
}

/// The new life has nothing of the old one.
#[test]
fn a_new_life_begins_empty() {
    let directory = lived();
    let former = IdentityFile::new(directory.path()).read().unwrap();
    let identity = Identity {
        incarnation: Incarnation::from_bytes([5; 16]),
        place: former.place.map(|place| Place { node: NodeId(8), ..place }),
    };
    let task = Task::Begin { identity, roster: Roster::default() };
    Note { task, reason: "why".into() }.save(directory.path()).unwrap();
    let opened = open(directory.path(), MEMORY).unwrap();
    assert!(opened.quarantine.is_none());
    assert_eq!(opened.engine.get(Column::Log, &keys::entry(GROUP, 0)).unwrap(), None);
    assert_eq!(IdentityFile::new(directory.path()).open().unwrap(), identity);
    assert_eq!(Note::load(directory.path()).unwrap(), None);
}

/// A note to begin among more groups than there can be is none that a node wrote: the machine leaves.
#[test]
fn a_note_of_a_place_that_cannot_be_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let next = note::draw();
    for (wallet_groups, sound) in [(4096, true), (4097, false), (u32::MAX, false)] {
        let place =
            Place { cluster: ClusterId::from_bytes([3; 16]), node: NodeId(7), wallet_groups };
        let identity = Identity { incarnation: next, place: Some(place) };
        let roster = Roster::new([]);
        let begin = Note { task: Task::Begin { identity, roster }, reason: "a test".to_owned() };
        fs::write(directory.path().join("repair"), note::encode(&begin)).unwrap();
        let loaded = Note::load(directory.path()).unwrap().unwrap();
        assert_eq!(loaded == begin, sound, "{wallet_groups}: {loaded:?}");
        assert_eq!(matches!(loaded.task, Task::Leave { .. }), !sound, "{wallet_groups}");
    }
}
