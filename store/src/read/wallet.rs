//! Reading a wallet.

use std::ops::ControlFlow;

use types::accept::Stored;
use types::head::SignedHead;
use types::ids::{HeadHash, RecordId, WalletId};
use types::membership::Membership;
use types::root::{Entries, Entry};
use types::sealed::Sealed;

use super::Reader;
use crate::engine::Direction;
use crate::fault::Fault;
use crate::keys::{Home, Key};
use crate::rows::{EntryRow, FloorRow, HeadHashRow, LinkRow, RemovalRow, TombstoneRow, WalletRow};

/// The lowest and highest record id.
const RECORDS: [RecordId; 2] = [RecordId::ZERO, RecordId::from_bytes([0xff; 16])];

/// What a push is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWallet {
    /// Head and counters.
    pub row: WalletRow,
    /// The members.
    pub membership: Membership,
    /// What the head covers.
    pub entries: Entries,
}

/// What changed in a wallet since a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// What was written and removed since.
    Since {
        /// The present entries of records written since, by id.
        changed: Vec<Entry>,
        /// The records removed since, the latest first.
        removed: Vec<RecordId>,
    },
    /// Not all removals since are remembered: the whole list.
    All(Entries),
}

impl StoredWallet {
    /// The same, as [`types::accept()`](types::accept::accept) takes it.
    pub fn as_stored(&self) -> Stored<'_> {
        Stored {
            head: self.row.head.head(),
            head_hash: self.row.head.hash(),
            history: &self.row.history,
            membership: &self.membership,
            entries: &self.entries,
        }
    }
}

/// Every method fails as [`Reader::applied`] does.
impl Reader {
    /// A wallet's head and counters; none if there is no such wallet in this group.
    pub fn wallet(&self, wallet: WalletId) -> Result<Option<WalletRow>, Fault> {
        self.get(&Key::Wallet(Home::of(wallet)))
    }

    /// A wallet's members: after the last link that is known of, be it stored or only known from the
    /// journal of a cluster that was lost.
    pub fn membership(&self, wallet: WalletId) -> Result<Option<Membership>, Fault> {
        match self.floor(wallet)? {
            Some(floor) => Ok(Some(floor.membership)),
            None => self.get(&Key::Membership(Home::of(wallet))),
        }
    }

    /// How far a restored wallet's links had gone; none once a push has reached it.
    pub fn floor(&self, wallet: WalletId) -> Result<Option<FloorRow>, Fault> {
        // Only a group that was restored has floors; the others are spared a look for each wallet.
        match self.restore()? {
            Some(restore) if restore.floors > 0 => self.get(&Key::Floor(Home::of(wallet))),
            _ => Ok(None),
        }
    }

    /// Everything that a push is checked against.
    pub fn stored(&self, wallet: WalletId) -> Result<Option<StoredWallet>, Fault> {
        let home = Home::of(wallet);
        let Some(row) = self.get(&Key::Wallet(home))? else { return Ok(None) };
        let membership = self.expect(&Key::Membership(home))?;
        Ok(Some(StoredWallet { row, membership, entries: self.entries(wallet)? }))
    }

    /// A wallet's data key, wrapped.
    pub fn data_key(&self, wallet: WalletId) -> Result<Option<Sealed>, Fault> {
        self.get(&Key::DataKey(Home::of(wallet)))
    }

    /// A wallet's links from number `from` on, in order.
    pub fn links(&self, wallet: WalletId, from: u32) -> Result<Vec<LinkRow>, Fault> {
        let home = Home::of(wallet);
        self.collect((Key::Link(home, from), Key::Link(home, u32::MAX)), |_, link: LinkRow| link)
    }

    /// One of a wallet's links, by its number.
    pub fn link(&self, wallet: WalletId, number: u32) -> Result<Option<LinkRow>, Fault> {
        self.get(&Key::Link(Home::of(wallet), number))
    }

