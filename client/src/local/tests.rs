#![allow(clippy::unwrap_used)]

use std::{
    io,
    sync::{Arc, Mutex},
};

use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    random,
    record::Record,
    sync::{Change, Work},
};

/// A disk that keeps what was synced, and an image of each sync.
#[derive(Clone, Debug, Default)]
struct Disk {
    live: Arc<Mutex<Vec<u8>>>,
    synced: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Disk {
    fn holding(image: Vec<u8>) -> Self {
        Self { live: Arc::new(Mutex::new(image)), synced: Arc::default() }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.live.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (from, live) = (offset as usize, self.live.lock().unwrap());
        out.copy_from_slice(live.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.live.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.synced.lock().unwrap().push(self.live.lock().unwrap().clone());
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = offset as usize;
        self.live.lock().unwrap()[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn wallet() -> WalletId {
    WalletId::from_bytes([7; 32])
}

fn seeded(seed: u64) -> Random {
    Box::new(StdRng::seed_from_u64(seed))
}

fn key(seed: u64) -> LocalKey {
    LocalKey::generate(&mut seeded(seed))
}

fn id(number: u8) -> RecordId {
    RecordId::from_bytes([number; 16])
}

fn put(name: &str) -> Work {
    Work { base: 0, change: Change::Put(Record::new("opaque", name, b"planted body".to_vec())) }
}

fn open(disk: &Disk) -> Result<Option<Local>, LocalError> {
    Local::open_on(disk.clone(), key(1), None, &mut random::system())
}

#[test]
fn a_power_cut_after_any_sync_leaves_the_state_before_or_after_a_step() {
    let disk = Disk::default();
    let random = &mut seeded(2);
    let local = Local::open_on(disk.clone(), key(1), Some(wallet()), random).unwrap().unwrap();
    for number in 0..8 {
        local.set_work(&id(number), Some(&put(&format!("record {number}"))), random).unwrap();
    }
    local.set_pending(b"a commit").unwrap();
    local.set_work(&id(0), None, random).unwrap();
    local.clear_pending().unwrap();
    drop(local);
    let images = disk.synced.lock().unwrap().clone();
    let mut seen = Vec::new();
    for image in images {
        // Before the first step there is no wallet in it, and sometimes no database yet.
        let Ok(Some(local)) = open(&Disk::holding(image)) else { continue };
        let works = local.works().unwrap();
        let pending = local.pending().unwrap().is_some();
        assert!(works.len() <= 8);
        for (id, work) in &works {
            assert_eq!(*work, put(&format!("record {}", id.as_bytes()[0])), "whole or not at all");
            assert_eq!(local.named(&format!("record {}", id.as_bytes()[0])).unwrap(), [*id]);
        }
        seen.push((works.len(), pending));
    }
    seen.dedup();
    let steps: Vec<_> =
        (0..=8).map(|count| (count, false)).chain([(8, true), (7, true), (7, false)]).collect();
    assert_eq!(seen, steps, "every step was seen, in order, and nothing between");
}

#[test]
fn neither_names_nor_bodies_are_on_disk_and_another_key_opens_nothing() {
    let disk = Disk::default();
    let random = &mut seeded(2);
    let local = Local::open_on(disk.clone(), key(1), Some(wallet()), random).unwrap().unwrap();
    local.set_work(&id(1), Some(&put("planted name")), random).unwrap();
    local.set_work(&id(2), Some(&Work { base: 3, change: Change::Delete }), random).unwrap();
    drop(local);
    let image = disk.live.lock().unwrap().clone();
    let finds = |needle: &[u8]| image.windows(needle.len()).any(|window| window == needle);
    assert!(!finds(b"planted"));
    assert!(finds(wallet().as_bytes()), "the search finds what is there in clear");

    let other = Local::open_on(disk.clone(), key(9), None, random).map(drop);
    assert!(matches!(other, Err(LocalError::Damaged(_))));
    let local = open(&disk).unwrap().unwrap();
    assert_eq!(local.works().unwrap()[&id(2)], Work { base: 3, change: Change::Delete });
}

#[test]
fn an_empty_copy_is_no_wallet() {
    let disk = Disk::default();
    assert!(open(&disk).unwrap().is_none());
    assert!(open(&disk).unwrap().is_none(), "looking made none");
}

#[test]
fn a_byte_that_is_another_is_refused_or_changes_nothing() {
    let disk = Disk::default();
    let random = &mut seeded(2);
    let local = Local::open_on(disk.clone(), key(1), Some(wallet()), random).unwrap().unwrap();
    for number in 0..40 {
        local.set_work(&id(number), Some(&put(&format!("record {number}"))), random).unwrap();
    }
    local.set_pending(b"a commit").unwrap();
    let works = local.works().unwrap();
    drop(local);
    let image = disk.live.lock().unwrap().clone();

    let (mut refused, mut harmless) = (0, 0);
    let written: Vec<_> = (0..image.len()).filter(|at| image[*at] != 0).collect();
    for at in written.into_iter().step_by(17) {
        let mut image = image.clone();
        image[at] ^= 0x21;
        let disk = Disk::holding(image);
        let read = open(&disk).and_then(|local| match local {
            Some(local) => Ok(Some((local.works()?, local.pending()?))),
            None => Ok(None),
        });
        match read {
            Err(_) => refused += 1,
            Ok(read) => {
                assert_eq!(read, Some((works.clone(), Some(b"a commit".to_vec()))), "byte {at}");
                harmless += 1;
            }
        }
    }
    assert!(refused > harmless, "{refused} were refused, and {harmless} did no harm");
}
