//! A commit of our own: links, sealed records, and the signed head over all of it.

use seal::{MemberKeys, SealError, WalletKey, sign_head, sign_link};
use types::{
    Commit, Entries, Frontier, Head, Link, LinkPayload, Membership, Secret, SignedLink, Suite,
    commit::RecordHeader,
    ids::{HeadHash, LinkHash, RecordId, WalletId},
    limits,
};
use zeroize::Zeroizing;

use crate::{
    error::{ClientError, Refusal},
    local::{Fresh, Known},
    random::Random,
    sync::{Change, Work},
};

/// Bytes of a push that are left to head, links and framing when records are put into it.
const LINKS_ROOM: usize = 256 << 10;

/// The chain of links with new ones at its end.
pub(crate) struct Chain {
    membership: Membership,
    fresh: Vec<SignedLink>,
}

impl Chain {
    /// Continues the chain that is known.
    pub(crate) fn of(known: &Known) -> Self {
        Self { membership: known.membership.clone(), fresh: Vec::new() }
    }

    /// Begins a chain. Every member of the genesis signs it.
    pub(crate) fn begin(
        signers: &[&dyn MemberKeys],
        genesis: types::Genesis,
        random: &mut Random,
    ) -> Result<Self, ClientError> {
        let link = Link {
            suite: Suite::P256,
            wallet: WalletId::ZERO,
            n: 0,
            prev: LinkHash::ZERO,
            signer: signers[0].id(),
            payload: LinkPayload::Genesis(genesis),
        };
        Self::after(sign_link(random, signers, &link)?)
    }

    /// The chain of a genesis that was signed.
    pub(crate) fn after(genesis: SignedLink) -> Result<Self, ClientError> {
        let membership = Membership::genesis(&genesis).map_err(Refusal::Link)?;
        Ok(Self { membership, fresh: vec![genesis] })
    }

    /// Appends a link in the name of `signers[0]`, signed by all of them who must.
    pub(crate) fn append(
        &mut self,
        signers: &[&dyn MemberKeys],
        payload: LinkPayload,
        random: &mut Random,
    ) -> Result<(), ClientError> {
        let link = Link {
            suite: self.membership.min_suite(),
            wallet: self.membership.wallet(),
            n: self.membership.links(),
            prev: self.membership.last_link(),
            signer: signers[0].id(),
            payload,
        };
        let link = sign_link(random, signers, &link)?;
        self.membership.admit(&link).map_err(Refusal::Link)?;
        self.fresh.push(link);
        Ok(())
    }

    /// Appends the first wallet key.
    pub(crate) fn first_key(
        &mut self,
        signer: &dyn MemberKeys,
        random: &mut Random,
    ) -> Result<WalletKey, ClientError> {
        let key = WalletKey::generate(random, self.membership.wallet());
        self.append_key(signer, &key, None, random)?;
        Ok(key)
    }

    /// Appends a new generation of the wallet key, for those who are members now.
    pub(crate) fn rotate(
        &mut self,
        signer: &dyn MemberKeys,
        before: &WalletKey,
        random: &mut Random,
    ) -> Result<WalletKey, ClientError> {
        let key = before.successor(random);
        self.append_key(signer, &key, Some(before), random)?;
        Ok(key)
    }

    fn append_key(
        &mut self,
        signer: &dyn MemberKeys,
        key: &WalletKey,
        before: Option<&WalletKey>,
        random: &mut Random,
    ) -> Result<(), ClientError> {
        let members = self.membership.seal_members().map(|state| &state.member);
        let rotate = key.rotate(random, before, members)?;
        self.append(&[signer], LinkPayload::Rotate(rotate), random)
    }

    pub(crate) fn membership(&self) -> &Membership {
        &self.membership
    }
}

/// A record to be sealed into a commit.
pub(crate) struct Put {
    pub(crate) id: RecordId,
    /// The version it will have.
    pub(crate) version: u64,
    pub(crate) data: Zeroizing<Vec<u8>>,
}

