//! Records: put, get, list, delete. All on the local copy; `push` sends what changed.

use types::ids::RecordId;

use super::Wallet;
use crate::{
    error::{ClientError, Refusal, Usage},
    local::Effective,
    record::Record,
    sync::{Change, Work},
};

/// What `list` shows of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordInfo {
    /// Its id, which never changes. The cluster knows it by nothing else.
    pub id: RecordId,
    /// Its version at the head; 0 when it was never pushed.
    pub version: u64,
    /// Whether this device changed it since.
    pub changed: bool,
    /// The record; `None` when a newer version of Holdfast wrote it and this one cannot read it.
    pub record: Option<Record>,
}

impl RecordInfo {
    /// How many values of other devices were set aside in it.
    pub fn conflicts(&self) -> usize {
        self.record.as_ref().map_or(0, |record| record.conflicts.len())
    }
}

impl From<Effective> for RecordInfo {
    fn from(effective: Effective) -> Self {
        let Effective { id, version, changed, record } = effective;
        Self { id, version, changed, record }
    }
}

impl Wallet {
    /// Stores a record under its name, in place of the one that bears it. Conflicts that the present
    /// record holds stay; [`Wallet::settle`] ends them.
    ///
    /// # Errors
    /// [`Usage`] if the record cannot be stored as it is; [`crate::LocalError`].
    pub fn put(&mut self, record: Record) -> Result<(), ClientError> {
        if record.is_reserved() {
            return Err(Usage::ReservedName(record.name).into());
        }
        self.put_any(record)
    }

    pub(super) fn put_any(&mut self, mut record: Record) -> Result<(), ClientError> {
        let present = self.find(&record.name)?;
        let (id, base) = match &present {
            Some(found) => (found.id, found.version),
            None => self.deleted_here(&record.name)?.unwrap_or_else(|| (self.fresh_id(), 0)),
        };
        if let Some(before) = present.and_then(|found| found.record) {
            let kept = before
                .conflicts
                .into_iter()
                .filter(|conflict| !record.conflicts.contains(conflict));
            let kept: Vec<_> = kept.collect();
            record.conflicts.extend(kept);
        }
        record.check()?;
        self.local.set_work(
            &id,
            Some(&Work { base, change: Change::Put(record) }),
            &mut self.random,
        )?;
        Ok(())
    }

    /// The record of this name.
    ///
    /// # Errors
    /// [`Refusal::NoSuchRecord`]; [`crate::LocalError`].
    pub fn get(&self, name: &str) -> Result<Record, ClientError> {
        let found = self.find(name)?.and_then(|found| found.record);
        found.ok_or_else(|| Refusal::NoSuchRecord(name.to_owned()).into())
    }

    /// All records of the owner, by name.
    ///
    /// # Errors
    /// [`crate::LocalError`].
    pub fn list(&self) -> Result<Vec<RecordInfo>, ClientError> {
        let mut infos: Vec<RecordInfo> =
            self.local.effective_all()?.into_iter().map(Into::into).collect();
        infos.retain(|info| !info.record.as_ref().is_some_and(Record::is_reserved));
        let name = |info: &RecordInfo| info.record.as_ref().map(|record| record.name.clone());
        infos.sort_by_cached_key(|info| (name(info), info.id));
        Ok(infos)
    }

    /// Deletes the record of this name, conflicts included.
    ///
    /// # Errors
    /// [`Refusal::NoSuchRecord`]; [`Usage::ReservedName`]; [`crate::LocalError`].
    pub fn delete(&mut self, name: &str) -> Result<(), ClientError> {
        if name.starts_with(crate::record::RESERVED_PREFIX) {
            return Err(Usage::ReservedName(name.to_owned()).into());
        }
        let found = self.find(name)?.ok_or_else(|| Refusal::NoSuchRecord(name.to_owned()))?;
        let work =
            (found.version != 0).then_some(Work { base: found.version, change: Change::Delete });
        self.local.set_work(&found.id, work.as_ref(), &mut self.random)?;
        Ok(())
    }

    /// Ends the conflicts of a record: `None` keeps its value, `Some(n)` takes the `n`th one that was
    /// set aside, counted from 1, in its place. The others are dropped.
    ///
    /// # Errors
    /// [`Refusal::NoSuchRecord`]; [`Refusal::NoSuchConflict`]; [`crate::LocalError`].
    pub fn settle(&mut self, name: &str, take: Option<usize>) -> Result<(), ClientError> {
        let found = self.find(name)?.ok_or_else(|| Refusal::NoSuchRecord(name.to_owned()))?;
        let present = found.record.ok_or_else(|| Refusal::NoSuchRecord(name.to_owned()))?;
        let mut settled = match take {
            None => present,
            Some(number) => {
                let chosen =
                    number.checked_sub(1).and_then(|at| present.conflicts.get(at)?.record());
                chosen.ok_or_else(|| Refusal::NoSuchConflict { name: name.to_owned(), number })?
            }
        };
        settled.conflicts.clear();
        settled.check()?;
        let work = Work { base: found.version, change: Change::Put(settled) };
        self.local.set_work(&found.id, Some(&work), &mut self.random)?;
        Ok(())
    }

    /// The record of this name. If devices of another program made several, the one with the least id.
    pub(super) fn find(&self, name: &str) -> Result<Option<Effective>, ClientError> {
        for id in self.local.named(name)? {
            let effective = self.local.effective(&id)?;
            let bears_name =
                |found: &Effective| found.record.as_ref().is_some_and(|record| record.name == name);
            if let Some(found) = effective.filter(bears_name) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// A record of this name at the head that was deleted here and not pushed: it is written again,
    /// not replaced by another.
    fn deleted_here(&self, name: &str) -> Result<Option<(RecordId, u64)>, ClientError> {
        for id in self.local.named(name)? {
            let base = self.local.at_head(&id)?;
            let Some(base) =
                base.filter(|base| base.record.as_ref().is_some_and(|record| record.name == name))
            else {
                continue;
            };
            if matches!(self.local.work(&id)?, Some(Work { change: Change::Delete, .. })) {
                return Ok(Some((id, base.version)));
            }
        }
        Ok(None)
    }

    fn fresh_id(&mut self) -> RecordId {
        let mut bytes = [0; RecordId::LEN];
        rand::Rng::fill_bytes(&mut self.random, &mut bytes);
        RecordId::from_bytes(bytes)
    }
}
