//! Whether what a server gives in a pull may follow what a client holds; heads are drawn in docs/formats.md, Head.
//!
//! Promises: what is followed descends from what was held, by a history that contains it; links and members
//! are authorised by the same code as on the server; no record went back to an older version, changed
//! without a new one, or changed under a signer that may not. Each refusal names the attack.
//!
//! Not here: signatures of links, head and trail (every key they need is in [`Followed::membership`]), and
//! opening what is sealed.

use thiserror::Error;

use crate::accept::Stored;
use crate::commit::RecordHeader;
use crate::head::{Head, SignedHead};
use crate::ids::{HeadHash, LinkHash, RecordId};
use crate::layout::FormatError;
use crate::link::{LinkPayload, SignedLink};
use crate::member::MemberKind;
use crate::membership::{LinkRefused, Membership};
use crate::root::{Entries, Entry};
use crate::tree::Frontier;

/// What a server says the wallet is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The present head.
    pub head: SignedHead,
    /// The heads between the one held and the present one, the oldest first.
    pub between: Vec<HeadHash>,
    /// The links after those held.
    pub links: Vec<SignedLink>,
    /// What there is to know about records.
    pub entries: PulledEntries,
    /// If the present head is not signed by a device: the heads before it, the newest first, back to one
    /// signed by a device or to the one held.
    pub trail: Vec<SignedHead>,
}

/// Entries as a pull gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PulledEntries {
    /// What changed. It may repeat entries held, and name removed ids never had.
    Changes {
        /// New and changed entries.
        changed: Entries,
        /// Removed records.
        removed: Vec<RecordId>,
    },
    /// Everything, because the cursor was too old.
    All(Entries),
}

/// What is held after a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The members.
    pub membership: Membership,
    /// What the wallet holds.
    pub entries: Entries,
    /// The tree over all head hashes, the present one included.
    pub history: Frontier,
    /// Whether the present head comes right after the one held: then every changed record is sealed under
    /// the current generation.
    adjacent: bool,
    /// What was held before, to tell which bodies are new.
    before: Entries,
}

/// Why a pull is refused: what the server, or somebody through it, tried.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FollowRefused {
    /// The head is older than the one held.
    #[error("rollback: the server shows head {found}, this device has seen head {held}")]
    Rollback {
        /// The place of the head shown.
        found: u64,
        /// The place of the head held.
        held: u64,
    },
    /// The head does not descend from the one held.
    #[error("fork: the head does not descend from the one this device has seen")]
    Fork,
    /// The head is another wallet's.
    #[error("swapped wallet: the head belongs to another wallet")]
    OtherWallet,
    /// A link may not follow.
    #[error("forged membership: link {n} is refused")]
    Link {
        /// The number due at that place.
        n: u32,
        /// Why.
        #[source]
        why: LinkRefused,
    },
    /// The head names another end of the chain of links.
    #[error("forged membership: the head's links are not those of the chain")]
    Links,
    /// There is no wallet key.
    #[error("forged membership: the wallet has no key yet")]
    NoWalletKey,
    /// The signer of a head was not a member then.
    #[error("forged head: head {seq} is signed by somebody who was not an active member")]
    SignerInactive {
        /// Its place.
        seq: u64,
    },
    /// The head or a body uses a suite that the wallet no longer admits.
    #[error("downgrade: the suite is below the lowest that this wallet still admits")]
    SuiteTooLow,
    /// Records change where they must not.
    #[error("forged change: records change in a head that must leave them")]
    RootNotLeft,
    /// The heads that would show that records were left alone are missing.
    #[error("incomplete pull: the heads before one not signed by a device are missing")]
    TrailMissing,
    /// Records change while a revoked member still knows the wallet key.
    #[error(
        "forged change: records change although a member was revoked and the wallet key not rotated"
    )]
    RotationDue,
    /// A record is older than the one held.
    #[error("record rollback: record {id} is older than this device has seen")]
    RecordRollback {
        /// The record.
        id: RecordId,
    },
    /// A record has other content under the same version.
    #[error("swapped record: record {id} changed without a new version")]
    RecordSwapped {
        /// The record.
        id: RecordId,
    },
    /// A record skipped versions between two adjacent heads.
    #[error("forged record: record {id} skips versions")]
    RecordVersion {
        /// The record.
        id: RecordId,
    },
    /// The entries do not make the head's root.
    #[error("altered entries: they do not make the head's root")]
    Root,
    /// A body is not an envelope of a record.
    #[error("altered body of record {id}")]
    BodyFormat {
        /// The record.
        id: RecordId,
        /// What is wrong with it.
        #[source]
        error: FormatError,
    },
    /// A body is not the one its entry names.
    #[error("swapped body: what was given for record {id} is not what its entry names")]
    Body {
        /// The record.
        id: RecordId,
    },
    /// A body is sealed under a generation of the wallet key that is not due.
    #[error(
        "stale key: record {id} is sealed under another generation of the wallet key than is due"
    )]
    BodyGeneration {
        /// The record.
        id: RecordId,
    },
}

