//! Wallets as clients make them: each push names the head that it goes on from.
//!
//! Signatures are zeros: the layers under test check none.

use store::AuditLeaf;
use store::command::{Base, LinkWrite, Push, RecordWrite};
use types::envelope::{EnvelopeHeader, Purpose};
use types::link::{Genesis, Link, LinkPayload, Rotate, SignedLink};
use types::member::{Member, PublicKey};
use types::root::Entry;
use types::sealed::Sealed;
use types::wrapped::WrappedSeal;
use types::{
    BodyHash, Entries, Frontier, Head, HeadHash, LinkHash, MemberId, MemberSignature, Membership,
    RecordId, SignedHead, Suite, WalletId,
};

/// A wallet in one of its states. Pushes are made on it.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) wallet: WalletId,
    pub(super) head: Option<SignedHead>,
    history: Frontier,
    membership: Membership,
    entries: Entries,
    genesis: SignedLink,
}

fn device() -> Member {
    let key = |what: &[u8]| {
        let mut bytes = [4; 65];
        bytes[1..33].copy_from_slice(&types::tagged("holdfast/1 test", &[what]));
        PublicKey::parse(&bytes).unwrap()
    };
    Member::device(key(b"sign"), key(b"seal")).unwrap()
}

fn sign(link: &Link) -> SignedLink {
    let signers = link.required_signers().into_iter();
    let signatures = signers.map(|member| MemberSignature { member, signature: [0; 64] });
    SignedLink::new(link, signatures.collect()).unwrap()
}

impl Draft {
    /// A wallet that nobody has pushed yet.
    pub(super) fn new(number: u8) -> Draft {
        let member = device();
        let nonce = types::tagged("holdfast/1 test", &[b"wallet", &[number]]);
        let genesis = sign(&Link {
            suite: Suite::P256,
            wallet: WalletId::ZERO,
            n: 0,
            prev: LinkHash::ZERO,
            signer: member.id(),
            payload: LinkPayload::Genesis(Genesis { region: 0, nonce, members: vec![member] }),
        });
        Draft {
            wallet: genesis.wallet(),
            head: None,
            history: Frontier::EMPTY,
            membership: Membership::genesis(&genesis).unwrap(),
            entries: Entries::EMPTY,
            genesis,
        }
    }

    pub(super) fn seq(&self) -> u64 {
        self.head.map_or(0, |head| head.head().seq)
    }

    pub(super) fn hash(&self) -> HeadHash {
        self.head.map_or(HeadHash::ZERO, |head| head.hash())
    }

    /// A push that writes one record, and the wallet after it. `mark` tells it from all others.
    pub(super) fn push(&self, mark: u64) -> (Push, Draft) {
        let (mut next, signer) = (self.clone(), device().id());
        let mut links = Vec::new();
        if self.head.is_none() {
            links.push(self.genesis.clone());
            links.push(next.rotate(signer));
        }
        let body = [mark.to_be_bytes().as_slice(), &[0; 120]].concat();
        let id = RecordId::from_bytes(
            types::tagged("holdfast/1 test", &[&[mark as u8 % 8]])[..16].try_into().unwrap(),
        );
        let version = self.entries.version(&id) + 1;
        let body_hash = BodyHash::from_bytes(types::tagged("holdfast/1 body", &[&body]));
        next.entries = next.entries.with([Entry { id, version, body_hash }], &[]);
        let head = Head {
            suite: Suite::P256,
            wallet: self.wallet,
            seq: self.seq() + 1,
            prev: self.hash(),
            history: next.history.root(),
            root: next.entries.root(),
            links: next.membership.links(),
            link: next.membership.last_link(),
            signer,
            time_s: mark,
        };
        let signature = MemberSignature { member: signer, signature: [0; 64] };
        let head = SignedHead::new(&head, signature).unwrap();
        next.history.append_heads([&head.hash()]);
        next.head = Some(head);
        let push = Push {
            content: types::tagged("holdfast/1 test", &[head.hash().as_bytes()]),
            base: self.head.map(|head| Base { head: head.hash(), link: head.head().link }),
            head,
            between: Vec::new(),
            membership: (!links.is_empty()).then(|| next.membership.clone()),
            links: (0..).zip(&links).map(|(n, link)| wrap(n, link)).collect(),
            records: vec![RecordWrite {
                id,
                version,
                body_hash,
                size: body.len() as u32,
                sealed: Sealed::new(body),
            }],
            removed: Vec::new(),
            data_key: self.head.is_none().then(|| Sealed::new(*b"wrapped data key")),
            time_ms: 1_000 * mark,
            leaf: AuditLeaf { token: *head.hash().as_bytes() },
        };
        (push, next)
    }

    fn rotate(&mut self, signer: MemberId) -> SignedLink {
        let generation = self.membership.generation() + 1;
        let header = EnvelopeHeader {
            suite: Suite::P256,
            purpose: Purpose::History,
            wallet: self.wallet,
            id: RecordId::ZERO,
            version: 0,
            generation,
        };
        let history =
            if generation > 1 { [header.encode(), vec![0; 112]].concat() } else { Vec::new() };
        let seal = |member| WrappedSeal { member, suite: Suite::P256, enc: [4; 65], ct: [5; 48] };
        let members = self.membership.seal_members().map(|state| state.id);
        let link = sign(&Link {
            suite: Suite::P256,
            wallet: self.wallet,
            n: self.membership.links(),
            prev: self.membership.last_link(),
            signer,
            payload: LinkPayload::Rotate(Rotate {
                generation,
                wk_commit: [7; 32],
                history,
                seals: members.map(seal).collect(),
            }),
        });
        self.membership.admit(&link).unwrap();
        link
    }
}

fn wrap(n: u32, link: &SignedLink) -> LinkWrite {
    LinkWrite { n, hash: link.hash(), sealed: Sealed::new(link.to_stored()) }
}
