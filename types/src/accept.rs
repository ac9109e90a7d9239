//! Whether a commit may follow what is stored; heads are drawn in docs/formats.md, Head.
//!
//! Promises: the same answer on the server that stores it and on a client that wants to know beforehand;
//! nothing is read but the arguments. What is accepted continues the chain of heads, the chain of links and
//! every record's versions without a gap, under the generation of the wallet key that is due.
//!
//! Not here: signatures. Every key they need is in [`Accepted::membership`], and `seal` checks them.

use thiserror::Error;

use crate::commit::{Commit, CommitError, RecordHeader};
use crate::head::Head;
use crate::ids::{HeadHash, RecordId, WalletId};
use crate::link::{LinkPayload, SignedLink};
use crate::member::MemberKind;
use crate::membership::{LinkRefused, Membership};
use crate::rejection::Rejection;
use crate::root::Entries;
use crate::tree::Frontier;

/// What is held of a wallet.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// The present head.
    pub head: &'a Head,
    /// Its hash.
    pub head_hash: HeadHash,
    /// The tree over the hashes of heads 1 to `head.seq`, the present one included.
    pub history: &'a Frontier,
    /// The members after the present head's links.
    pub membership: &'a Membership,
    /// What the wallet holds.
    pub entries: &'a Entries,
}

/// What is held once the commit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The members after the commit's links.
    pub membership: Membership,
    /// What the wallet holds.
    pub entries: Entries,
    /// The tree over all head hashes, the new one included.
    pub history: Frontier,
    /// The commit's records, in its order.
    pub records: Vec<RecordHeader>,
    /// Those of them that were not there before. An id is never used again: whoever remembers removed
    /// records must see that none is among these.
    pub created: Vec<RecordId>,
}

/// Why a commit may not follow what is stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is no commit at all.
    #[error("the commit is malformed")]
    Shape(#[from] CommitError),
    /// It continues a wallet that is not stored here.
    #[error("no such wallet")]
    NotFound,
    /// It begins a wallet that is stored here.
    #[error("the wallet exists already")]
    Exists,
    /// It follows another head than the stored one.
    #[error(
        "the head has moved on: {named} is not the head, {found} (seq {found_seq}) is; pull and try again"
    )]
    Conflict {
        /// The head that it follows.
        named: HeadHash,
        /// The head that is stored.
        found: HeadHash,
        /// Its place.
        found_seq: u64,
    },
    /// The wallet has ended.
    #[error("the wallet was erased")]
    Erased,
    /// The head is another wallet's.
    #[error("the head names another wallet than its links or the stored head")]
    OtherWallet,
    /// The head's place does not follow from the head it continues.
    #[error("the head's sequence number must be {expected}")]
    Sequence {
        /// What it must be.
        expected: u64,
    },
    /// The head's history is not the tree over the heads before it.
    #[error("the head's history is not the tree over the heads before it")]
    History,
    /// A link may not follow.
    #[error("link {n} is refused")]
    Link {
        /// The number due at that place.
        n: u32,
        /// Why.
        #[source]
        why: LinkRefused,
    },
    /// The head names another end of the chain of links.
    #[error("the head's number of links and last link are not those of the chain")]
    Links,
    /// The first commit makes no wallet key.
    #[error("the first commit holds the genesis and the first rotation")]
    NoWalletKey,
    /// The signer is not a member after the commit's links.
    #[error("the head's signer is not an active member after the commit's links")]
    SignerInactive,
    /// The head or an envelope uses a suite that the wallet no longer admits.
    #[error("the suite is below the lowest that this wallet still admits")]
    SuiteTooLow,
    /// A record belongs to another wallet.
    #[error("record {id} is sealed for another wallet")]
    RecordWallet {
        /// The record.
        id: RecordId,
    },
    /// A record's version does not follow the stored one.
    #[error("record {id} has not the version that follows the stored one, which is {stored}")]
    RecordVersion {
        /// The record.
        id: RecordId,
        /// The version stored; 0 if there is none.
        stored: u64,
    },
    /// A record is sealed under another generation of the wallet key than is due.
    #[error("record {id} is not sealed under generation {due} of the wallet key; seal it again")]
    RecordGeneration {
        /// The record.
        id: RecordId,
        /// The generation due.
        due: u32,
    },
    /// A record is removed that is not there.
    #[error("record {id} is removed but not stored")]
    RemovedAbsent {
        /// The record.
        id: RecordId,
    },
    /// Records change while a revoked member still knows the wallet key.
    #[error("a member was revoked: rotate the wallet key before changing records")]
    RotationDue,
    /// The head's root is not the hash over what the wallet would hold.
    #[error("the head's root is not that of the stored records with the commit's changes")]
    Root,
    /// The root changes, or cannot be seen not to, under a signer or a link that must leave it.
    #[error(
        "only a device changes records, and an erasure changes none: sign on top of the stored head, as it is"
    )]
    RootNotLeft,
}

