//! What a wallet's links took away before its cluster was lost stays taken away after a restore.
//!
//! A backup may be older than the last revocation. The journal is not: what it tells beyond the
//! backup becomes the wallet's floor. Under a floor a push must be signed by somebody whom the floor
//! knows as active, and must bring the very links that the floor knows of, so that only a chain that
//! goes through them is accepted; then the floor is reached, and gone.

use types::ids::LinkHash;
use types::membership::Membership;
use types::rejection::Rejection;

use super::apply::{Halt, refused};
use super::view::View;
use super::{journal, locators};
use crate::command::Push;
use crate::fault::Fault;
use crate::journal::Fact;
use crate::keys::{Home, Key};
use crate::rows::{FloorRow, RestoreRow, WalletRow};

/// The floor of a wallet, if it has one.
pub(super) fn of(view: &mut View<'_>, home: Home) -> Result<Option<FloorRow>, Fault> {
    // Only a group that was restored has floors; the others are spared a look for each wallet.
    match view.get::<RestoreRow>(&Key::Restore)? {
        Some(restore) if restore.floors > 0 => view.get(&Key::Floor(home)),
        _ => Ok(None),
    }
}

/// Refuses a push that would end before the floor, or that the floor's members would not make.
pub(super) fn check(push: &Push, stored: Option<&WalletRow>, floor: &FloorRow) -> Result<(), Halt> {
    let known = &floor.membership;
    if known.erased() {
        return Err(Rejection::Erased.into());
    }
    let signer = push.head.head().signer;
    if known.member(&signer).is_some_and(|member| !member.is_active()) {
        return Err(Rejection::MemberInactive.into());
    }
    let covered = stored.map_or(0, |row| row.head.head().links);
    let place = known.links().saturating_sub(covered).checked_sub(1);
    let brought = place.and_then(|place| push.links.get(place as usize));
    if brought.is_none_or(|link| link.hash != known.last_link()) {
        return Err(refused(
            "behind_journal",
            format!(
                "this wallet was restored from a backup, and its links had gone further: {} of them \
                 were acknowledged; push from a device that knows them all",
                known.links()
            ),
        ));
    }
    Ok(())
}

/// Takes the floor away that a push has reached.
pub(super) fn reached(view: &mut View<'_>, home: Home) -> Result<(), Fault> {
    let mut restore: RestoreRow = view.expect(&Key::Restore)?;
    restore.floors = restore.floors.saturating_sub(1);
    view.put(&Key::Restore, &restore);
    view.delete(&Key::Floor(home));
    Ok(())
}

/// Brings one fact in, if it knows of more links than is known here.
pub(super) fn raise(
    view: &mut View<'_>,
    restore: &mut RestoreRow,
    fact: &Fact,
) -> Result<(), Halt> {
    let home = Home::of(fact.wallet());
    let stored: Option<WalletRow> = view.get(&Key::Wallet(home))?;
    let covered = stored.as_ref().map_or(0, |row| row.head.head().links);
    let floor: Option<FloorRow> = view.get(&Key::Floor(home))?;
    let known = floor.as_ref().map_or(covered, |floor| floor.membership.links());
    if fact.membership.links() <= known.max(covered) {
        return Ok(());
    }
    if fact.first > known {
        return Err(refused(
            "journal_gap",
            format!(
                "the journal tells of wallet {} from link {} on, and {known} are known: a part of \
                 the journal is missing",
                fact.wallet(),
                fact.first
            ),
        ));
    }
    let links = joined(fact, floor.as_ref(), covered);
    let below = stored.as_ref().map_or(LinkHash::ZERO, |row| row.head.head().link);
    check_ground(view, fact, covered, below, home)?;
    if floor.is_none() {
        restore.floors = restore.floors.saturating_add(1);
    }
    let data_key = fact.data_key.clone();
    let membership: Membership = fact.membership.clone();
    locators::index(view, home.wallet(), &membership, known)?;
    journal::note(view, home.wallet(), covered, membership.links())?;
    view.put(&Key::Floor(home), &FloorRow { membership, links, data_key });
    Ok(())
}

/// The links that the head does not cover: those that the floor had, then those that the fact adds.
fn joined(fact: &Fact, floor: Option<&FloorRow>, covered: u32) -> Vec<crate::rows::LinkRow> {
    let before = floor.map_or(&[][..], |floor| &floor.links);
    let kept = fact.first.saturating_sub(covered) as usize;
    let passed = covered.saturating_sub(fact.first) as usize;
    before.iter().take(kept).chain(fact.links.iter().skip(passed)).cloned().collect()
}

/// Where the fact and the backup both know the link that the head ends with, it is the same.
fn check_ground(
    view: &mut View<'_>,
    fact: &Fact,
    covered: u32,
    below: LinkHash,
    home: Home,
) -> Result<(), Halt> {
    let shared = covered.checked_sub(1).and_then(|last| last.checked_sub(fact.first));
    let told = shared.and_then(|place| fact.links.get(place as usize));
    match told {
        Some(link) if link.hash != below => Err(refused(
            "journal_foreign",
            format!("the journal's links of wallet {} are not the backup's", home.wallet()),
        )),
        _ if view.get::<Membership>(&Key::Membership(home))?.is_some_and(|members| {
            members.generation() > fact.membership.generation() || members.erased()
        }) =>
        {
            Err(refused(
                "journal_foreign",
                format!("the journal of wallet {} goes back behind the backup", home.wallet()),
            ))
        }
        _ => Ok(()),
    }
}
