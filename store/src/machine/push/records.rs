//! The records of a push: versions, limits, bodies, tombstones.

use types::layout::strictly_ascending;

use super::{Halt, malformed, quota};
use crate::command::{Push, RecordWrite};
use crate::fault::Fault;
use crate::keys::{Home, Key};
use crate::machine::view::View;
use crate::policy::Policy;
use crate::rows::{EntryRow, RemovalRow, TombstoneRow, WalletRow};

/// What a wallet holds after a push.
pub(super) struct Totals {
    records: u64,
    bytes: u64,
}

/// Holds the records of a push against the stored ones and the limits.
pub(super) fn check(
    view: &mut View<'_>,
    home: Home,
    push: &Push,
    stored: Option<&WalletRow>,
    policy: &Policy,
) -> Result<Totals, Halt> {
    check_lists(push)?;
    let (mut come, mut gone) = (Totals { records: 0, bytes: 0 }, Totals { records: 0, bytes: 0 });
    for record in &push.records {
        let entry = view.get::<EntryRow>(&Key::Entry(home, record.id))?;
        check_version(view, home, push, record, entry.as_ref())?;
        come.records += u64::from(entry.is_none());
        come.bytes += u64::from(record.size);
        gone.bytes += entry.map_or(0, |entry| entry.size.into());
    }
    for id in &push.removed {
        let entry = view.get::<EntryRow>(&Key::Entry(home, *id))?;
        let entry = entry.ok_or_else(|| malformed("it removes a record that is not there"))?;
        gone.records += 1;
        gone.bytes += u64::from(entry.size);
    }

    let before = stored.map_or(Totals { records: 0, bytes: 0 }, |row| Totals {
        records: row.records.into(),
        bytes: row.bytes,
    });
    let total = |before: u64, come: u64, gone: u64| {
        let group = view.group();
        (before + come)
            .checked_sub(gone)
            .ok_or(Fault::Inconsistent { group, what: "a wallet's number of records or bytes" })
    };
    let records = total(before.records, come.records, gone.records)?;
    let bytes = total(before.bytes, come.bytes, gone.bytes)?;
    // A wallet over a limit that was lowered may still shrink.
    if records > policy.wallet_records.into() && records > before.records {
        return Err(quota("records", policy.wallet_records.into()));
    }
    if bytes > policy.wallet_bytes && bytes > before.bytes {
        return Err(quota("bytes", policy.wallet_bytes));
    }
    Ok(Totals { records, bytes })
}

fn check_lists(push: &Push) -> Result<(), Halt> {
    let written = push.records.iter().map(|record| record.id);
    let sorted = strictly_ascending("push", "records", written)
        .and_then(|()| strictly_ascending("push", "removed records", &push.removed));
    let disjoint = push
        .removed
        .iter()
        .all(|id| push.records.binary_search_by_key(id, |record| record.id).is_err());
    if sorted.is_err() || !disjoint {
        return Err(malformed(
            "its records are not strictly ascending, or one is both written and removed",
        ));
    }
    Ok(())
}

fn check_version(
    view: &mut View<'_>,
    home: Home,
    push: &Push,
    record: &RecordWrite,
    entry: Option<&EntryRow>,
) -> Result<(), Halt> {
    let stored = entry.map_or(0, |entry| entry.version);
    let healing = !push.between.is_empty();
    // Not `stored + 1`: a healed version may be the greatest there is.
    let follows = if healing {
        record.version > stored
    } else {
        record.version.checked_sub(1) == Some(stored)
    };
    if !follows {
        return Err(malformed("a record's version does not follow the stored one"));
    }
    if entry.is_none() && view.get::<TombstoneRow>(&Key::Tombstone(home, record.id))?.is_some() {
        return Err(malformed("the id of a removed record is used again"));
    }
    Ok(())
}

/// Writes the records of a push and counts them into `row`.
pub(super) fn write(
    view: &mut View<'_>,
    home: Home,
    push: &Push,
    row: &mut WalletRow,
    totals: Totals,
    policy: &Policy,
) -> Result<(), Fault> {
    let seq = push.head.head().seq;
    for record in &push.records {
        let RecordWrite { id, version, body_hash, size, sealed } = record;
        let former = view.get::<EntryRow>(&Key::Entry(home, *id))?.map(|entry| entry.body);
        let body = view.put_body(&Key::Body(home, *id), sealed, former);
        let entry = EntryRow { version: *version, body_hash: *body_hash, size: *size, seq, body };
        view.put(&Key::Entry(home, *id), &entry);
    }
    for id in &push.removed {
        let former: EntryRow = view.expect(&Key::Entry(home, *id))?;
        view.delete_body(&Key::Body(home, *id), former.body);
        view.delete(&Key::Entry(home, *id));
        bury(view, home, row, RemovalRow { record: *id, seq }, policy)?;
    }
    // Bounded by the policy, whose limit of records has 32 bits; or falling from a value that was.
    row.records = totals.records as u32;
    row.bytes = totals.bytes;
    Ok(())
}

fn bury(
    view: &mut View<'_>,
    home: Home,
    row: &mut WalletRow,
    removal: RemovalRow,
    policy: &Policy,
) -> Result<(), Fault> {
    let place = row.tombstones.push();
    view.put(&Key::Tombstone(home, removal.record), &TombstoneRow { place });
    view.put_new(&Key::TombstoneOrder(home, place), &removal);
    for oldest in row.tombstones.trim(policy.tombstones.into()) {
        let RemovalRow { record, seq } = view.expect(&Key::TombstoneOrder(home, oldest))?;
        row.forgotten = row.forgotten.max(seq);
        view.delete(&Key::TombstoneOrder(home, oldest));
        view.delete(&Key::Tombstone(home, record));
    }
    Ok(())
}
