//! Wallets as a client and the leader see them, one state after the other.

use store::{AuditLeaf, command::*};
use types::head::{Head, SignedHead};
use types::ids::*;
use types::link::{Add, Genesis, Link, LinkPayload, Revoke, Rotate, SignedLink};
use types::member::{Member, MemberKind, PublicKey};
use types::membership::Membership;
use types::root::{Entries, Entry};
use types::sealed::Sealed;
use types::signature::MemberSignature;
use types::suite::Suite;
use types::tree::Frontier;
use types::wrapped::WrappedSeal;

/// The state of a wallet that a push can be made on. Cloning it is how a test falls behind.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) wallet: WalletId,
    /// None before the first push.
    pub(crate) head: Option<SignedHead>,
    pub(crate) history: Frontier,
    pub(crate) membership: Membership,
    pub(crate) entries: Entries,
    /// Links made and not pushed yet: the genesis.
    pending: Vec<SignedLink>,
}

/// One thing that a push changes.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Write(RecordId, Vec<u8>),
    Remove(RecordId),
    Add(Member),
    Revoke(MemberId),
    Rotate,
    Erase,
}

/// A member of a kind, always the same for the same name.
pub(crate) fn member(kind: MemberKind, name: &str) -> Member {
    let hash = |what: &str| {
        types::hash::tagged("holdfast/1 test", &[what.as_bytes(), b"/", name.as_bytes()])
    };
    let key = |what: &str| {
        let mut bytes = [4; 65];
        bytes[1..33].copy_from_slice(&hash(what));
        PublicKey::parse(&bytes).unwrap()
    };
    match kind {
        MemberKind::Device => Member::device(key("sign"), key("seal")).unwrap(),
        MemberKind::RecoveryCode => {
            Member::recovery_code(key("sign"), key("seal"), locator(name)).unwrap()
        }
        MemberKind::Revoker => Member::revoker(key("sign"), locator(name)),
        MemberKind::Passphrase => {
            let cost = types::cost::Argon2Cost::FLOOR;
            Member::passphrase(key("sign"), key("seal"), locator(name), cost).unwrap()
        }
    }
}

/// The locator of the member of this name.
pub(crate) fn locator(name: &str) -> Locator {
    Locator::from_bytes(types::hash::tagged_16("holdfast/1 test", &[b"locator/", name.as_bytes()]))
}

pub(crate) fn device(name: &str) -> Member {
    member(MemberKind::Device, name)
}

/// The record of this name.
pub(crate) fn record(name: &str) -> RecordId {
    RecordId::from_bytes(types::hash::tagged_16("holdfast/1 test", &[b"record/", name.as_bytes()]))
}

impl Draft {
    /// A wallet that nobody has pushed yet, with these members, the first of them a device.
    pub(crate) fn new(name: &str, region: u8, members: Vec<Member>) -> Self {
        let signer = members[0].id();
        let nonce = types::hash::tagged("holdfast/1 test", &[b"wallet/", name.as_bytes()]);
        let payload = LinkPayload::Genesis(Genesis { region, nonce, members });
        let genesis = Link {
            suite: Suite::P256,
            wallet: WalletId::ZERO,
            n: 0,
            prev: LinkHash::ZERO,
            signer,
            payload,
        };
        let genesis = sign(&genesis);
        Draft {
            wallet: genesis.wallet(),
            head: None,
            history: Frontier::EMPTY,
            membership: Membership::genesis(&genesis).unwrap(),
            entries: Entries::EMPTY,
            pending: vec![genesis],
        }
    }

    /// As [`Draft::new`], with a name by which the wallet falls to [`super::replica::GROUP`] when there
    /// are two wallet groups, which share the slots evenly.
    pub(crate) fn in_group(members: Vec<Member>) -> Self {
        Self::in_group_from(0, members)
    }

    /// As [`Draft::in_group`], with a name from this number on: another number, another wallet.
    pub(crate) fn in_group_from(number: usize, members: Vec<Member>) -> Self {
        let drafts = (number..).map(|n| Draft::new(&format!("wallet {n}"), 0, members.clone()));
        drafts.into_iter().find(|draft| Slot::of(&draft.wallet).get() < Slot::COUNT / 2).unwrap()
    }

    /// The sequence number of the head; 0 before the first.
    pub(crate) fn seq(&self) -> u64 {
        self.head.map_or(0, |head| head.head().seq)
    }

    /// A push of `edits`, signed by `signer`, and the state after it.
    pub(crate) fn push(&self, signer: &Member, edits: &[Edit], time_ms: u64) -> (Push, Draft) {
        self.heal(signer, edits, &[], time_ms)
    }

    /// As [`Draft::push`], with the head signed by another than the links: how a code recovers.
    pub(crate) fn recover(
        &self,
        links_by: &Member,
        head_by: &Member,
        edits: &[Edit],
        time_ms: u64,
    ) -> (Push, Draft) {
        self.make(links_by, head_by, edits, &[], time_ms)
    }

    /// As [`Draft::push`], with the hashes of heads between that the server does not have.
    pub(crate) fn heal(
        &self,
        signer: &Member,
        edits: &[Edit],
        between: &[HeadHash],
        time_ms: u64,
    ) -> (Push, Draft) {
        self.make(signer, signer, edits, between, time_ms)
    }

