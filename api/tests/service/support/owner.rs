//! The owner of a wallet: makes real commits with real keys.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use seal::{MemberKeys, RecoveryCode, SoftwareMember, WalletKey, sign_head, sign_link};
use types::accept::Stored;
use types::{
    Add, Commit, Entries, Frontier, Genesis, Head, HeadHash, Link, LinkHash, LinkPayload, MemberId,
    Membership, RecordId, Revoke, SignedHead, SignedLink, Suite, WalletId, accept,
};

/// Somebody with a phone and a recovery code.
pub struct Owner {
    /// Her first device.
    pub phone: SoftwareMember,
    /// Her recovery code.
    pub code: RecoveryCode,
    /// What she holds; none before [`Owner::begin`].
    pub held: Option<Holding>,
    rng: StdRng,
}

/// What a device holds of its wallet.
pub struct Holding {
    pub head: SignedHead,
    pub history: Frontier,
    pub membership: Membership,
    pub entries: Entries,
    pub key: WalletKey,
}

/// A change, before it is signed.
#[derive(Default)]
pub struct Change<'a> {
    /// Who signs links and head; the phone if nobody.
    pub signer: Option<&'a dyn MemberKeys>,
    /// Who is added.
    pub add: Option<&'a SoftwareMember>,
    /// Who is revoked.
    pub revoke: Option<MemberId>,
    /// Whether the wallet key is rotated.
    pub rotate: bool,
    /// Records written.
    pub put: Vec<(RecordId, Vec<u8>)>,
    /// Records removed.
    pub remove: Vec<RecordId>,
}

