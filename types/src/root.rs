//! The root: one hash over everything that a wallet holds.
//!
//! ```text
//! entry    = id 16 ‖ version u64 ‖ body_hash 32, sorted by id
//! bucket_b = H("holdfast/1 bucket", b u8 ‖ entries with id[0] = b), b = 0..255
//! root     = H("holdfast/1 root", count u32 ‖ bucket_0 ‖ … ‖ bucket_255)
//! ```

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::hash::tagged;
use crate::ids::{BodyHash, RecordId, Root};
use crate::layout::{FormatError, Problem, Writer, strictly_ascending};

/// What a wallet holds under one record id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The record.
    pub id: RecordId,
    /// Its version: 1, then one more each change.
    pub version: u64,
    /// The hash of its envelope.
    pub body_hash: BodyHash,
}

impl Entry {
    /// Length in bytes.
    pub const LEN: usize = 56;

    /// The layout.
    pub fn encode(&self) -> Vec<u8> {
        self.write(Writer::with_capacity(Self::LEN)).finish()
    }

    fn write(&self, writer: Writer) -> Writer {
        writer.bytes(self.id).u64(self.version).bytes(self.body_hash)
    }
}

/// The entries of a wallet, strictly ascending by id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Entry>", into = "Vec<Entry>")]
pub struct Entries(Vec<Entry>);

/// The number of buckets.
pub const BUCKETS: usize = 256;

impl Entries {
    /// No entries.
    pub const EMPTY: Self = Self(Vec::new());

    /// These entries, if they are strictly ascending by id and have versions.
    pub fn from_sorted(entries: Vec<Entry>) -> Result<Self, FormatError> {
        strictly_ascending("entries", "record ids", entries.iter().map(|entry| entry.id))?;
        match entries.iter().position(|entry| entry.version == 0) {
            Some(at) => Err(FormatError::new(
                "entries",
                at * Entry::LEN,
                Problem::Zero { field: "version" },
            )),
            None => Ok(Self(entries)),
        }
    }

    /// The entry of a record.
    pub fn get(&self, id: &RecordId) -> Option<&Entry> {
        self.0.binary_search_by_key(id, |entry| entry.id).ok().and_then(|at| self.0.get(at))
    }

    /// The version of a record; 0 if it is absent.
    pub fn version(&self, id: &RecordId) -> u64 {
        self.get(id).map_or(0, |entry| entry.version)
    }

    /// All of them, ascending by id.
    pub fn as_slice(&self) -> &[Entry] {
        &self.0
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These entries after a change: `changed` put in, `removed` taken out.
    #[must_use]
    pub fn with<'a>(
        &self,
        changed: impl IntoIterator<Item = Entry>,
        removed: impl IntoIterator<Item = &'a RecordId>,
    ) -> Self {
        let mut entries: std::collections::BTreeMap<_, _> =
            self.0.iter().map(|entry| (entry.id, *entry)).collect();
        for id in removed {
            entries.remove(id);
        }
        entries.extend(changed.into_iter().map(|entry| (entry.id, entry)));
        Self(entries.into_values().collect())
    }

    /// The hash over all of them.
    pub fn root(&self) -> Root {
        let mut rest = self.0.as_slice();
        let buckets = std::array::from_fn(|bucket| {
            let len = rest.partition_point(|entry| usize::from(entry.id.as_bytes()[0]) == bucket);
            let (entries, after) = rest.split_at(len);
            rest = after;
            bucket_hash(bucket as u8, entries) // Below 256, the number of buckets.
        });
        root_of_buckets(self.0.len(), &buckets)
    }
}

/// Most wallets leave most buckets empty, and a root is taken with every change.
static EMPTY_BUCKETS: LazyLock<[[u8; 32]; BUCKETS]> =
    LazyLock::new(|| std::array::from_fn(|bucket| hash_bucket(bucket as u8, &[])));

/// The hash of one bucket: the entries, ascending, whose ids begin with `bucket`.
pub fn bucket_hash(bucket: u8, entries: &[Entry]) -> [u8; 32] {
    if entries.is_empty() {
        return EMPTY_BUCKETS[usize::from(bucket)];
    }
    hash_bucket(bucket, entries)
}

fn hash_bucket(bucket: u8, entries: &[Entry]) -> [u8; 32] {
    let writer = Writer::with_capacity(1 + entries.len() * Entry::LEN).u8(bucket);
    let bytes = entries.iter().fold(writer, |writer, entry| entry.write(writer)).finish();
    tagged("holdfast/1 bucket", &[&bytes])
}

/// The root of `count` entries whose buckets hash to `buckets`. For whoever keeps the buckets' hashes and
/// changes few of them.
pub fn root_of_buckets(count: usize, buckets: &[[u8; 32]; BUCKETS]) -> Root {
    // Limits keep a wallet far below 2³² records; a larger count could match no head.
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    Root::from_bytes(tagged("holdfast/1 root", &[&count.to_be_bytes(), buckets.as_flattened()]))
}

impl TryFrom<Vec<Entry>> for Entries {
    type Error = FormatError;

    fn try_from(entries: Vec<Entry>) -> Result<Self, FormatError> {
        Self::from_sorted(entries)
    }
}

impl From<Entries> for Vec<Entry> {
    fn from(entries: Entries) -> Self {
        entries.0
    }
}

#[cfg(test)]
mod tests;
