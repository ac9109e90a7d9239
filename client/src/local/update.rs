//! One step of the local copy: everything that one verified pull, or one accepted commit, changes,
//! in one transaction.

use std::collections::BTreeMap;

use types::{
    Entry, Secret, SignedLink,
    ids::{HeadHash, RecordId},
};

use super::{
    BASE, ENTRIES, HEADS, Known, LINKS, Local, LocalError, META, PENDING_ROW, STATE_ROW, State,
    WORK, entry_row, link_row,
};
use crate::{random::Random, sync::Work};

/// A record whose value at the head is new to this device, verified and opened.
pub(crate) struct Fresh {
    pub(crate) entry: Entry,
    pub(crate) data: Secret,
}

/// A step.
pub(crate) struct Update<'a> {
    /// The state after it.
    pub(crate) known: &'a Known,
    /// Links that follow the stored ones.
    pub(crate) links: &'a [SignedLink],
    /// Hashes of the heads that follow the stored ones, the new head's last.
    pub(crate) head_hashes: &'a [HeadHash],
    pub(crate) fresh: &'a [Fresh],
    pub(crate) removed: &'a [RecordId],
    /// All local changes after the step.
    pub(crate) works: &'a BTreeMap<RecordId, Work>,
    /// Whether the fate of the commit under way is known now.
    pub(crate) settles_pending: bool,
}

impl Local {
    /// Stores a commit before it is sent.
    pub(crate) fn set_pending(&self, commit: &[u8]) -> Result<(), LocalError> {
        let write = self.db.begin_write()?;
        write.open_table(META)?.insert(PENDING_ROW, commit)?;
        write.commit()?;
        Ok(())
    }

    /// Forgets the commit under way: it will never be accepted.
    pub(crate) fn clear_pending(&self) -> Result<(), LocalError> {
        let write = self.db.begin_write()?;
        write.open_table(META)?.remove(PENDING_ROW)?;
        write.commit()?;
        Ok(())
    }

    /// Forgets every change that the head does not hold, and the commit under way.
    pub(crate) fn discard(&self) -> Result<(), LocalError> {
        let write = self.db.begin_write()?;
        write.open_table(META)?.remove(PENDING_ROW)?;
        write.open_table(WORK)?.retain(|_, _| false)?;
        write.commit()?;
        Ok(())
    }

    /// Takes a step, as a whole.
    pub(crate) fn apply(&self, update: &Update<'_>, random: &mut Random) -> Result<(), LocalError> {
        let works_before = self.works()?;
        let names_removed = self.names_of(update.removed)?;
        let write = self.db.begin_write()?;
        self.write_chain(&write, update, random)?;
        for Fresh { entry, data } in update.fresh {
            write.open_table(ENTRIES)?.insert(entry.id.as_bytes(), &entry_row(entry))?;
            self.write_base(&write, &entry.id, entry.version, data, random)?;
        }
        for id in update.removed {
            write.open_table(ENTRIES)?.remove(id.as_bytes())?;
            write.open_table(BASE)?.remove(id.as_bytes())?;
        }
        for (id, name) in &names_removed {
            self.unindex(&write, name, id)?;
        }
        for id in works_before.keys().filter(|id| !update.works.contains_key(id)) {
            self.write_work(&write, id, None, random)?;
        }
        for (id, work) in update.works {
            if works_before.get(id) != Some(work) {
                self.write_work(&write, id, Some(work), random)?;
            }
        }
        if update.settles_pending {
            write.open_table(META)?.remove(PENDING_ROW)?;
        }
        write.commit()?;
        Ok(())
    }

    /// Head, links and history.
    fn write_chain(
        &self,
        write: &redb::WriteTransaction,
        update: &Update<'_>,
        random: &mut Random,
    ) -> Result<(), LocalError> {
        let state = State { head: update.known.head, frontier: update.known.frontier.clone() };
        let mut bytes = Vec::new();
        ciborium::into_writer(&state, &mut bytes)
            .map_err(|_| LocalError::Damaged("a head that cannot be written"))?;
        write
            .open_table(META)?
            .insert(STATE_ROW, self.seal_row(STATE_ROW, &bytes, random)?.as_slice())?;
        let mut links = write.open_table(LINKS)?;
        for link in update.links {
            let n = link.link().n;
            links.insert(n, self.seal_row(&link_row(n), &link.to_stored(), random)?.as_slice())?;
        }
        let mut heads = write.open_table(HEADS)?;
        let last = update.known.head.head().seq;
        for (hash, seq) in update.head_hashes.iter().rev().zip((1..=last).rev()) {
            heads.insert(seq, hash.as_bytes())?;
        }
        Ok(())
    }

    fn names_of(&self, removed: &[RecordId]) -> Result<Vec<(RecordId, String)>, LocalError> {
        let mut names = Vec::new();
        for id in removed {
            let record = self.at_head(id)?.and_then(|base| base.record);
            names.extend(record.map(|record| (*id, record.name.clone())));
        }
        Ok(names)
    }
}
