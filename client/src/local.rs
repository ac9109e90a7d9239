//! The local copy: what one device keeps of its wallet, in redb.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `wallet`, `name key`, `state`, `pending` | the wallet's id; the key that blinds names, sealed; head and history frontier, sealed; a commit under way, as it is sent |
//! | `links` | position | link and signatures, sealed |
//! | `heads` | seq | head hash: which heads this device has seen |
//! | `entries` | record id | version and body hash, as the head's root covers them |
//! | `base` | record id | the record at the head, sealed |
//! | `work` | record id | a change that the head does not hold yet, sealed |
//! | `here` | blinded name | a file that does not travel, sealed |
//! | `names` | blinded name, record id | nothing: an index that does not show names |
//!
//! Promises: every step is one synced transaction, so a kill at any instant leaves the state before
//! or after it; a commit is on disk before it is sent, and is sent again unchanged until its fate is
//! known; a copy that is not what this device wrote is refused when it is opened.
//!
//! Sealing is purpose 4: under the record's id and version, `work` with the top bit of the version
//! set, so that a change is never taken for a verified value.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
};
use seal::{LocalKey, Secret32};
use serde::{Deserialize, Serialize};
use types::{
    Entries, Entry, Frontier, Membership, Secret, SignedHead, SignedLink, Stored,
    hash::tagged_16,
    ids::{BodyHash, HeadHash, RecordId, WalletId},
};

use crate::{error::Class, random::Random};

mod here;
mod records;
mod update;

pub(crate) use records::Effective;
pub(crate) use update::{Fresh, Update};

type Bytes16 = &'static [u8; 16];
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const LINKS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("links");
const HEADS: TableDefinition<'_, u64, &[u8; 32]> = TableDefinition::new("heads");
const ENTRIES: TableDefinition<'_, Bytes16, &[u8; 40]> = TableDefinition::new("entries");
const BASE: TableDefinition<'_, Bytes16, &[u8]> = TableDefinition::new("base");
const WORK: TableDefinition<'_, Bytes16, &[u8]> = TableDefinition::new("work");
const HERE: TableDefinition<'_, Bytes16, &[u8]> = TableDefinition::new("here");
const NAMES: TableDefinition<'_, &[u8; 32], ()> = TableDefinition::new("names");

const WALLET_ROW: &str = "wallet";
const STATE_ROW: &str = "state";
const PENDING_ROW: &str = "pending";
const NAME_KEY_ROW: &str = "name key";

/// What is damaged if no row is.
const FILE: &str = "the file";

/// Why the local copy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Another process has it open.
    #[error("another process uses the local copy: wait for it, or end it")]
    Busy,
    /// The disk refuses.
    #[error("use the local copy")]
    Disk(#[source] Box<redb::Error>),
    /// What is stored is not what this device wrote.
    #[error("the local copy is damaged: {0}; keep the directory, and recover into a new one")]
    Damaged(&'static str),
}

impl LocalError {
    pub(crate) fn class(&self) -> Class {
        match self {
            LocalError::Busy | LocalError::Disk(_) => Class::Unavailable,
            LocalError::Damaged(_) => Class::Integrity,
        }
    }
}

impl<E: Into<redb::Error>> From<E> for LocalError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Corrupted(_) => LocalError::Damaged(FILE),
            error => LocalError::Disk(Box::new(error)),
        }
    }
}

/// What this device has verified of the wallet, besides the records' contents.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) head: SignedHead,
    /// Over the head hashes 1 to the head's own.
    pub(crate) frontier: Frontier,
    pub(crate) membership: Membership,
    pub(crate) entries: Entries,
}

#[derive(Serialize, Deserialize)]
struct State {
    head: SignedHead,
    frontier: Frontier,
}

/// An open local copy.
pub(crate) struct Local {
    db: Database,
    key: LocalKey,
    wallet: WalletId,
    /// Blinds names in the index.
    name_key: Secret32,
}

impl Local {
    /// Opens the copy in a file, or makes one for `fresh`.
    pub(crate) fn open(
        path: &Path,
        key: LocalKey,
        fresh: Option<WalletId>,
        random: &mut Random,
    ) -> Result<Option<Self>, LocalError> {
        Self::on(whole(|| Database::create(path))?, key, fresh, random)
    }