    fn make(
        &self,
        signer: &Member,
        head_by: &Member,
        edits: &[Edit],
        between: &[HeadHash],
        time_ms: u64,
    ) -> (Push, Draft) {
        let mut next = self.clone();
        let mut links = std::mem::take(&mut next.pending);
        if self.head.is_none() {
            links.push(next.link(signer.id(), next.rotate()));
        }
        let (mut records, mut removed) = (Vec::new(), Vec::new());
        for edit in edits {
            match edit {
                Edit::Write(id, body) => records.push(next.write(*id, body)),
                Edit::Remove(id) => removed.push(*id),
                Edit::Add(member) => links.push(next.link(signer.id(), next.add(member))),
                Edit::Revoke(member) => {
                    links.push(next.link(
                        signer.id(),
                        LinkPayload::Revoke(Revoke { member: *member, reason: 0 }),
                    ));
                }
                Edit::Rotate => links.push(next.link(signer.id(), next.rotate())),
                Edit::Erase => links.push(next.link(signer.id(), LinkPayload::Erase)),
            }
        }
        records.sort_by_key(|record| record.id);
        removed.sort_unstable();
        next.entries = next.entries.with([], &removed);

        next.history.append_heads(between);
        let head = Head {
            suite: Suite::P256,
            wallet: self.wallet,
            seq: self.seq() + 1 + between.len() as u64,
            prev: between
                .last()
                .copied()
                .or(self.head.map(|head| head.hash()))
                .unwrap_or(HeadHash::ZERO),
            history: next.history.root(),
            root: next.entries.root(),
            links: next.membership.links(),
            link: next.membership.last_link(),
            signer: head_by.id(),
            time_s: time_ms / 1000,
        };
        let head = SignedHead::new(&head, signature(head_by.id())).unwrap();
        next.history.append_heads([&head.hash()]);
        next.head = Some(head);
        let first = self.head.map_or(0, |head| head.head().links);
        let push = Push {
            content: types::hash::tagged("holdfast/1 test", &[b"content", head.hash().as_bytes()]),
            base: self.head.map(|head| Base { head: head.hash(), link: head.head().link }),
            head,
            between: between.to_vec(),
            membership: (!links.is_empty()).then(|| next.membership.clone()),
            links: (first..).zip(&links).map(|(n, link)| wrap(n, link)).collect(),
            records,
            removed,
            data_key: self.head.is_none().then(|| Sealed::new(*b"wrapped data key")),
            time_ms,
            leaf: AuditLeaf { token: *head.hash().as_bytes() },
        };
        (push, next)
    }

    fn write(&mut self, id: RecordId, body: &[u8]) -> RecordWrite {
        let version = self.entries.version(&id) + 1;
        let body_hash = BodyHash::from_bytes(types::hash::tagged("holdfast/1 body", &[body]));
        self.entries = self.entries.with([Entry { id, version, body_hash }], &[]);
        RecordWrite { id, version, body_hash, size: body.len() as u32, sealed: Sealed::new(body) }
    }

    fn link(&mut self, signer: MemberId, payload: LinkPayload) -> SignedLink {
        let link = sign(&Link {
            suite: Suite::P256,
            wallet: self.wallet,
            n: self.membership.links(),
            prev: self.membership.last_link(),
            signer,
            payload,
        });
        self.membership.admit(&link).unwrap();
        link
    }

    fn rotate(&self) -> LinkPayload {
        let generation = self.membership.generation() + 1;
        let mut members: Vec<_> = self.membership.seal_members().map(|state| state.id).collect();
        members.sort_unstable();
        let history =
            if generation > 1 { history_envelope(self.wallet, generation) } else { Vec::new() };
        LinkPayload::Rotate(Rotate {
            generation,
            wk_commit: [7; 32],
            history,
            seals: members.into_iter().map(seal_to).collect(),
        })
    }

    fn add(&self, member: &Member) -> LinkPayload {
        LinkPayload::Add(Add {
            member: *member,
            generation: self.membership.generation(),
            seal: member.seal().map(|_| seal_to(member.id())),
        })
    }
}

fn seal_to(member: MemberId) -> WrappedSeal {
    WrappedSeal { member, suite: Suite::P256, enc: [4; 65], ct: [5; 48] }
}

fn history_envelope(wallet: WalletId, generation: u32) -> Vec<u8> {
    let header = types::envelope::EnvelopeHeader {
        suite: Suite::P256,
        purpose: types::envelope::Purpose::History,
        wallet,
        id: RecordId::ZERO,
        version: 0,
        generation,
    };
    [header.encode(), vec![0; 112]].concat()
}

fn signature(member: MemberId) -> MemberSignature {
    MemberSignature { member, signature: [0; 64] }
}

fn sign(link: &Link) -> SignedLink {
    SignedLink::new(link, link.required_signers().into_iter().map(signature).collect()).unwrap()
}

fn wrap(n: u32, link: &SignedLink) -> LinkWrite {
    LinkWrite { n, hash: link.hash(), sealed: Sealed::new(link.to_stored()) }
}
