//! What disks do to the directories of nodes that are stopped: flips, cuts, losses.

use std::{
    fs,
    path::{Path, PathBuf},
};
use store::{
    Batch, Column, Durability, Engine, EngineView,
    engine::rocks::{Memory, RocksEngine},
    keys::{Key, Prefix},
};
use types::ids::GroupId;

const MEMORY: Memory = Memory { block_cache: 8 << 20, write_buffer: 8 << 20 };

/// Flips one bit of a file, at a place given in thousandths of its length.
pub fn flip(file: &Path, thousandths: usize) {
    let mut bytes = fs::read(file).unwrap();
    let at = (bytes.len() * thousandths / 1000).min(bytes.len() - 1);
    bytes[at] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

/// Cuts a file to so many thousandths of its length.
pub fn cut(file: &Path, thousandths: u64) {
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length * thousandths / 1000).unwrap();
}

/// The files of a directory whose names end so, the newest last.
pub fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    let listed = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        listed.filter(|path| path.to_str().is_some_and(|path| path.ends_with(end))).collect();
    found.sort();
    found
}

/// Writes everything that a node's database holds to table files, and names those of a column.
pub fn tables(database: &Path, column: Column) -> Vec<PathBuf> {
    let engine = RocksEngine::open(database, MEMORY).unwrap();
    for column in Column::ALL {
        engine.flush(column).unwrap();
    }
    let names = engine.files(column).unwrap();
    names.iter().map(|name| database.join(name.trim_start_matches('/'))).collect()
}

/// Changes a row of a group's state on disk, with a good checksum: the time up to which the group's clock
/// has come. The next push makes nothing of it; only the digest knows.
pub fn change_a_row(database: &Path, group: u32) {
    let engine = RocksEngine::open(database, MEMORY).unwrap();
    let key = Key::Standing.encode(Prefix { group: GroupId(group), incarnation: 0 });
    let mut row = engine.get(Column::State, &key).unwrap().expect("the group's counters");
    // A version byte, the mark of a number of eight bytes, and its lowest byte.
    assert_eq!(row[..2], [1, 253], "the layout of the row");
    row[2] ^= 1;
    let mut batch = Batch::new();
    batch.put(Column::State, &key, &row);
    engine.write(batch, Durability::Unlogged).unwrap();
    engine.flush(Column::State).unwrap();
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
