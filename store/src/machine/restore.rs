//! A backup on its way into a group that holds no wallets.
//!
//! The rows come as commands, so they are replicated, synced and acknowledged like everything else.
//! From the first step to the last the group is closed to everybody: nobody reads half a backup, and
//! nobody writes between its rows. Every step may be repeated. The last one compares number and
//! digest of what came with what the backup says.

use types::ids::GroupId;
use types::rejection::Rejection;

use super::apply::{self, Halt, refused};
use super::floor;
use super::view::View;
use crate::command::SystemReply;
use crate::digest::{PairHash, StateDigest};
use crate::journal::Fact;
use crate::keys::{Home, Key, KeyBytes};
use crate::rows::{self, BackupRow, ClusterRow, RestoreRow, SlotsRow, StandingRow};
use crate::snapshot::format;

/// A group that has seen more acts than this is not fresh.
const FRESH_ACTS: u64 = 4_096;

/// Refuses while the group is being restored.
pub(super) fn check_open(view: &mut View<'_>) -> Result<(), Halt> {
    match view.get::<RestoreRow>(&Key::Restore)? {
        Some(restore) if !restore.finished => Err(refused(
            "restoring",
            "a backup is being restored here: until it is finished, nothing else is done",
        )),
        _ => Ok(()),
    }
}

/// Closes a fresh group, and empties it of its few acts.
pub(super) fn begin(view: &mut View<'_>, backup: [u8; 32]) -> Result<SystemReply, Halt> {
    if view.group() == GroupId::SYSTEM {
        return Err(refused("wrong_group", "group 0 is the cluster's own and is not restored"));
    }
    if view.get::<ClusterRow>(&Key::Cluster)?.is_none() {
        return Err(refused("no_cluster", "there is no cluster yet: bootstrap one first"));
    }
    match view.get::<RestoreRow>(&Key::Restore)? {
        Some(restore) if restore.backup == backup => return Ok(so_far(&restore)),
        Some(_) => {
            return Err(refused(
                "not_empty",
                "another backup was restored into this group; restore into a fresh cluster",
            ));
        }
        None => {}
    }
    let standing = apply::standing(view)?;
    if standing.wallets > 0 || standing.leaves > FRESH_ACTS {
        return Err(refused(
            "not_empty",
            format!(
                "group {} holds {} wallets; restore into a fresh cluster",
                view.group(),
                standing.wallets
            ),
        ));
    }
    empty(view, &standing)?;
    let restore = RestoreRow {
        backup,
        rows: 0,
        digest: StateDigest::default(),
        last: Vec::new(),
        floors: 0,
        finished: false,
    };
    view.put(&Key::Restore, &restore);
    Ok(so_far(&restore))
}

/// Removes what acts leave behind: a backup brings its own.
fn empty(view: &mut View<'_>, standing: &StandingRow) -> Result<(), Halt> {
    for place in standing.receipts.first..standing.receipts.next {
        let (caller, request) = view.expect(&Key::ReceiptOrder(place))?;
        view.delete(&Key::Receipt(caller, request));
        view.delete(&Key::ReceiptOrder(place));
    }
    for leaf in 0..standing.leaves {
        view.delete(&Key::AuditLeaf(leaf));
    }
    for level in 1..64 - standing.leaves.leading_zeros() {
        for at in 0..standing.leaves >> level {
            view.delete(&Key::AuditNode(level as u8, at));
        }
    }
    view.delete(&Key::Standing);
    view.delete(&Key::Policy);
    Ok(())
}

