//! A push: the head moves, and everything it covers moves with it.
//!
//! The leader checked signatures, links, root and history against the head that the push names as
//! its base. Here that head is compared with the stored one, so what was checked still holds; what
//! only the state knows (receipts, slots, members, limits) is checked here, on every replica alike.

use types::head::Head;
use types::ids::{HeadHash, LinkHash};
use types::member::MemberKind;
use types::membership::Membership;
use types::rejection::Rejection;

use super::apply::{self, Halt, refused};
use super::view::View;
use super::{audit, floor, journal, locators, restore};
use crate::audit::AuditKind;
use crate::command::{Push, Reply};
use crate::fault::Fault;
use crate::keys::{Home, Key};
use crate::policy::Policy;
use crate::rows::{FloorRow, HeadHashRow, LinkRow, SlotsRow, WalletRow};

mod records;
mod trail;

/// What a push that is accepted goes on from.
struct Accepted {
    home: Home,
    /// The wallet as stored; none before the first push.
    stored: Option<WalletRow>,
    /// The members after the push.
    membership: Membership,
    /// What the push reaches, if the wallet was restored.
    floor: Option<FloorRow>,
    policy: Policy,
    totals: records::Totals,
}

/// Applies a push.
pub(super) fn apply(view: &mut View<'_>, push: &Push) -> Result<Reply, Halt> {
    let home = Home::of(push.wallet());
    if !view
        .get::<SlotsRow>(&Key::Slots)?
        .is_some_and(|slots| slots.hold(&home.wallet(), home.slot()))
    {
        return Err(Rejection::WrongGroup.into());
    }
    restore::check_open(view)?;
    let head = push.head.head();
    if !is_retry(view, home, push)? {
        let accepted = check(view, home, push)?;
        write(view, push, accepted)?;
    }
    Ok(Reply::Pushed { seq: head.seq, head: push.request() })
}

/// Whether this very push is part of the wallet already.
fn is_retry(view: &mut View<'_>, home: Home, push: &Push) -> Result<bool, Halt> {
    match view.get::<HeadHashRow>(&Key::HeadHash(home, push.head.head().seq))? {
        Some(earlier) if earlier.hash == push.request() => match earlier.content {
            Some(content) if content != push.content => Err(Rejection::RequestReused.into()),
            _ => Ok(true),
        },
        _ => Ok(false),
    }
}

fn check(view: &mut View<'_>, home: Home, push: &Push) -> Result<Accepted, Halt> {
    let stored: Option<WalletRow> = view.get(&Key::Wallet(home))?;
    let present = match &stored {
        Some(_) => Some(view.expect::<Membership>(&Key::Membership(home))?),
        None => None,
    };
    check_base(push, stored.as_ref(), present.as_ref())?;
    check_chain(push, stored.as_ref())?;
    let floor = floor::of(view, home)?;
    if let Some(floor) = &floor {
        floor::check(push, stored.as_ref(), floor)?;
    }
    let policy = apply::policy(view)?;
    if !push.links.is_empty() && push.head.head().links > policy.wallet_links {
        return Err(quota("links", policy.wallet_links.into()));
    }
    let membership = push
        .membership
        .clone()
        .or(present)
        .ok_or_else(|| malformed("a first push without links"))?;
    check_signer(push, stored.as_ref(), &membership, &policy)?;
    let totals = records::check(view, home, push, stored.as_ref(), &policy)?;
    Ok(Accepted { home, stored, membership, floor, policy, totals })
}

/// The push must have been checked against what is stored.
fn check_base(
    push: &Push,
    stored: Option<&WalletRow>,
    present: Option<&Membership>,
) -> Result<(), Halt> {
    let (stored, named) = match (stored, push.base) {
        (None, None) if push.data_key.is_some() => return Ok(()),
        (None, None) => return Err(malformed("a first push without a data key")),
        (None, Some(_)) => return Err(Rejection::NotFound.into()),
        (Some(_), _) if present.is_some_and(Membership::erased) => {
            return Err(Rejection::Erased.into());
        }
        (Some(_), None) => return Err(Rejection::Exists.into()),
        (Some(stored), Some(named)) => (stored, named),
    };
    let found = stored.head.hash();
    if named.head != found || named.link != stored.head.head().link {
        return Err(Rejection::Conflict {
            named: named.head,
            found,
            found_seq: stored.head.head().seq,
        }
        .into());
    }
    Ok(())
}

