//! Whether a pull may be taken over: every rule, every signature, every body.
//!
//! Promises: what [`verify`] returns was signed by members of this wallet, descends from what this
//! device has seen, is complete, and opens. The rules are `types::follow`'s, the same code as on the
//! server; signatures and seals are checked here.

use std::collections::BTreeMap;

use seal::MemberKeys;
use types::{
    Entries, FollowRefused, Followed, Membership, SignedHead, SignedLink,
    commit::RecordHeader,
    follow,
    follow::{Pulled, PulledEntries},
    ids::{HeadHash, MemberId, RecordId, WalletId},
};

use super::{Violation, keyring::Keyring, received::Received};
use crate::{
    error::{ClientError, Refusal},
    local::{Fresh, Known},
};

/// A pull that may be taken over.
pub(crate) struct Verified {
    pub(crate) known: Known,
    /// Links that are new to this device.
    pub(crate) links: Vec<SignedLink>,
    /// Hashes of heads that are new to this device, the present one last.
    pub(crate) head_hashes: Vec<HeadHash>,
    pub(crate) fresh: Vec<Fresh>,
    pub(crate) removed: Vec<RecordId>,
}

/// A pull that follows from what is held, with every signature: all that can be said without a wallet key.
pub(crate) struct Checked<'a> {
    pulled: Pulled,
    followed: Followed,
    bodies: BTreeMap<RecordId, (RecordHeader, &'a [u8])>,
}

/// Checks a pull of `wallet` against what is held, as far as that goes without opening anything.
pub(crate) fn check<'a>(
    wallet: WalletId,
    held: Option<&Known>,
    member: &MemberId,
    received: &'a Received,
) -> Result<Checked<'a>, ClientError> {
    if received.head.head().wallet != wallet {
        return Err(Violation::from(FollowRefused::OtherWallet).into());
    }
    let mut bodies = BTreeMap::new();
    for envelope in &received.envelopes {
        let record = RecordHeader::parse(envelope).map_err(Violation::from)?;
        if bodies.insert(record.header.id, (record, envelope.as_slice())).is_some() {
            return Err(Violation::Malformed("a record is given twice").into());
        }
    }
    let pulled = pulled(received, bodies.values().map(|(record, _)| record))?;
    let stored = held.map(Known::stored);
    let followed = follow(stored.as_ref(), &pulled).map_err(Violation::from)?;
    check_signatures(held, &pulled, &followed.membership)?;
    if followed.membership.active(member).is_none() {
        return Err(Refusal::NotActive(*member).into());
    }
    Ok(Checked { pulled, followed, bodies })
}

/// Checks a pull of `wallet` against what is held, and opens it as `member`.
pub(crate) fn verify(
    wallet: WalletId,
    held: Option<&Known>,
    held_links: &[SignedLink],
    member: &dyn MemberKeys,
    received: &Received,
) -> Result<Verified, ClientError> {
    let checked = check(wallet, held, &member.id(), received)?;
    let links = Links {
        all: held_links.iter().chain(&checked.pulled.links).cloned().collect(),
        fresh: checked.pulled.links.len(),
    };
    let fresh = open_bodies(wallet, &checked.followed, &links, member, &checked.bodies)?;
    let nothing = Entries::EMPTY;
    let before = held.map_or(&nothing, |held| &held.entries);
    let after = &checked.followed.entries;
    let removed = before.as_slice().iter().map(|entry| entry.id);
    let removed = removed.filter(|id| after.get(id).is_none()).collect();
    let mut head_hashes = checked.pulled.between.clone();
    if held.is_none_or(|held| held.head.hash() != checked.pulled.head.hash()) {
        head_hashes.push(checked.pulled.head.hash());
    }
    let (known, links) = checked.known();
    Ok(Verified { known, links, head_hashes, fresh, removed })
}

impl Checked<'_> {
    /// What is known now, and the links that are new.
    pub(crate) fn known(self) -> (Known, Vec<SignedLink>) {
        let Followed { membership, entries, history, .. } = self.followed;
        let known = Known { head: self.pulled.head, frontier: history, membership, entries };
        (known, self.pulled.links)
    }
}

