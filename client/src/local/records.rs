//! Records in the local copy: what the head holds, what was changed here, and how they are found.

use redb::{ReadableDatabase, ReadableTable, Table, WriteTransaction};
use types::{Secret, ids::RecordId};

use super::{BASE, ENTRIES, Local, LocalError, NAMES, WORK, entry_of};
use crate::{
    random::Random,
    record::Record,
    sync::{AtHead, Change, Work},
};

const PUT: u8 = 1;
const DELETE: u8 = 2;
/// Set in the version under which a change is sealed.
const UNVERIFIED: u64 = 1 << 63;

/// One record as its owner sees it: the head's, with the local change on top.
pub(crate) struct Effective {
    pub(crate) id: RecordId,
    /// Version at the head; 0 when the head does not hold it.
    pub(crate) version: u64,
    /// `None` when a newer program wrote it and this one cannot read it.
    pub(crate) record: Option<Record>,
    /// Whether the head does not hold this value yet.
    pub(crate) changed: bool,
}

impl Local {
    /// Every record, in the order of ids; deleted ones are left out.
    pub(crate) fn effective_all(&self) -> Result<Vec<Effective>, LocalError> {
        let read = self.db.begin_read()?;
        let (base, work) = (read.open_table(BASE)?, read.open_table(WORK)?);
        let mut ids = std::collections::BTreeSet::new();
        for row in base.iter()? {
            ids.insert(RecordId::from_bytes(*row?.0.value()));
        }
        for row in work.iter()? {
            ids.insert(RecordId::from_bytes(*row?.0.value()));
        }
        let mut all = Vec::with_capacity(ids.len());
        for id in ids {
            all.extend(self.effective(&id)?);
        }
        Ok(all)
    }

    /// One record; `None` if there is none, or it was deleted here.
    pub(crate) fn effective(&self, id: &RecordId) -> Result<Option<Effective>, LocalError> {
        let base = self.at_head(id)?;
        let version = base.as_ref().map_or(0, |base| base.version);
        Ok(match (self.work(id)?, base) {
            (Some(Work { change: Change::Delete, .. }), _) | (None, None) => None,
            (Some(Work { change: Change::Put(record), .. }), _) => {
                Some(Effective { id: *id, version, record: Some(record), changed: true })
            }
            (None, Some(base)) => {
                Some(Effective { id: *id, version, record: base.record, changed: false })
            }
        })
    }

    /// The record as the head holds it.
    pub(crate) fn at_head(&self, id: &RecordId) -> Result<Option<AtHead>, LocalError> {
        let read = self.db.begin_read()?;
        let Some(entry) =
            read.open_table(ENTRIES)?.get(id.as_bytes())?.map(|row| entry_of(*id, row.value()))
        else {
            return Ok(None);
        };
        let base = read.open_table(BASE)?;
        let sealed = base.get(id.as_bytes())?.ok_or(LocalError::Damaged("a record is missing"))?;
        let data = self
            .key
            .open(&self.wallet, id, entry.version, sealed.value())
            .map_err(|_| LocalError::Damaged("a record"))?;
        Ok(Some(AtHead { version: entry.version, record: Record::decode(data.expose()).ok() }))
    }

    /// The change made here that the head does not hold yet.
    pub(crate) fn work(&self, id: &RecordId) -> Result<Option<Work>, LocalError> {
        let read = self.db.begin_read()?;
        let row = read.open_table(WORK)?.get(id.as_bytes())?;
        row.map(|row| self.open_work(id, row.value())).transpose()
    }

    /// All changes made here that the head does not hold yet.
    pub(crate) fn works(&self) -> Result<std::collections::BTreeMap<RecordId, Work>, LocalError> {
        let read = self.db.begin_read()?;
        let mut works = std::collections::BTreeMap::new();
        for row in read.open_table(WORK)?.iter()? {
            let (id, row) = row?;
            let id = RecordId::from_bytes(*id.value());
            works.insert(id, self.open_work(&id, row.value())?);
        }
        Ok(works)
    }

    /// How many changes the head does not hold yet.
    pub(crate) fn works_count(&self) -> Result<u64, LocalError> {
        use redb::ReadableTableMetadata;
        Ok(self.db.begin_read()?.open_table(WORK)?.len()?)
    }

