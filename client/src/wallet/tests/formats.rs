//! A profile as the first version wrote it. `client/tests/formats/v001_profile.hex` was written once and is
//! never edited: each line is a file of the profile, or a table of the local copy and a key, and bytes.
//!
//! Sealing draws nonces, so what is written today is held against it by names and lengths, and both are
//! read.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt, path::PathBuf};

use redb::{
    Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableHandle,
    Value, WriteTransaction,
};

use super::*;

const FILES: [&str; 2] = ["profile.json", "device.keys"];
const COPY: &str = "local.redb";

type Bytes16 = &'static [u8; 16];
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const LINKS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("links");
const HEADS: TableDefinition<'_, u64, &[u8; 32]> = TableDefinition::new("heads");
const ENTRIES: TableDefinition<'_, Bytes16, &[u8; 40]> = TableDefinition::new("entries");
const BASE: TableDefinition<'_, Bytes16, &[u8]> = TableDefinition::new("base");
const WORK: TableDefinition<'_, Bytes16, &[u8]> = TableDefinition::new("work");
const HERE: TableDefinition<'_, Bytes16, &[u8]> = TableDefinition::new("here");
const NAMES: TableDefinition<'_, &[u8; 32], ()> = TableDefinition::new("names");

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    place: String,
    key: Vec<u8>,
    bytes: Vec<u8>,
}

/// A profile with something in every table.
async fn write(dir: &Path) {
    let fake = Fake::default();
    let place = Place::Directory(dir.to_owned());
    let mut wallet =
        Wallet::create_in(place, around(&fake, 1), options("phone"), |_| {}).await.unwrap();
    for name in ["badge", "licence", "ticket"] {
        wallet.put(record(name, "at the head")).unwrap();
    }
    wallet.push().await.unwrap();
    wallet.put(record("licence", "changed here")).unwrap();
    wallet.delete("ticket").unwrap();
    wallet.local.set_here("badge", Some(b"of this device"), &mut wallet.random).unwrap();
    wallet.local.set_pending(b"a commit").unwrap();
}

fn check(dir: &Path) {
    let profile = Profile::existing(dir).unwrap();
    let wallet = Wallet::open_in(profile, around(&Fake::default(), 2), None).unwrap();
    assert_eq!(wallet.settings, around(&Fake::default(), 2).settings);
    assert_eq!(body(&wallet, "badge"), "at the head");
    assert_eq!(body(&wallet, "licence"), "changed here");
    assert!(wallet.get("ticket").is_err());
    assert_eq!(wallet.kept_here("badge").unwrap().unwrap().expose(), b"of this device");
    assert_eq!(wallet.local.pending().unwrap().unwrap(), b"a commit");
    let head = wallet.known.as_ref().unwrap().head.head();
    assert_eq!((head.seq, head.links), (2, 2));
}

fn dump(dir: &Path) -> Vec<Line> {
    let file = |name: &&str| Line {
        place: "file".to_owned(),
        key: name.as_bytes().to_vec(),
        bytes: std::fs::read(dir.join(name)).unwrap(),
    };
    let mut lines: Vec<Line> = FILES.iter().map(file).collect();
    let copy = Database::open(dir.join(COPY)).unwrap();
    let read = copy.begin_read().unwrap();
    rows(&read, META, &mut lines);
    rows(&read, LINKS, &mut lines);
    rows(&read, HEADS, &mut lines);
    rows(&read, ENTRIES, &mut lines);
    rows(&read, BASE, &mut lines);
    rows(&read, WORK, &mut lines);
    rows(&read, HERE, &mut lines);
    rows(&read, NAMES, &mut lines);
    lines
}

fn rows<K: Key + 'static, V: Value + 'static>(
    read: &ReadTransaction,
    table: TableDefinition<'static, K, V>,
    lines: &mut Vec<Line>,
) {
    for row in read.open_table(table).unwrap().iter().unwrap() {
        let (key, value) = row.unwrap();
        let key = K::as_bytes(&key.value()).as_ref().to_vec();
        let bytes = V::as_bytes(&value.value()).as_ref().to_vec();
        lines.push(Line { place: table.name().to_owned(), key, bytes });
    }
}

fn restore(lines: &[Line], dir: &Path) {
    std::fs::create_dir(dir).unwrap();
    let private = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    private(dir, 0o700);
    for line in lines.iter().filter(|line| line.place == "file") {
        let path = dir.join(std::str::from_utf8(&line.key).unwrap());
        std::fs::write(&path, &line.bytes).unwrap();
        private(&path, 0o600);
    }
    let copy = Database::create(dir.join(COPY)).unwrap();
    private(&dir.join(COPY), 0o600);
    let write = copy.begin_write().unwrap();
    fill(&write, META, lines);
    fill(&write, LINKS, lines);
    fill(&write, HEADS, lines);
    fill(&write, ENTRIES, lines);
    fill(&write, BASE, lines);
    fill(&write, WORK, lines);
    fill(&write, HERE, lines);
    fill(&write, NAMES, lines);
    write.commit().unwrap();
}

fn fill<K: Key + 'static, V: Value + 'static>(
    write: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
    lines: &[Line],
) {
    let mut open = write.open_table(table).unwrap();
    for line in lines.iter().filter(|line| line.place == table.name()) {
        open.insert(K::from_bytes(&line.key), V::from_bytes(&line.bytes)).unwrap();
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/formats/v001_profile.hex")
}

fn frozen(today: &[Line]) -> Vec<Line> {
    let path = path();
    if !path.exists() && std::env::var_os("FREEZE").is_some() {
        let line = |line: &Line| {
            format!("{} {} {}\n", line.place, hex::encode(&line.key), hex::encode(&line.bytes))
        };
        std::fs::write(&path, today.iter().map(line).collect::<String>()).unwrap();
    }
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let line = |line: &str| {
        let [place, key, bytes]: [&str; 3] =
            line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        Line {
            place: place.to_owned(),
            key: hex::decode(key).unwrap(),
            bytes: hex::decode(bytes).unwrap(),
        }
    };
    text.lines().map(line).collect()
}

#[tokio::test]
async fn a_profile_is_written_as_ever_and_read() {
    let home = tempfile::tempdir().unwrap();
    let (fresh, then) = (home.path().join("fresh"), home.path().join("then"));
    write(&fresh).await;
    check(&fresh);
    let today = dump(&fresh);
    let frozen = frozen(&today);
    restore(&frozen, &then);
    check(&then);

    let shape = |lines: &[Line]| -> Vec<(String, usize, usize)> {
        let mut shape: Vec<_> = lines
            .iter()
            .map(|line| (line.place.clone(), line.key.len(), line.bytes.len()))
            .collect();
        shape.sort();
        shape
    };
    assert_eq!(shape(&today), shape(&frozen), "written today, and frozen");
    let places: BTreeSet<_> = frozen.iter().map(|line| line.place.as_str()).collect();
    let all = ["base", "entries", "file", "heads", "here", "links", "meta", "names", "work"];
    assert!(places.into_iter().eq(all), "something in every table");
}