    /// As [`Local::open`], on other storage than a file.
    pub(crate) fn open_on(
        backend: impl StorageBackend,
        key: LocalKey,
        fresh: Option<WalletId>,
        random: &mut Random,
    ) -> Result<Option<Self>, LocalError> {
        let db = whole(|| Database::builder().create_with_backend(backend))?;
        Self::on(db, key, fresh, random)
    }

    fn on(
        db: Database,
        key: LocalKey,
        fresh: Option<WalletId>,
        random: &mut Random,
    ) -> Result<Option<Self>, LocalError> {
        let write = db.begin_write()?;
        let (wallet, name_key) = {
            let mut meta = write.open_table(META)?;
            let _ =
                (write.open_table(LINKS)?, write.open_table(HEADS)?, write.open_table(ENTRIES)?);
            let _ = (write.open_table(BASE)?, write.open_table(WORK)?, write.open_table(NAMES)?);
            let _ = write.open_table(HERE)?;
            let stored = meta.get(WALLET_ROW)?.map(|row| row.value().to_vec());
            match (stored, fresh) {
                (Some(wallet), _) => {
                    let wallet = WalletId::parse(&wallet)
                        .map_err(|_| LocalError::Damaged("the wallet's id"))?;
                    let row = meta
                        .get(NAME_KEY_ROW)?
                        .and_then(|row| open_row(&key, &wallet, NAME_KEY_ROW, row.value()));
                    let name_key = row.and_then(|bytes| Secret32::from_slice(bytes.expose()));
                    (wallet, name_key.ok_or(LocalError::Damaged("the key of the names"))?)
                }
                (None, Some(wallet)) => {
                    let name_key = Secret32::random(random);
                    let row = seal_row(&key, &wallet, NAME_KEY_ROW, name_key.expose(), random)?;
                    meta.insert(WALLET_ROW, wallet.as_bytes().as_slice())?;
                    meta.insert(NAME_KEY_ROW, row.as_slice())?;
                    (wallet, name_key)
                }
                (None, None) => return Ok(None),
            }
        };
        write.commit()?;
        Ok(Some(Self { db, key, wallet, name_key }))
    }

    pub(crate) fn wallet(&self) -> WalletId {
        self.wallet
    }

    /// What was verified last; `None` before the first head.
    pub(crate) fn known(&self) -> Result<Option<Known>, LocalError> {
        let read = self.db.begin_read()?;
        let Some(row) = read.open_table(META)?.get(STATE_ROW)? else { return Ok(None) };
        let state = self.open_row(STATE_ROW, row.value()).ok_or(LocalError::Damaged("the head"))?;
        let State { head, frontier } =
            ciborium::from_reader(state.expose()).map_err(|_| LocalError::Damaged("the head"))?;
        // They were verified before they were stored, and are sealed since: their rules are enough.
        let membership =
            Membership::of_chain(&self.links()?).map_err(|_| LocalError::Damaged("the links"))?;
        let entries = self.entries()?;
        let known = Known { head, frontier, membership, entries };
        let last = read
            .open_table(HEADS)?
            .last()?
            .map(|(seq, hash)| (seq.value(), HeadHash::from_bytes(*hash.value())));
        known.check(last)?;
        Ok(Some(known))
    }

    /// All links, from the genesis on.
    pub(crate) fn links(&self) -> Result<Vec<SignedLink>, LocalError> {
        let read = self.db.begin_read()?;
        let mut links = Vec::new();
        for row in read.open_table(LINKS)?.iter()? {
            let (n, row) = row?;
            let link = self
                .open_row(&link_row(n.value()), row.value())
                .and_then(|bytes| SignedLink::from_stored(bytes.expose()).ok())
                .ok_or(LocalError::Damaged("a link"))?;
            links.push(link);
        }
        Ok(links)
    }

    /// The commit under way, as it is sent.
    pub(crate) fn pending(&self) -> Result<Option<Vec<u8>>, LocalError> {
        let read = self.db.begin_read()?;
        Ok(read.open_table(META)?.get(PENDING_ROW)?.map(|row| row.value().to_vec()))
    }