    /// Ids of records that bear, or bore, this name: at the head or in a change made here.
    pub(crate) fn named(&self, name: &str) -> Result<Vec<RecordId>, LocalError> {
        let read = self.db.begin_read()?;
        let names = read.open_table(NAMES)?;
        let blind = self.blind(name);
        let (first, last) = (
            index_row(&blind, &RecordId::ZERO),
            index_row(&blind, &RecordId::from_bytes([255; 16])),
        );
        let rows = names.range::<&[u8; 32]>(&first..=&last)?;
        rows.map(|row| {
            let row = row?.0;
            let id = row.value().last_chunk::<16>().expect("16 is less than 32");
            Ok(RecordId::from_bytes(*id))
        })
        .collect()
    }

    /// Stores, replaces or takes back one change, by itself.
    pub(crate) fn set_work(
        &self,
        id: &RecordId,
        work: Option<&Work>,
        random: &mut Random,
    ) -> Result<(), LocalError> {
        let write = self.db.begin_write()?;
        self.write_work(&write, id, work, random)?;
        write.commit()?;
        Ok(())
    }

    pub(super) fn write_work(
        &self,
        write: &WriteTransaction,
        id: &RecordId,
        work: Option<&Work>,
        random: &mut Random,
    ) -> Result<(), LocalError> {
        let mut table = write.open_table(WORK)?;
        let Some(work) = work else {
            table.remove(id.as_bytes())?;
            return Ok(());
        };
        let mut row = Vec::new();
        match &work.change {
            Change::Delete => {
                row.push(DELETE);
                row.extend(work.base.to_be_bytes());
            }
            Change::Put(record) => {
                row.push(PUT);
                row.extend(work.base.to_be_bytes());
                let sealed = self.key.seal(
                    random,
                    &self.wallet,
                    id,
                    work.base | UNVERIFIED,
                    &record.encode(),
                );
                row.extend(sealed.map_err(|_| LocalError::Damaged("a record that is too large"))?);
                self.index(&mut write.open_table(NAMES)?, &record.name, id)?;
            }
        }
        table.insert(id.as_bytes(), row.as_slice())?;
        Ok(())
    }

    /// Stores the value of a record at the head.
    pub(super) fn write_base(
        &self,
        write: &WriteTransaction,
        id: &RecordId,
        version: u64,
        data: &Secret,
        random: &mut Random,
    ) -> Result<(), LocalError> {
        let sealed = self.key.seal(random, &self.wallet, id, version, data.expose());
        let sealed = sealed.map_err(|_| LocalError::Damaged("a record that is too large"))?;
        write.open_table(BASE)?.insert(id.as_bytes(), sealed.as_slice())?;
        if let Ok(record) = Record::decode(data.expose()) {
            self.index(&mut write.open_table(NAMES)?, &record.name, id)?;
        }
        Ok(())
    }

    fn index(
        &self,
        names: &mut Table<'_, &[u8; 32], ()>,
        name: &str,
        id: &RecordId,
    ) -> Result<(), LocalError> {
        names.insert(&index_row(&self.blind(name), id), ())?;
        Ok(())
    }

    /// Forgets that a record bore a name.
    pub(super) fn unindex(
        &self,
        write: &WriteTransaction,
        name: &str,
        id: &RecordId,
    ) -> Result<(), LocalError> {
        write.open_table(NAMES)?.remove(&index_row(&self.blind(name), id))?;
        Ok(())
    }

    fn open_work(&self, id: &RecordId, row: &[u8]) -> Result<Work, LocalError> {
        let damaged = || LocalError::Damaged("a change");
        let (kind, rest) = row.split_first().ok_or_else(damaged)?;
        let (base, sealed) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
        let base = u64::from_be_bytes(*base);
        let change = match *kind {
            DELETE => Change::Delete,
            PUT => {
                let data = self
                    .key
                    .open(&self.wallet, id, base | UNVERIFIED, sealed)
                    .map_err(|_| damaged())?;
                Change::Put(Record::decode(data.expose()).map_err(|_| damaged())?)
            }
            _ => return Err(damaged()),
        };
        Ok(Work { base, change })
    }
}

fn index_row(blind: &[u8; 16], id: &RecordId) -> [u8; 32] {
    let mut row = [0; 32];
    row[..16].copy_from_slice(blind);
    row[16..].copy_from_slice(id.as_bytes());
    row
}