    /// All entries of a wallet; empty if there is none.
    pub fn entries(&self, wallet: WalletId) -> Result<Entries, Fault> {
        let entries =
            self.collect(of_records(Home::of(wallet)), entry)?.into_iter().flatten().collect();
        self.sorted(entries)
    }

    /// What is known of one record.
    pub fn entry(&self, wallet: WalletId, record: RecordId) -> Result<Option<EntryRow>, Fault> {
        self.get(&Key::Entry(Home::of(wallet), record))
    }

    /// A record's body as it is stored: under the wallet's data key.
    pub fn body(&self, wallet: WalletId, record: RecordId) -> Result<Option<Sealed>, Fault> {
        self.get(&Key::Body(Home::of(wallet), record))
    }

    /// What changed since the head at `seq`; from 0, everything.
    pub fn changes_since(&self, wallet: WalletId, seq: u64) -> Result<Changes, Fault> {
        let home = Home::of(wallet);
        let forgotten = self.get::<WalletRow>(&Key::Wallet(home))?.map_or(0, |row| row.forgotten);
        if seq < forgotten {
            return Ok(Changes::All(self.entries(wallet)?));
        }
        let since = |key: Key, row: EntryRow| if row.seq > seq { entry(key, row) } else { None };
        let changed = self.collect(of_records(home), since)?.into_iter().flatten().collect();
        let mut removed = Vec::new();
        let places = (Key::TombstoneOrder(home, 0), Key::TombstoneOrder(home, u64::MAX));
        self.each(places, Direction::Reverse, |_, removal: RemovalRow| {
            if removal.seq <= seq {
                return ControlFlow::Break(());
            }
            removed.push(removal.record);
            ControlFlow::Continue(())
        })?;
        Ok(Changes::Since { changed, removed })
    }

    /// Whether a record is remembered as removed: its id is never used again.
    pub fn was_removed(&self, wallet: WalletId, record: RecordId) -> Result<bool, Fault> {
        let tombstone = self.get::<TombstoneRow>(&Key::Tombstone(Home::of(wallet), record))?;
        Ok(tombstone.is_some())
    }

    /// The hash of the head at `seq`, and of the commit that was pushed with it.
    pub fn head_hash(&self, wallet: WalletId, seq: u64) -> Result<Option<HeadHashRow>, Fault> {
        self.get(&Key::HeadHash(Home::of(wallet), seq))
    }

    /// The hashes of the heads from `first` to `last`, both included, as far as there are any.
    pub fn head_hashes(
        &self,
        wallet: WalletId,
        first: u64,
        last: u64,
    ) -> Result<Vec<HeadHash>, Fault> {
        let home = Home::of(wallet);
        self.collect(
            (Key::HeadHash(home, first), Key::HeadHash(home, last)),
            |_, row: HeadHashRow| row.hash,
        )
    }

    /// The heads below the present one, the newest first, back to one that a device signed; empty if
    /// a device signed the present one.
    pub fn trail(&self, wallet: WalletId) -> Result<Vec<SignedHead>, Fault> {
        let home = Home::of(wallet);
        let mut heads = Vec::new();
        let places = (Key::Trail(home, 0), Key::Trail(home, u64::MAX));
        self.each(places, Direction::Reverse, |_, head| {
            heads.push(head);
            ControlFlow::Continue(())
        })?;
        Ok(heads)
    }

    fn sorted(&self, entries: Vec<Entry>) -> Result<Entries, Fault> {
        Entries::from_sorted(entries)
            .map_err(|_| Fault::Inconsistent { group: self.group(), what: "an entry" })
    }
}

fn of_records(home: Home) -> (Key, Key) {
    let [first, last] = RECORDS;
    (Key::Entry(home, first), Key::Entry(home, last))
}

fn entry(key: Key, row: EntryRow) -> Option<Entry> {
    match key {
        Key::Entry(_, id) => Some(Entry { id, version: row.version, body_hash: row.body_hash }),
        _ => None,
    }
}