impl Refused {
    /// Whether a newer version of Holdfast could judge it.
    pub const fn is_update(&self) -> bool {
        matches!(self, Self::Shape(error) if error.is_update())
    }

    /// The lawful refusal that it is, if what is stored is to blame and not the commit: a caller can act on it.
    pub const fn rejection(&self) -> Option<Rejection> {
        Some(match *self {
            Self::NotFound => Rejection::NotFound,
            Self::Exists => Rejection::Exists,
            Self::Conflict { named, found, found_seq } => {
                Rejection::Conflict { named, found, found_seq }
            }
            Self::Erased => Rejection::Erased,
            Self::SignerInactive | Self::Link { why: LinkRefused::SignerInactive, .. } => {
                Rejection::MemberInactive
            }
            Self::RotationDue => Rejection::RotationDue,
            _ => return None,
        })
    }
}

/// Whether `commit` may follow `stored`, signatures excepted; and what is held then.
///
/// `stored` is `None` for a wallet that is not known: the commit begins it, or heals it from nothing.
///
/// # Errors
/// The first rule that the commit breaks.
pub fn accept(stored: Option<&Stored<'_>>, commit: &Commit) -> Result<Accepted, Refused> {
    let records = commit.check_shape()?;
    let mut history = check_place(stored, commit)?;
    let membership = check_links(stored, &commit.links)?;
    check_head(stored, commit, &membership)?;
    let entries = check_records(stored, commit, &records, &membership)?;
    history.append_heads([&commit.head.hash()]);
    let is_new = |id: &RecordId| stored.is_none_or(|stored| stored.entries.get(id).is_none());
    let created = records.iter().map(|record| record.header.id).filter(is_new).collect();
    Ok(Accepted { membership, entries, history, records, created })
}

/// The head follows the stored one and those between; gives the tree over all before it.
fn check_place(stored: Option<&Stored<'_>>, commit: &Commit) -> Result<Frontier, Refused> {
    let head = commit.head.head();
    if let Some(stored) = stored {
        check_stored(stored, commit)?;
    } else if head.seq > 1 && !commit.is_healing() {
        return Err(Refused::NotFound);
    }
    let before = commit.between.last().copied().or(stored.map(|stored| stored.head_hash));
    let conflict = |other: Refused| match stored {
        // Healing names no head of ours: whatever does not fit means that ours is not the one it was made for.
        Some(stored) if commit.is_healing() => conflict_with(stored, head),
        _ => other,
    };
    if before.unwrap_or(HeadHash::ZERO) != head.prev {
        return Err(match stored {
            Some(stored) => conflict_with(stored, head),
            None => Refused::History,
        });
    }
    let expected =
        stored.map_or(0, |stored| stored.head.seq).checked_add(1 + commit.between.len() as u64);
    if expected != Some(head.seq) {
        return Err(conflict(Refused::Sequence { expected: expected.unwrap_or(u64::MAX) }));
    }
    let mut history = stored.map_or(Frontier::EMPTY, |stored| stored.history.clone());
    history.append_heads(&commit.between);
    if history.root() != head.history {
        return Err(conflict(Refused::History));
    }
    Ok(history)
}

fn check_stored(stored: &Stored<'_>, commit: &Commit) -> Result<(), Refused> {
    let head = commit.head.head();
    if stored.membership.erased() {
        Err(Refused::Erased)
    } else if head.wallet != stored.membership.wallet() {
        Err(Refused::OtherWallet)
    } else if head.seq == 1 {
        Err(Refused::Exists)
    } else {
        Ok(())
    }
}

