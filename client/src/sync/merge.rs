//! Three-way merge: what becomes of a local change when the head has moved on.
//!
//! Promises: no value is lost. A value that loses to the head's is kept whole in `conflicts`, or, if
//! it does not fit there, as a record of its own; an edit outlives a deletion that did not know it.
//! Equal inputs give equal outputs on every device, with one exception that no rule can avoid: which
//! of two values reached the head first.
//!
//! Not here: where values come from and go to (`local`), merging by field (later).

use std::collections::{BTreeMap, BTreeSet};

use types::ids::RecordId;

use crate::{
    local::LocalError,
    record::{Conflict, Record},
};

/// A change on this device that the head does not hold yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Work {
    /// The version at the head on which it was made; 0 when the record is new.
    pub(crate) base: u64,
    pub(crate) change: Change,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    Put(Record),
    Delete,
}

/// A record as the head holds it. `record` is `None` when this program cannot read it.
#[derive(Clone, Debug)]
pub(crate) struct AtHead {
    pub(crate) version: u64,
    pub(crate) record: Option<Record>,
}

/// What a merge looks at besides the changes themselves.
pub(crate) trait Heads {
    /// The record as the head held it when the local changes were made.
    fn before(&self, id: &RecordId) -> Result<Option<AtHead>, LocalError>;
    /// The record as the head holds it now.
    fn after(&self, id: &RecordId) -> Result<Option<AtHead>, LocalError>;
    /// Whether the head holds it now.
    fn holds(&self, id: &RecordId) -> bool;
    /// Records of that name at the head now, in the order of their ids.
    fn named(&self, name: &str) -> Result<Vec<RecordId>, LocalError>;
}

/// What a merge did that its owner may want to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Names of records whose local value was set aside in `conflicts`.
    pub set_aside: BTreeSet<String>,
    /// Names of records that were deleted elsewhere and live on, because they were edited here.
    pub survived: BTreeSet<String>,
    /// Names of records that were to be deleted here and live on, because they were edited elsewhere.
    pub kept: BTreeSet<String>,
}

impl MergeReport {
    /// Takes the report of a further merge in.
    pub(crate) fn join(&mut self, other: Self) {
        self.set_aside.extend(other.set_aside);
        self.survived.extend(other.survived);
        self.kept.extend(other.kept);
    }
}

/// Carries local changes over to the new head.
pub(crate) fn merge(
    works: BTreeMap<RecordId, Work>,
    heads: &dyn Heads,
) -> Result<(BTreeMap<RecordId, Work>, MergeReport), LocalError> {
    let mut merge = Merge { heads, works: BTreeMap::new(), report: MergeReport::default() };
    for (id, work) in works {
        merge.one(id, work)?;
    }
    merge.fold_names()?;
    Ok((merge.works, merge.report))
}

struct Merge<'a> {
    heads: &'a dyn Heads,
    works: BTreeMap<RecordId, Work>,
    report: MergeReport,
}