/// Whether `pulled` may follow `held`, signatures excepted; and what is held then.
///
/// # Errors
/// The first rule that it breaks.
pub fn follow(held: Option<&Stored<'_>>, pulled: &Pulled) -> Result<Followed, FollowRefused> {
    let mut history = check_place(held, pulled)?;
    let membership = check_links(held, &pulled.links)?;
    check_head(pulled, &membership)?;
    let already = held.is_some_and(|held| held.head_hash == pulled.head.hash());
    let adjacent = !already && pulled.between.is_empty();
    let before = held.map_or(Entries::EMPTY, |held| held.entries.clone());
    let entries = check_entries(&before, pulled, adjacent)?;
    if adjacent {
        check_step(held, pulled, &membership)?;
    }
    check_trail(held, pulled, &membership)?;
    if !already {
        history.append_heads([&pulled.head.hash()]);
    }
    Ok(Followed { membership, entries, history, adjacent, before })
}

/// The head descends from the one held; gives the tree over all before it (or up to it, if it is held).
fn check_place(held: Option<&Stored<'_>>, pulled: &Pulled) -> Result<Frontier, FollowRefused> {
    let head = pulled.head.head();
    let (seq, hash) = held.map_or((0, HeadHash::ZERO), |held| (held.head.seq, held.head_hash));
    if held.is_some_and(|held| held.head.wallet != head.wallet) {
        return Err(FollowRefused::OtherWallet);
    }
    let mut history = held.map_or(Frontier::EMPTY, |held| held.history.clone());
    if pulled.head.hash() == hash {
        return if pulled.between.is_empty() { Ok(history) } else { Err(FollowRefused::Fork) };
    }
    if head.seq < seq {
        return Err(FollowRefused::Rollback { found: head.seq, held: seq });
    }
    let before = pulled.between.last().unwrap_or(&hash);
    let expected = seq.checked_add(1 + pulled.between.len() as u64);
    history.append_heads(&pulled.between);
    if expected != Some(head.seq) || *before != head.prev || history.root() != head.history {
        return Err(FollowRefused::Fork);
    }
    Ok(history)
}

fn check_links(
    held: Option<&Stored<'_>>,
    links: &[SignedLink],
) -> Result<Membership, FollowRefused> {
    let refused = |(n, why)| FollowRefused::Link { n, why };
    let Some(held) = held else {
        return Membership::of_chain(links).map_err(refused);
    };
    let mut membership = held.membership.clone();
    for link in links {
        let n = membership.links();
        membership.admit(link).map_err(|why| refused((n, why)))?;
    }
    Ok(membership)
}

fn check_head(pulled: &Pulled, membership: &Membership) -> Result<(), FollowRefused> {
    let head = pulled.head.head();
    if head.wallet != membership.wallet() {
        Err(FollowRefused::OtherWallet)
    } else if head.links != membership.links() || head.link != membership.last_link() {
        Err(FollowRefused::Links)
    } else if membership.generation() == 0 {
        Err(FollowRefused::NoWalletKey)
    } else if head.suite < membership.min_suite() {
        Err(FollowRefused::SuiteTooLow)
    } else if membership.active(&head.signer).is_none() {
        Err(FollowRefused::SignerInactive { seq: head.seq })
    } else {
        Ok(())
    }
}

fn check_entries(
    before: &Entries,
    pulled: &Pulled,
    adjacent: bool,
) -> Result<Entries, FollowRefused> {
    let given = match &pulled.entries {
        PulledEntries::Changes { changed, .. } => changed,
        PulledEntries::All(entries) => entries,
    };
    for Entry { id, version, body_hash } in given.as_slice() {
        let held = before.get(id);
        let held_version = before.version(id);
        if *version < held_version {
            return Err(FollowRefused::RecordRollback { id: *id });
        }
        if *version == held_version && held.is_none_or(|held| held.body_hash != *body_hash) {
            return Err(FollowRefused::RecordSwapped { id: *id });
        }
        if adjacent && *version > held_version.saturating_add(1) {
            return Err(FollowRefused::RecordVersion { id: *id });
        }
    }
    let entries = match &pulled.entries {
        PulledEntries::Changes { changed, removed } => {
            before.with(changed.as_slice().iter().copied(), removed)
        }
        PulledEntries::All(entries) => entries.clone(),
    };
    if entries.root() == pulled.head.head().root { Ok(entries) } else { Err(FollowRefused::Root) }
}