/// Takes rows in, from number `first` of the backup's on. Those that are there already are passed over.
pub(super) fn take(
    view: &mut View<'_>,
    backup: [u8; 32],
    first: u64,
    bytes: &[u8],
) -> Result<SystemReply, Halt> {
    let mut restore = under_way(view, backup)?;
    let malformed = |message: String| refused("malformed", format!("these rows: {message}"));
    let parsed = format::parse_rows(bytes).map_err(|error| malformed(error.to_string()))?;
    let Some(passed) = restore.rows.checked_sub(first) else {
        return Err(refused(
            "restore_gap",
            format!("{} rows of the backup are here, and these begin at {first}", restore.rows),
        ));
    };
    let new = parsed.get(usize::try_from(passed).unwrap_or(usize::MAX)..).unwrap_or_default();
    let slots: SlotsRow = view.get(&Key::Slots)?.unwrap_or_default();
    let mut keys = Vec::with_capacity(new.len());
    for (key, value) in new {
        let bytes = KeyBytes::under(view.prefix(), key)
            .ok_or_else(|| malformed("a key is too long".into()))?;
        let (_, row) = Key::decode(&bytes).map_err(|error| malformed(error.to_string()))?;
        if restore.last.as_slice() >= *key || !row.is_restored() {
            return Err(malformed(format!("{} cannot stand there", row.kind())));
        }
        if row.home().is_some_and(|home: Home| !slots.hold(&home.wallet(), home.slot())) {
            return Err(Rejection::WrongGroup.into());
        }
        rows::check(&row, value).map_err(|error| malformed(format!("{}: {error}", row.kind())))?;
        restore.digest.add(PairHash::of(key, value));
        restore.last = key.to_vec();
        keys.push(row);
    }
    for (row, (_, value)) in keys.iter().zip(new) {
        view.put_bytes(row, value);
    }
    restore.rows = restore.rows.saturating_add(new.len() as u64);
    view.put(&Key::Restore, &restore);
    Ok(so_far(&restore))
}

/// Takes facts of the journal in that are newer than the rows.
pub(super) fn raise(
    view: &mut View<'_>,
    backup: [u8; 32],
    facts: &[Fact],
) -> Result<SystemReply, Halt> {
    let mut restore = under_way(view, backup)?;
    let slots: SlotsRow = view.get(&Key::Slots)?.unwrap_or_default();
    for fact in facts {
        let home = Home::of(fact.wallet());
        if !slots.hold(&home.wallet(), home.slot()) {
            return Err(Rejection::WrongGroup.into());
        }
        if !fact.is_whole() {
            return Err(refused("malformed", "a fact's links do not end with its members'"));
        }
    }
    for fact in facts {
        floor::raise(view, &mut restore, fact)?;
    }
    view.put(&Key::Restore, &restore);
    Ok(so_far(&restore))
}

/// Opens the group, if all that the backup has is here.
pub(super) fn finish(
    view: &mut View<'_>,
    backup: [u8; 32],
    rows: u64,
    digest: StateDigest,
) -> Result<SystemReply, Halt> {
    let mut restore = match view.get::<RestoreRow>(&Key::Restore)? {
        Some(restore) if restore.backup == backup && restore.finished => {
            return Ok(so_far(&restore));
        }
        _ => under_way(view, backup)?,
    };
    if restore.rows != rows || restore.digest != digest {
        return Err(refused(
            "restore_differs",
            format!(
                "{} rows with the digest {} are here, and the backup has {rows} with {digest}",
                restore.rows, restore.digest
            ),
        ));
    }
    restore.finished = true;
    view.put(&Key::Restore, &restore);
    Ok(so_far(&restore))
}

/// Notes that a backup was taken, or compared.
pub(super) fn note(
    view: &mut View<'_>,
    backup: [u8; 32],
    verified: bool,
    time_ms: u64,
) -> Result<SystemReply, Halt> {
    super::cluster::known(view)?;
    let key = Key::Backup(verified.into());
    let earlier = view.get::<BackupRow>(&key)?;
    if earlier.is_none_or(|earlier| earlier.time_ms < time_ms) {
        view.put(&key, &BackupRow { backup, time_ms });
    }
    Ok(SystemReply::Done)
}

fn under_way(view: &mut View<'_>, backup: [u8; 32]) -> Result<RestoreRow, Halt> {
    match view.get::<RestoreRow>(&Key::Restore)? {
        Some(restore) if restore.backup == backup && !restore.finished => Ok(restore),
        _ => Err(refused("not_restoring", "this backup is not being restored here: begin first")),
    }
}

fn so_far(restore: &RestoreRow) -> SystemReply {
    SystemReply::Restored { rows: restore.rows, finished: restore.finished }
}