/// The pull as the rules take it.
fn pulled<'a>(
    received: &Received,
    records: impl Iterator<Item = &'a RecordHeader>,
) -> Result<Pulled, Violation> {
    let mut between = received.head_hashes.clone();
    // Where the last hash is not the head's, the rules will call it a fork.
    between.pop_if(|last| *last == received.head.hash());
    let entries = match &received.entries {
        Some(entries) => PulledEntries::All(Entries::from_sorted(entries.clone())?),
        None => PulledEntries::Changes {
            changed: Entries::from_sorted(records.map(RecordHeader::entry).collect())?,
            removed: received.removed.clone(),
        },
    };
    Ok(Pulled {
        head: received.head,
        between,
        links: received.links.clone(),
        entries,
        trail: received.trail.clone(),
    })
}

/// Every signature on new links, on the head, and on the trail, heads by the members of their own time.
fn check_signatures(
    held: Option<&Known>,
    pulled: &Pulled,
    after: &Membership,
) -> Result<(), Violation> {
    for link in &pulled.links {
        let n = link.link().n;
        seal::verify_link(after, link).map_err(|why| Violation::LinkSignature { n, why })?;
    }
    check_head(after, &pulled.head)?;
    for head in &pulled.trail {
        // A trail that reaches back before what is held is not what was asked for.
        let then = membership_after(held, &pulled.links, head.head().links);
        check_head(&then.ok_or(FollowRefused::Links)?, head)?;
    }
    Ok(())
}

fn check_head(membership: &Membership, head: &SignedHead) -> Result<(), Violation> {
    seal::verify_head(membership, head)
        .map_err(|why| Violation::HeadSignature { seq: head.head().seq, why })
}

/// The membership after the first `count` links, if that is what is held or later.
fn membership_after(held: Option<&Known>, links: &[SignedLink], count: u32) -> Option<Membership> {
    let (mut membership, rest) = match held {
        Some(held) => (held.membership.clone(), links),
        None => {
            let (genesis, rest) = links.split_first()?;
            (Membership::genesis(genesis).ok()?, rest)
        }
    };
    for link in rest.iter().take_while(|link| link.link().n < count) {
        membership.admit(link).ok()?;
    }
    (membership.links() == count).then_some(membership)
}

struct Links {
    all: Vec<SignedLink>,
    /// How many of them, at the end, are new.
    fresh: usize,
}

/// Opens the bodies that are new to the holder; none may be missing. New wallet keys are opened too,
/// even if nothing is sealed under them yet: a key that does not open must not be found too late.
fn open_bodies(
    wallet: WalletId,
    followed: &Followed,
    links: &Links,
    member: &dyn MemberKeys,
    bodies: &BTreeMap<RecordId, (RecordHeader, &[u8])>,
) -> Result<Vec<Fresh>, Violation> {
    let mut sealed = Vec::new();
    for entry in followed.new_bodies() {
        let (_, envelope) = bodies.get(&entry.id).ok_or(Violation::Withheld(entry.id))?;
        let record = followed.check_body(&entry.id, envelope)?;
        sealed.push((*entry, record.header.generation, *envelope));
    }
    if sealed.is_empty() && links.fresh == 0 {
        return Ok(Vec::new());
    }
    // Who sees the wallet for the first time walks the whole history of its keys.
    let first_time = links.fresh == links.all.len();
    let oldest = if first_time {
        Some(1)
    } else {
        sealed.iter().map(|(_, generation, _)| *generation).min()
    };
    let keyring = Keyring::open(member, wallet, &links.all, oldest.unwrap_or(u32::MAX))?;
    sealed
        .into_iter()
        .map(|(entry, generation, envelope)| {
            let key = keyring.get(generation).ok_or(Violation::Key { generation })?;
            let data = key
                .open_record(&entry.id, entry.version, envelope)
                .map_err(|_| Violation::Body(entry.id))?;
            Ok(Fresh { entry, data })
        })
        .collect()
}