impl Owner {
    /// Another owner for every seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let phone = SoftwareMember::generate_device(&mut rng);
        Self { phone, code: RecoveryCode::generate(&mut rng), held: None, rng }
    }

    /// A fresh device.
    pub fn device(&mut self) -> SoftwareMember {
        SoftwareMember::generate_device(&mut self.rng)
    }

    /// A fresh record id.
    pub fn record(&mut self) -> RecordId {
        let mut id = [0; 16];
        self.rng.fill_bytes(&mut id);
        RecordId::from_bytes(id)
    }

    /// The wallet, once it has begun.
    pub fn wallet(&self) -> WalletId {
        self.held().membership.wallet()
    }

    pub fn held(&self) -> &Holding {
        self.held.as_ref().expect("the wallet has begun")
    }

    /// The commit that begins the wallet. She holds it from now on.
    pub fn begin(&mut self) -> Commit {
        let code = self.code.member_keys();
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        let members = vec![*self.phone.member(), *code.member()];
        let genesis = self.link(
            None,
            &self.phone,
            &[&code],
            LinkPayload::Genesis(Genesis { region: 0, nonce, members }),
        );
        let mut membership = Membership::genesis(&genesis).unwrap();
        let key = WalletKey::generate(&mut self.rng, membership.wallet());
        let members: Vec<_> = membership.seal_members().map(|state| state.member).collect();
        let rotate = key.rotate(&mut self.rng, None, &members).unwrap();
        let rotate = self.link(Some(&membership), &self.phone, &[], LinkPayload::Rotate(rotate));
        membership.admit(&rotate).unwrap();
        let head = self.head(&self.phone, None, &membership, &Entries::EMPTY);
        let commit = Commit {
            head,
            between: vec![],
            links: vec![genesis, rotate],
            envelopes: vec![],
            removed: vec![],
        };
        let accepted = accept(None, &commit).unwrap();
        let (history, membership, entries) =
            (accepted.history, accepted.membership, accepted.entries);
        self.held = Some(Holding { head, history, membership, entries, key });
        commit
    }

    /// A commit that writes one record. She holds it from now on.
    pub fn put(&mut self, id: RecordId, data: &[u8]) -> Commit {
        let commit = self.draft(Change { put: vec![(id, data.to_vec())], ..Change::default() });
        self.take(commit)
    }

    /// A commit with this change on top of what she holds, which stays what she holds.
    pub fn draft(&mut self, change: Change<'_>) -> Commit {
        self.make(change).0
    }

    /// As [`Owner::draft`], and she holds it from now on.
    pub fn change(&mut self, change: Change<'_>) -> Commit {
        let (commit, key) = self.make(change);
        if let Some(key) = key {
            self.held.as_mut().unwrap().key = key;
        }
        self.take(commit)
    }

    /// Holds a commit from now on.
    pub fn take(&mut self, commit: Commit) -> Commit {
        let held = self.held.as_mut().expect("the wallet has begun");
        let stored = Stored {
            head: held.head.head(),
            head_hash: held.head.hash(),
            history: &held.history,
            membership: &held.membership,
            entries: &held.entries,
        };
        let accepted = accept(Some(&stored), &commit).unwrap();
        held.head = commit.head;
        (held.history, held.membership, held.entries) =
            (accepted.history, accepted.membership, accepted.entries);
        commit
    }

    /// Signs a head by the phone, whatever it says.
    pub fn sign(&mut self, head: &Head) -> SignedHead {
        sign_head(&mut self.rng, &self.phone, head).unwrap()
    }

    /// Signs a head by somebody else.
    pub fn sign_as(&mut self, head: &Head, keys: &dyn MemberKeys) -> SignedHead {
        sign_head(&mut self.rng, keys, head).unwrap()
    }

    /// A commit with this one link, signed by the phone, whether it is allowed or not.
    pub fn forced(&mut self, payload: LinkPayload) -> Commit {
        let held = self.held();
        let link = self.link(Some(&held.membership), &self.phone, &[], payload);
        let honest = self.head(&self.phone, Some(held), &held.membership, &held.entries);
        let head = Head { links: held.membership.links() + 1, link: link.hash(), ..*honest.head() };
        Commit {
            head: self.sign(&head),
            between: vec![],
            links: vec![link],
            envelopes: vec![],
            removed: vec![],
        }
    }

    fn make(&mut self, change: Change<'_>) -> (Commit, Option<WalletKey>) {
        let mut rng = StdRng::seed_from_u64(self.rng.next_u64());
        let signer: &dyn MemberKeys = change.signer.unwrap_or(&self.phone);
        let held = self.held.as_ref().expect("the wallet has begun");
        let mut membership = held.membership.clone();
        let mut links = Vec::new();
        let mut admit =
            |owner: &Self, membership: &mut Membership, others: &[&dyn MemberKeys], payload| {
                let link = owner.link(Some(membership), signer, others, payload);
                membership.admit(&link).unwrap();
                links.push(link);
            };
        if let Some(new) = change.add {
            let seal = Some(held.key.seal_to(&mut rng, new.member()).unwrap());
            let add = Add { member: *new.member(), generation: membership.generation(), seal };
            admit(self, &mut membership, &[new], LinkPayload::Add(add));
        }
        if let Some(old) = change.revoke {
            admit(
                self,
                &mut membership,
                &[],
                LinkPayload::Revoke(Revoke { member: old, reason: 1 }),
            );
        }
        let mut key = None;
        if change.rotate {
            let next = held.key.successor(&mut rng);
            let members: Vec<_> = membership.seal_members().map(|state| state.member).collect();
            let rotate = next.rotate(&mut rng, Some(&held.key), &members).unwrap();
            admit(self, &mut membership, &[], LinkPayload::Rotate(rotate));
            key = Some(next);
        }
        let mut put = change.put;
        put.sort_by_key(|(id, _)| *id);
        let under = key.as_ref().unwrap_or(&held.key);
        let seal = |rng: &mut StdRng, (id, data): &(RecordId, Vec<u8>)| {
            under.seal_record(rng, id, held.entries.version(id) + 1, data).unwrap()
        };
        let envelopes: Vec<_> = put.iter().map(|record| seal(&mut rng, record)).collect();
        let entries = envelopes
            .iter()
            .map(|envelope| types::commit::RecordHeader::parse(envelope).unwrap().entry());
        let mut removed = change.remove;
        removed.sort_unstable();
        let entries = held.entries.with(entries, &removed);
        let by: &dyn MemberKeys = match change.add {
            Some(new) if membership.active(&signer.id()).is_none() => new,
            _ => signer,
        };
        let head = self.head(by, Some(held), &membership, &entries);
        (Commit { head, between: vec![], links, envelopes, removed }, key)
    }

    fn link(
        &self,
        before: Option<&Membership>,
        signer: &dyn MemberKeys,
        others: &[&dyn MemberKeys],
        payload: LinkPayload,
    ) -> SignedLink {
        let link = Link {
            suite: Suite::P256,
            wallet: before.map_or(WalletId::ZERO, Membership::wallet),
            n: before.map_or(0, Membership::links),
            prev: before.map_or(LinkHash::ZERO, Membership::last_link),
            signer: signer.id(),
            payload,
        };
        let signers: Vec<&dyn MemberKeys> = [&[signer], others].concat();
        sign_link(&mut StdRng::seed_from_u64(7), &signers, &link).unwrap()
    }

    fn head(
        &self,
        signer: &dyn MemberKeys,
        held: Option<&Holding>,
        membership: &Membership,
        entries: &Entries,
    ) -> SignedHead {
        let head = Head {
            suite: Suite::P256,
            wallet: membership.wallet(),
            seq: held.map_or(0, |held| held.head.head().seq) + 1,
            prev: held.map_or(HeadHash::ZERO, |held| held.head.hash()),
            history: held.map_or(Frontier::EMPTY, |held| held.history.clone()).root(),
            root: entries.root(),
            links: membership.links(),
            link: membership.last_link(),
            signer: signer.id(),
            time_s: 1_700_000_000,
        };
        sign_head(&mut StdRng::seed_from_u64(8), signer, &head).unwrap()
    }
}
