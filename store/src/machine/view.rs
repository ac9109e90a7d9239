//! The state as the entry being applied sees it: what is stored, under what this batch has changed.
//!
//! Every row read or written stays here until the batch is done, so that a row that many entries of
//! a run touch is read once, written once, and counted into the digest once. Whatever an entry
//! writes, it writes after its last check: there is no way to take a change back.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use types::sealed::Sealed;

use crate::codec;
use crate::digest::{PairHash, StateDigest};
use crate::engine::{Batch, Column, EngineView};
use crate::fault::Fault;
use crate::keys::{Key, KeyBytes, Prefix};

/// Reads that see the batch being built, and writes that go into it.
pub(crate) struct View<'a> {
    engine: &'a dyn EngineView,
    prefix: Prefix,
    rows: BTreeMap<KeyBytes, Pending>,
}

struct Pending {
    before: Before,
    now: Now,
}

/// What the engine holds under the key.
enum Before {
    /// Not looked at: the row was overwritten unread. The digest will have to look.
    Unread,
    Absent,
    Present(Vec<u8>),
    /// Not looked at either, but its share of the digest is known.
    Counted(PairHash),
}

/// What the batch makes of it.
enum Now {
    Untouched,
    Value(Vec<u8>),
    /// A value whose share of the digest is known already.
    Counted(Vec<u8>, PairHash),
    Gone,
}

impl<'a> View<'a> {
    pub(crate) fn new(engine: &'a dyn EngineView, prefix: Prefix) -> Self {
        View { engine, prefix, rows: BTreeMap::new() }
    }

    /// Whose keys these are.
    pub(crate) fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// The group whose state this is.
    pub(crate) fn group(&self) -> types::ids::GroupId {
        self.prefix.group
    }

    /// The row under `key`.
    pub(crate) fn get<T: DeserializeOwned>(&mut self, key: &Key) -> Result<Option<T>, Fault> {
        let engine = self.engine;
        let bytes = key.encode(self.prefix);
        let row = match self.rows.entry(bytes) {
            std::collections::btree_map::Entry::Occupied(row) => row.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let before =
                    engine.get(Column::State, &bytes)?.map_or(Before::Absent, Before::Present);
                place.insert(Pending { before, now: Now::Untouched })
            }
        };
        row.value().map(|value| decode(key, value)).transpose()
    }

    /// As [`View::get`], for a row that the rest of the state says is there.
    pub(crate) fn expect<T: DeserializeOwned>(&mut self, key: &Key) -> Result<T, Fault> {
        let group = self.group();
        self.get(key)?.ok_or(Fault::Inconsistent { group, what: key.kind() })
    }

    /// Writes a row, whether there is one already or not.
    pub(crate) fn put<T: Serialize>(&mut self, key: &Key, row: &T) {
        self.write(key, Before::Unread, Now::Value(codec::encode(row)));
    }

    /// Writes a row that is encoded already.
    pub(crate) fn put_bytes(&mut self, key: &Key, value: &[u8]) {
        self.write(key, Before::Unread, Now::Value(value.to_vec()));
    }

    /// Writes a row where none ever was, which spares the digest a look.
    pub(crate) fn put_new<T: Serialize>(&mut self, key: &Key, row: &T) {
        self.write(key, Before::Absent, Now::Value(codec::encode(row)));
    }

    /// Removes a row, if it is there.
    pub(crate) fn delete(&mut self, key: &Key) {
        self.write(key, Before::Unread, Now::Gone);
    }

    /// Writes a body in the place of the one that `former` was returned for, and returns its own
    /// share of the digest, to be kept beside it: a large value is not read to be replaced.
    pub(crate) fn put_body(
        &mut self,
        key: &Key,
        body: &Sealed,
        former: Option<PairHash>,
    ) -> PairHash {
        let value = codec::encode(body);
        let pair = PairHash::of(key.encode(self.prefix).digested(), &value);
        self.write(key, former.map_or(Before::Absent, Before::Counted), Now::Counted(value, pair));
        pair
    }

    /// Removes the body that `former` was returned for.
    pub(crate) fn delete_body(&mut self, key: &Key, former: PairHash) {
        self.write(key, Before::Counted(former), Now::Gone);
    }

    fn write(&mut self, key: &Key, before: Before, now: Now) {
        let row = self
            .rows
            .entry(key.encode(self.prefix))
            .or_insert(Pending { before, now: Now::Untouched });
        row.now = now;
    }

    /// Moves every change into `batch` and counts it into `digest`.
    pub(crate) fn finish(self, digest: &mut StateDigest, batch: &mut Batch) -> Result<(), Fault> {
        for (key, row) in self.rows {
            let pair = |value: &[u8]| PairHash::of(key.digested(), value);
            let before = match row.before {
                _ if matches!(row.now, Now::Untouched) => continue,
                Before::Unread => self.engine.get(Column::State, &key)?.map(|value| pair(&value)),
                Before::Absent => None,
                Before::Present(value) => Some(pair(&value)),
                Before::Counted(before) => Some(before),
            };
            before.into_iter().for_each(|before| digest.remove(before));
            let now = match row.now {
                Now::Value(value) => Some((pair(&value), value)),
                Now::Counted(value, pair) => Some((pair, value)),
                Now::Gone | Now::Untouched => None,
            };
            match now {
                Some((pair, value)) => {
                    digest.add(pair);
                    batch.put(Column::State, &key, &value);
                }
                None if before.is_some() => batch.delete(Column::State, &key),
                None => {}
            }
        }
        Ok(())
    }
}

impl Pending {
    fn value(&self) -> Option<&[u8]> {
        match (&self.now, &self.before) {
            (Now::Value(value) | Now::Counted(value, _), _)
            | (Now::Untouched, Before::Present(value)) => Some(value),
            _ => None,
        }
    }
}

/// The row in `value`, read under `key`.
pub(crate) fn decode<T: DeserializeOwned>(key: &Key, value: &[u8]) -> Result<T, Fault> {
    codec::decode(value).map_err(|source| Fault::Corrupt {
        column: Column::State,
        kind: key.kind(),
        source,
    })
}