/// Changes of records for one commit.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) puts: Vec<Put>,
    pub(crate) removed: Vec<RecordId>,
}

impl Changes {
    /// As many of the local changes, in the order of ids, as one push may carry.
    pub(crate) fn batch<'a>(
        works: impl IntoIterator<Item = (&'a RecordId, &'a Work)>,
        entries: &Entries,
    ) -> Result<Self, SealError> {
        let mut changes = Self::default();
        let mut room = limits::PUSH_MAX - LINKS_ROOM;
        for (id, work) in works {
            if changes.len() == limits::PUSH_RECORDS_MAX {
                break;
            }
            match &work.change {
                Change::Delete => changes.removed.push(*id),
                Change::Put(record) => {
                    let data = record.encode();
                    let found = data.len();
                    let padded = types::padding::padded_size(found)
                        .ok_or(SealError::TooLong { found, max: limits::RECORD_DATA_MAX })?;
                    let Some(left) = room.checked_sub(padded + types::Envelope::OVERHEAD) else {
                        break;
                    };
                    room = left;
                    // The greatest version has none behind it: a push of that is refused.
                    let version = entries.version(id).saturating_add(1);
                    changes.puts.push(Put { id: *id, version, data });
                }
            }
        }
        Ok(changes)
    }

    /// Seals them under the wallet key that is due.
    pub(crate) fn seal(self, key: &WalletKey, random: &mut Random) -> Result<Sealed, ClientError> {
        let mut sealed = Sealed { removed: self.removed, ..Sealed::default() };
        for Put { id, version, data } in self.puts {
            let envelope = key.seal_record(random, &id, version, &data)?;
            let entry = RecordHeader::parse(&envelope).map_err(SealError::from)?.entry();
            sealed.fresh.push(Fresh { entry, data: Secret::new(data.to_vec()) });
            sealed.envelopes.push(envelope);
        }
        Ok(sealed)
    }

    fn len(&self) -> usize {
        self.puts.len() + self.removed.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Changes of records as a commit carries them.
#[derive(Default)]
pub(crate) struct Sealed {
    envelopes: Vec<Vec<u8>>,
    /// What the envelopes hold.
    fresh: Vec<Fresh>,
    removed: Vec<RecordId>,
}

/// A commit and what is known once it is accepted.
pub(crate) struct Draft {
    pub(crate) commit: Commit,
    pub(crate) after: Known,
    /// What its envelopes hold.
    pub(crate) fresh: Vec<Fresh>,
}

/// Puts together and signs. `known` is what the commit follows, none for the first one.
pub(crate) fn commit(
    known: Option<&Known>,
    chain: Chain,
    changes: Sealed,
    signer: &dyn MemberKeys,
    time_s: u64,
    random: &mut Random,
) -> Result<Draft, ClientError> {
    let Sealed { envelopes, fresh, removed } = changes;
    let changed = fresh.iter().map(|fresh| fresh.entry);
    let entries = known.map_or(&Entries::EMPTY, |known| &known.entries).with(changed, &removed);
    let mut frontier = known.map_or(Frontier::EMPTY, |known| known.frontier.clone());
    let head = Head {
        suite: chain.membership.min_suite(),
        wallet: chain.membership.wallet(),
        seq: known.map_or(0, |known| known.head.head().seq) + 1,
        prev: known.map_or(HeadHash::ZERO, |known| known.head.hash()),
        history: frontier.root(),
        root: entries.root(),
        links: chain.membership.links(),
        link: chain.membership.last_link(),
        signer: signer.id(),
        time_s,
    };
    let head = sign_head(random, signer, &head)?;
    frontier.append_heads([&head.hash()]);
    Ok(Draft {
        commit: Commit { head, between: Vec::new(), links: chain.fresh, envelopes, removed },
        after: Known { head, frontier, membership: chain.membership, entries },
        fresh,
    })
}