fn conflict_with(stored: &Stored<'_>, head: &Head) -> Refused {
    Refused::Conflict { named: head.prev, found: stored.head_hash, found_seq: stored.head.seq }
}

fn check_links(stored: Option<&Stored<'_>>, links: &[SignedLink]) -> Result<Membership, Refused> {
    let refused = |(n, why)| Refused::Link { n, why };
    let Some(stored) = stored else {
        return Membership::of_chain(links).map_err(refused);
    };
    let mut membership = stored.membership.clone();
    for link in links {
        let n = membership.links();
        membership.admit(link).map_err(|why| refused((n, why)))?;
    }
    Ok(membership)
}

fn check_head(
    stored: Option<&Stored<'_>>,
    commit: &Commit,
    membership: &Membership,
) -> Result<(), Refused> {
    let head = commit.head.head();
    if head.wallet != membership.wallet() {
        return Err(Refused::OtherWallet);
    }
    if head.links != membership.links() || head.link != membership.last_link() {
        return Err(Refused::Links);
    }
    if membership.generation() == 0 {
        return Err(Refused::NoWalletKey);
    }
    if head.suite < membership.min_suite() {
        return Err(Refused::SuiteTooLow);
    }
    let signer = membership.active(&head.signer).ok_or(Refused::SignerInactive)?;
    let erases = commit.links.iter().any(|link| link.link().payload == LinkPayload::Erase);
    // Such a head has the root of the head before it, and that head must be at hand to see it.
    let leaves_root = signer.member.kind() != MemberKind::Device || erases;
    let before = stored.filter(|_| !commit.is_healing()).map(|stored| stored.head.root);
    if leaves_root && before != Some(head.root) { Err(Refused::RootNotLeft) } else { Ok(()) }
}

fn check_records(
    stored: Option<&Stored<'_>>,
    commit: &Commit,
    records: &[RecordHeader],
    membership: &Membership,
) -> Result<Entries, Refused> {
    let nothing = Entries::EMPTY;
    let before = stored.map_or(&nothing, |stored| stored.entries);
    let oldest = match stored {
        Some(stored) if commit.is_healing() => stored.membership.generation(),
        None if commit.is_healing() => 0,
        _ => membership.generation(),
    };
    for record in records {
        check_record(record, membership, before, oldest, commit.is_healing())?;
    }
    if let Some(id) = commit.removed.iter().find(|id| before.get(id).is_none()) {
        return Err(Refused::RemovedAbsent { id: *id });
    }
    if membership.rotation_due() && !(records.is_empty() && commit.removed.is_empty()) {
        return Err(Refused::RotationDue);
    }
    let entries = before.with(records.iter().map(RecordHeader::entry), &commit.removed);
    if entries.root() == commit.head.head().root { Ok(entries) } else { Err(Refused::Root) }
}

/// How many versions of a record a healing commit may pass over: no device writes as many, and whoever
/// passes over more leaves none to come.
const VERSIONS_HEALED_MAX: u64 = 1 << 32;

fn check_record(
    record: &RecordHeader,
    membership: &Membership,
    before: &Entries,
    oldest: u32,
    healing: bool,
) -> Result<(), Refused> {
    let header = &record.header;
    let id = header.id;
    check_record_wallet(record, membership.wallet())?;
    if header.suite < membership.min_suite() {
        return Err(Refused::SuiteTooLow);
    }
    let stored = before.version(&id);
    let follows = if healing {
        header.version > stored && header.version - stored <= VERSIONS_HEALED_MAX
    } else {
        Some(header.version) == stored.checked_add(1)
    };
    if !follows {
        return Err(Refused::RecordVersion { id, stored });
    }
    let due = membership.generation();
    if (oldest..=due).contains(&header.generation) {
        Ok(())
    } else {
        Err(Refused::RecordGeneration { id, due })
    }
}

fn check_record_wallet(record: &RecordHeader, wallet: WalletId) -> Result<(), Refused> {
    let id = record.header.id;
    if record.header.wallet == wallet { Ok(()) } else { Err(Refused::RecordWallet { id }) }
}

#[cfg(test)]
mod tests;
