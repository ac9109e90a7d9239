//! Whether a commit may become part of its wallet, and the command that makes it so.
//!
//! Everything that needs more than the state machine's view of opaque bytes is decided here, on the
//! leader, before anything is replicated: signatures, authority, roots, limits, the outer sealing. The
//! command names the state it was held against, and applying it checks that this still is the state.
//!
//! Pure but for randomness and the state it reads; may take milliseconds.

use seal::{DataKey, KeyringError, ServerKeyring, SignatureRefused, verify_head, verify_link};
use store::command::{Base, Push};
use store::{AuditLeaf, Reader};
use types::membership::LinkRefused;
use types::{Accepted, Commit, Membership, Refused, Rejection, SignedLink, WalletId, accept};

use super::error::VaultError;
use super::outer::Outer;
use super::quota;

/// What became of a commit so far.
pub(super) enum Verdict {
    /// It is part of the wallet already.
    Stored,
    /// It may become part of it.
    Propose(Box<Push>),
}

/// Whether a wallet may begin with the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// The caller was admitted to create wallets.
    Admitted,
    /// The caller came to change one that exists.
    None,
}

/// Holds a commit against the state that `reader` shows.
///
/// # Errors
/// The first rule that it breaks there.
pub(super) fn judge(
    reader: &Reader,
    keyring: &ServerKeyring,
    commit: &Commit,
    beginning: Beginning,
    time_ms: u64,
) -> Result<Verdict, VaultError> {
    let head = commit.head.head();
    let content = commit.content_hash();
    if let Some(earlier) = reader.head_hash(head.wallet, head.seq)?
        && earlier.hash == commit.head.hash()
    {
        return match earlier.content {
            Some(earlier) if earlier != content => Err(Rejection::RequestReused.into()),
            _ => Ok(Verdict::Stored),
        };
    }
    let stored = reader.stored(head.wallet)?;
    if stored.is_none() && beginning == Beginning::None {
        return Err(Rejection::NotFound.into());
    }
    authenticate(stored.as_ref().map(|stored| &stored.membership), commit)?;
    let accepted = accept(stored.as_ref().map(|stored| stored.as_stored()).as_ref(), commit)?;
    for id in &accepted.created {
        if reader.was_removed(head.wallet, *id)? {
            return Err(VaultError::RecordIdReused(*id));
        }
    }
    quota::check(reader, stored.as_ref(), commit, &accepted)?;

    let (outer, data_key) = match &stored {
        Some(_) => (open_data_key(reader, keyring, head.wallet)?, None),
        None => {
            let key = DataKey::generate(&mut rand::rng());
            let wrapped = keyring.wrap(&mut rand::rng(), &head.wallet, &key)?;
            (Outer::new(head.wallet, key), Some(wrapped))
        }
    };
    let base = stored.as_ref().map(|stored| {
        let below = &stored.row.head;
        Base { head: below.hash(), link: below.head().link }
    });
    let push = build(commit, accepted, &outer, content, time_ms);
    Ok(Verdict::Propose(Box::new(Push { base, data_key, ..push })))
}

/// The outer sealing of a wallet that is stored.
///
/// # Errors
/// [`VaultError::Locked`]; a fault if the stored key cannot be opened.
pub(super) fn open_data_key(
    reader: &Reader,
    keyring: &ServerKeyring,
    wallet: WalletId,
) -> Result<Outer, VaultError> {
    let wrapped = reader.data_key(wallet)?.ok_or(Rejection::NotFound)?;
    let key = keyring.open(&wallet, &wrapped).map_err(|error| match error {
        KeyringError::Locked => VaultError::Locked,
        other => VaultError::broken("open the data key of a wallet", &other),
    })?;
    Ok(Outer::new(wallet, key))
}

/// Verifies every signature, each against the members at its place in the chain.
fn authenticate(stored: Option<&Membership>, commit: &Commit) -> Result<(), VaultError> {
    let mut members = stored.cloned();
    for link in &commit.links {
        if let Err(why) = admit(&mut members, link) {
            // What a wallet allows is told to its members only.
            return match stored {
                Some(stored) => {
                    Err(signed(stored, commit).err().unwrap_or_else(|| refused(link, why)))
                }
                None => Err(refused(link, why)),
            };
        }
        if let Some(members) = &members {
            verify_link(members, link).map_err(unsigned)?;
        }
    }
    let members = members.ok_or(Refused::Link { n: 0, why: LinkRefused::NoGenesis })?;
    signed(&members, commit)
}

fn admit(members: &mut Option<Membership>, link: &SignedLink) -> Result<(), LinkRefused> {
    match members {
        Some(members) => members.admit(link),
        None => Membership::genesis(link).map(|begun| *members = Some(begun)),
    }
}

fn refused(link: &SignedLink, why: LinkRefused) -> VaultError {
    Refused::Link { n: link.link().n, why }.into()
}

/// Whether the head is signed by one of these members.
fn signed(members: &Membership, commit: &Commit) -> Result<(), VaultError> {
    verify_head(members, &commit.head).map_err(unsigned)
}

/// Tells a member that was revoked from somebody who never was one.
fn unsigned(error: SignatureRefused) -> VaultError {
    match error {
        SignatureRefused::Revoked(_) => Rejection::MemberInactive.into(),
        SignatureRefused::NotAMember(_) => VaultError::Denied,
        other => other.into(),
    }
}

fn build(
    commit: &Commit,
    accepted: Accepted,
    outer: &Outer,
    content: [u8; 32],
    time_ms: u64,
) -> Push {
    let Accepted { membership, records, .. } = accepted;
    let envelopes = records.iter().zip(&commit.envelopes);
    Push {
        content,
        base: None,
        head: commit.head,
        between: commit.between.clone(),
        links: commit.links.iter().map(|link| outer.seal_link(link)).collect(),
        membership: (!commit.links.is_empty()).then_some(membership),
        records: envelopes.map(|(record, envelope)| outer.seal_record(record, envelope)).collect(),
        removed: commit.removed.clone(),
        data_key: None,
        time_ms,
        leaf: AuditLeaf { token: outer.push_token(&commit.request_id()) },
    }
}