impl Merge<'_> {
    fn one(&mut self, id: RecordId, work: Work) -> Result<(), LocalError> {
        let now = self.heads.after(&id)?;
        match (work.change, now) {
            // Nobody else touched it.
            (change, Some(now)) if now.version == work.base => {
                self.works.insert(id, Work { base: work.base, change });
            }
            (Change::Put(mine), None) if work.base == 0 => {
                self.works.insert(id, Work { base: 0, change: Change::Put(mine) });
            }
            (Change::Delete, None) => {}
            (Change::Delete, Some(now)) => {
                let name = now.record.map_or_else(|| id.to_string(), |record| record.name);
                self.report.kept.insert(name);
            }
            (Change::Put(mine), None) => {
                self.report.survived.insert(mine.name.clone());
                let again = id.again_free(work.base, |id| self.is_taken(id));
                self.works.insert(again, Work { base: 0, change: Change::Put(mine) });
            }
            (Change::Put(mine), Some(AtHead { version, record: Some(theirs) })) => {
                let base = self.heads.before(&id)?.and_then(|before| before.record);
                self.clash(id, work.base, base.as_ref(), mine, version, theirs)?;
            }
            (Change::Put(mine), Some(AtHead { record: None, .. })) => {
                self.set_apart(&id, work.base, mine)?
            }
        }
        Ok(())
    }

    /// Both sides changed the record: the head's value stays, mine goes to its conflicts.
    fn clash(
        &mut self,
        id: RecordId,
        base_version: u64,
        base: Option<&Record>,
        mine: Record,
        version: u64,
        theirs: Record,
    ) -> Result<(), LocalError> {
        let mut merged = theirs.clone();
        merged.conflicts = merged_conflicts(base, &mine, &theirs);
        let mine_changed = base.is_none_or(|base| !mine.same_value(base));
        let theirs_changed = base.is_none_or(|base| !theirs.same_value(base));
        let clash = mine_changed && theirs_changed && !mine.same_value(&theirs);
        if mine_changed && !mine.same_value(&theirs) {
            if clash {
                push_new(&mut merged.conflicts, Conflict::whole(base_version, &mine));
            } else {
                let conflicts = std::mem::take(&mut merged.conflicts);
                merged = mine.clone();
                merged.conflicts = conflicts;
            }
        }
        if merged == theirs {
            return Ok(());
        }
        if merged.check().is_err() {
            return self.set_apart(&id, base_version, mine);
        }
        if clash {
            self.report.set_aside.insert(merged.name.clone());
        }
        self.works.insert(id, Work { base: version, change: Change::Put(merged) });
        Ok(())
    }

    /// Keeps a value that fits into no other record as one of its own.
    fn set_apart(
        &mut self,
        id: &RecordId,
        base_version: u64,
        mut mine: Record,
    ) -> Result<(), LocalError> {
        let apart = id.again_free(base_version, |id| self.is_taken(id));
        self.report.set_aside.insert(mine.name.clone());
        mine.name = self.free_name(&mine.name)?;
        self.works.insert(apart, Work { base: 0, change: Change::Put(mine) });
        Ok(())
    }

    fn is_taken(&self, id: &RecordId) -> bool {
        self.heads.holds(id) || self.works.contains_key(id)
    }

    /// A name derived from `name` that no record bears.
    fn free_name(&self, name: &str) -> Result<String, LocalError> {
        let stem: String = name.chars().take(200).collect();
        let mut number = 1_u32;
        loop {
            let free = format!("{stem} (conflict {number})");
            if self.heads.named(&free)?.is_empty() && !self.is_put_here(&free) {
                return Ok(free);
            }
            number += 1;
        }
    }

    fn is_put_here(&self, name: &str) -> bool {
        self.works
            .values()
            .any(|work| matches!(&work.change, Change::Put(record) if record.name == name))
    }

    /// Two devices that made a record of one name each meant the same thing: the head's stays.
    fn fold_names(&mut self) -> Result<(), LocalError> {
        let new: Vec<RecordId> =
            self.works.iter().filter(|(_, work)| work.base == 0).map(|(id, _)| *id).collect();
        for id in new {
            let Some(Work { base: 0, change: Change::Put(mine) }) = self.works.get(&id).cloned()
            else {
                continue;
            };
            let named = self
                .heads
                .named(&mine.name)?
                .into_iter()
                .find(|other| *other != id && self.lives(other));
            let Some(other) = named else { continue };
            let Some((version, theirs)) = self.effective(&other)? else { continue };
            self.works.remove(&id);
            let mut merged = theirs.clone();
            for conflict in &mine.conflicts {
                push_new(&mut merged.conflicts, conflict.clone());
            }
            let differs = !mine.same_value(&theirs);
            if differs {
                push_new(&mut merged.conflicts, Conflict::whole(0, &mine));
            }
            if merged.check().is_err() {
                self.set_apart(&id, 0, mine)?;
            } else if merged != theirs {
                self.report.set_aside.insert(merged.name.clone());
                self.works.insert(other, Work { base: version, change: Change::Put(merged) });
            }
        }
        Ok(())
    }

    fn lives(&self, id: &RecordId) -> bool {
        self.works.get(id).is_none_or(|work| work.change != Change::Delete)
    }

    /// The record at the head with the local change on top, and the version that the change is made on.
    fn effective(&self, id: &RecordId) -> Result<Option<(u64, Record)>, LocalError> {
        Ok(match self.works.get(id) {
            Some(Work { base, change: Change::Put(record) }) => Some((*base, record.clone())),
            Some(_) => None,
            None => self.heads.after(id)?.and_then(|now| Some((now.version, now.record?))),
        })
    }
}

/// Conflicts as a set, merged three-way: what one side settled is gone, what one side added is kept.
fn merged_conflicts(base: Option<&Record>, mine: &Record, theirs: &Record) -> Vec<Conflict> {
    let before = base.map_or(&[][..], |base| &base.conflicts);
    let settled_here =
        |conflict: &Conflict| before.contains(conflict) && !mine.conflicts.contains(conflict);
    let mut merged: Vec<Conflict> =
        theirs.conflicts.iter().filter(|conflict| !settled_here(conflict)).cloned().collect();
    for conflict in mine.conflicts.iter().filter(|conflict| !before.contains(conflict)) {
        push_new(&mut merged, conflict.clone());
    }
    merged
}

fn push_new(conflicts: &mut Vec<Conflict>, conflict: Conflict) {
    if !conflicts.contains(&conflict) {
        conflicts.push(conflict);
    }
}

#[cfg(test)]
mod tests;