/// What one step from the head held, or from nothing, may not do.
fn check_step(
    held: Option<&Stored<'_>>,
    pulled: &Pulled,
    membership: &Membership,
) -> Result<(), FollowRefused> {
    let root = pulled.head.head().root;
    let before = held.map_or_else(|| Entries::EMPTY.root(), |held| held.head.root);
    if root == before {
        return Ok(());
    }
    if membership.rotation_due() {
        return Err(FollowRefused::RotationDue);
    }
    let erases = pulled.links.iter().any(|link| link.link().payload == LinkPayload::Erase);
    if erases { Err(FollowRefused::RootNotLeft) } else { Ok(()) }
}

/// A head not signed by a device has the root of the head before it, back to one that a device signed or
/// that is held.
fn check_trail(
    held: Option<&Stored<'_>>,
    pulled: &Pulled,
    membership: &Membership,
) -> Result<(), FollowRefused> {
    if held.is_some_and(|held| held.head_hash == pulled.head.hash()) {
        return Ok(());
    }
    let mut head = pulled.head.head();
    let mut trail = pulled.trail.iter();
    while !signed_by_device(head, membership)? {
        if let Some(held) = held.filter(|held| held.head_hash == head.prev) {
            return if held.head.root == head.root {
                Ok(())
            } else {
                Err(FollowRefused::RootNotLeft)
            };
        }
        let before = trail
            .next()
            .filter(|before| before.hash() == head.prev)
            .ok_or(FollowRefused::TrailMissing)?;
        let before = before.head();
        if before.wallet != head.wallet
            || link_hash(held, pulled, before.links) != Some(before.link)
        {
            return Err(FollowRefused::Links);
        }
        if before.root != head.root {
            return Err(FollowRefused::RootNotLeft);
        }
        head = before;
    }
    Ok(())
}

fn signed_by_device(head: &Head, membership: &Membership) -> Result<bool, FollowRefused> {
    let signer =
        membership.member(&head.signer).filter(|signer| signer.is_active_after(head.links));
    let signer = signer.ok_or(FollowRefused::SignerInactive { seq: head.seq })?;
    Ok(signer.member.kind() == MemberKind::Device)
}

/// The hash of the last of the first `links` links, if it is one that the pull gave or the last one held.
fn link_hash(held: Option<&Stored<'_>>, pulled: &Pulled, links: u32) -> Option<LinkHash> {
    let (count, last) = held.map_or((0, None), |held| (held.head.links, Some(held.head.link)));
    match links.checked_sub(count)? {
        0 => last,
        more => pulled.links.get(usize::try_from(more).ok()?.checked_sub(1)?).map(SignedLink::hash),
    }
}

impl Followed {
    /// The records whose bodies are new to the holder.
    pub fn new_bodies(&self) -> impl Iterator<Item = &Entry> {
        self.entries.as_slice().iter().filter(|entry| self.before.get(&entry.id) != Some(*entry))
    }

    /// Whether the body of a record is the one that its entry names, sealed under a generation that is due.
    ///
    /// # Errors
    /// If it is malformed, another, or sealed under a generation that a change may not have.
    pub fn check_body(
        &self,
        id: &RecordId,
        envelope: &[u8],
    ) -> Result<RecordHeader, FollowRefused> {
        let id = *id;
        let record = RecordHeader::parse(envelope)
            .map_err(|error| FollowRefused::BodyFormat { id, error })?;
        let entry = self.entries.get(&id);
        if entry != Some(&record.entry()) || record.header.wallet != self.membership.wallet() {
            return Err(FollowRefused::Body { id });
        }
        let generation = self.membership.generation();
        let changed = self.before.get(&id) != entry;
        let oldest = if self.adjacent && changed { generation } else { 1 };
        if (oldest..=generation).contains(&record.header.generation) {
            Ok(record)
        } else {
            Err(FollowRefused::BodyGeneration { id })
        }
    }
}

#[cfg(test)]
mod tests;