    fn entries(&self) -> Result<Entries, LocalError> {
        let read = self.db.begin_read()?;
        let mut entries = Vec::new();
        for row in read.open_table(ENTRIES)?.iter()? {
            let (id, row) = row?;
            entries.push(entry_of(RecordId::from_bytes(*id.value()), row.value()));
        }
        Entries::from_sorted(entries).map_err(|_| LocalError::Damaged("the list of records"))
    }

    fn seal_row(
        &self,
        name: &str,
        data: &[u8],
        random: &mut Random,
    ) -> Result<Vec<u8>, LocalError> {
        seal_row(&self.key, &self.wallet, name, data, random)
    }

    fn open_row(&self, name: &str, sealed: &[u8]) -> Option<Secret> {
        open_row(&self.key, &self.wallet, name, sealed)
    }

    /// A name as the index knows it: it can be looked up, not read.
    fn blind(&self, name: &str) -> [u8; 16] {
        tagged_16("holdfast/1 name", &[self.name_key.expose(), name.as_bytes()])
    }
}

impl Known {
    /// As the rules of `types` take it.
    pub(crate) fn stored(&self) -> Stored<'_> {
        Stored {
            head: self.head.head(),
            head_hash: self.head.hash(),
            history: &self.frontier,
            membership: &self.membership,
            entries: &self.entries,
        }
    }

    /// Whether the parts belong together: the head vouches for all of them.
    fn check(&self, last_hash: Option<(u64, HeadHash)>) -> Result<(), LocalError> {
        let head = self.head.head();
        if last_hash != Some((head.seq, self.head.hash())) || self.frontier.size() != head.seq {
            return Err(LocalError::Damaged("the history of heads"));
        }
        if self.membership.links() != head.links || self.membership.last_link() != head.link {
            return Err(LocalError::Damaged("the links"));
        }
        if self.entries.root() != head.root {
            return Err(LocalError::Damaged("the list of records"));
        }
        Ok(())
    }
}

/// A database all of whose checksums are right. redb follows what a page says without another look at it, and
/// reads some pages before it has compared anything: damaged ones make it panic, which is damage too.
fn whole(open: impl FnOnce() -> Result<Database, DatabaseError>) -> Result<Database, LocalError> {
    let checked = || {
        let mut db = open()?;
        Ok::<_, DatabaseError>(db.check_integrity()?.then_some(db))
    };
    match catch_unwind(AssertUnwindSafe(checked)) {
        Ok(Ok(Some(db))) => Ok(db),
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(LocalError::Busy),
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(None)) | Err(_) => Err(LocalError::Damaged(FILE)),
    }
}

fn seal_row(
    key: &LocalKey,
    wallet: &WalletId,
    name: &str,
    data: &[u8],
    random: &mut Random,
) -> Result<Vec<u8>, LocalError> {
    let sealed = key.seal(random, wallet, &row_id(name), 0, data);
    sealed.map_err(|_| LocalError::Damaged("a row larger than a record"))
}

fn open_row(key: &LocalKey, wallet: &WalletId, name: &str, sealed: &[u8]) -> Option<Secret> {
    key.open(wallet, &row_id(name), 0, sealed).ok()
}

fn link_row(n: u32) -> String {
    format!("link {n}")
}

fn row_id(name: &str) -> RecordId {
    RecordId::from_bytes(tagged_16("holdfast/1 local", &[name.as_bytes()]))
}

fn entry_of(id: RecordId, row: &[u8; 40]) -> Entry {
    let (version, hash) = row.split_first_chunk::<8>().expect("8 is less than 40");
    let hash: [u8; 32] = hash.try_into().expect("40 less 8 is 32");
    Entry { id, version: u64::from_be_bytes(*version), body_hash: BodyHash::from_bytes(hash) }
}

fn entry_row(entry: &Entry) -> [u8; 40] {
    let mut row = [0; 40];
    row[..8].copy_from_slice(&entry.version.to_be_bytes());
    row[8..].copy_from_slice(entry.body_hash.as_bytes());
    row
}

#[cfg(test)]
mod tests;