/// The head and its links must continue what is stored, without a gap.
fn check_chain(push: &Push, stored: Option<&WalletRow>) -> Result<(), Halt> {
    let head = push.head.head();
    let below = stored.map(|row| (row.head.hash(), row.head.head()));
    let (hash, seq, links, link) = match below {
        Some((hash, below)) => (hash, below.seq, below.links, below.link),
        None => (HeadHash::ZERO, 0, 0, LinkHash::ZERO),
    };
    let prev = push.between.last().copied().unwrap_or(hash);
    if head.prev != prev || seq.checked_add(1 + push.between.len() as u64) != Some(head.seq) {
        return Err(malformed("the head does not follow the one it was checked against"));
    }
    let numbered = push.links.iter().zip(links..).all(|(link, n)| link.n == n);
    let last = push.links.last().map_or(link, |link| link.hash);
    if !numbered || head.links as usize != links as usize + push.links.len() || head.link != last {
        return Err(malformed("the links do not follow the stored ones up to the head's"));
    }
    let as_told =
        |members: &Membership| members.links() == head.links && members.last_link() == head.link;
    if push.membership.is_some() == push.links.is_empty()
        || !push.membership.as_ref().is_none_or(as_told)
    {
        return Err(malformed("the members are not those after its links"));
    }
    Ok(())
}

/// Who signs must be a member after the push, and may write only while no rotation is due.
fn check_signer(
    push: &Push,
    stored: Option<&WalletRow>,
    members: &Membership,
    policy: &Policy,
) -> Result<(), Halt> {
    let signer = members.active(&push.head.head().signer).ok_or(Rejection::MemberInactive)?;
    if members.rotation_due() && !(push.records.is_empty() && push.removed.is_empty()) {
        return Err(Rejection::RotationDue.into());
    }
    let trail = stored.map_or(0, |row| row.trail.len());
    if signer.member.kind() != MemberKind::Device && trail >= policy.trail_heads as usize {
        return Err(quota("heads since one that a device signed", policy.trail_heads.into()));
    }
    Ok(())
}

fn write(view: &mut View<'_>, push: &Push, accepted: Accepted) -> Result<(), Fault> {
    let Accepted { home, stored, membership, floor, policy, totals } = accepted;
    let mut standing = apply::standing(view)?;
    let time_ms = apply::advance(&mut standing, push.time_ms);
    let head = push.head.head();
    let first_link = stored.as_ref().map_or(0, |row| row.head.head().links);

    if let (None, Some(data_key)) = (&stored, &push.data_key) {
        view.put_new(&Key::DataKey(home), data_key);
        standing.wallets += 1;
    }
    for link in &push.links {
        view.put_new(
            &Key::Link(home, link.n),
            &LinkRow { hash: link.hash, sealed: link.sealed.clone() },
        );
    }
    if push.membership.is_some() {
        view.put(&Key::Membership(home), &membership);
        locators::index(view, home.wallet(), &membership, first_link)?;
        journal::note(view, home.wallet(), first_link, membership.links())?;
    }
    if floor.is_some() {
        floor::reached(view, home)?;
    }

    let mut row = next_row(push, stored.as_ref(), time_ms);
    let by_device = membership
        .active(&head.signer)
        .is_some_and(|signer| signer.member.kind() == MemberKind::Device);
    trail::follow(view, home, &mut row, stored.as_ref(), by_device);
    note_heads(view, home, push, &mut row);
    records::write(view, home, push, &mut row, totals, &policy)?;
    view.put(&Key::Wallet(home), &row);

    audit::record(view, &mut standing, AuditKind::Push, &push.leaf)?;
    view.put(&Key::Standing, &standing);
    Ok(())
}

fn next_row(push: &Push, stored: Option<&WalletRow>, time_ms: u64) -> WalletRow {
    match stored {
        Some(stored) => WalletRow { head: push.head, updated_ms: time_ms, ..stored.clone() },
        None => WalletRow {
            head: push.head,
            history: Default::default(),
            trail: Vec::new(),
            records: 0,
            bytes: 0,
            tombstones: Default::default(),
            forgotten: 0,
            created_ms: time_ms,
            updated_ms: time_ms,
        },
    }
}

/// Keeps the hash of every head: clients prove descent by them, and they are the receipts of pushes.
fn note_heads(view: &mut View<'_>, home: Home, push: &Push, row: &mut WalletRow) {
    let Head { seq, .. } = *push.head.head();
    let first = seq - push.between.len() as u64;
    for (seq, hash) in (first..).zip(&push.between) {
        view.put_new(&Key::HeadHash(home, seq), &HeadHashRow { hash: *hash, content: None });
    }
    row.history.append_heads(&push.between);
    let receipt = HeadHashRow { hash: push.request(), content: Some(push.content) };
    view.put_new(&Key::HeadHash(home, seq), &receipt);
    row.history.append_heads([&receipt.hash]);
}

fn quota(what: &str, limit: u64) -> Halt {
    Rejection::QuotaFull { what: what.into(), limit }.into()
}

/// A push that no honest leader proposes. Refused on every replica alike.
fn malformed(message: &str) -> Halt {
    refused("malformed", format!("the push is malformed: {message}"))
}
