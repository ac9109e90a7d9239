//! Who acts in the vectors, with keys fixed for ever; and the one wallet that they have.

use std::cell::Cell;

use rand::rngs::StdRng;
use rand::{CryptoRng, SeedableRng};
use types::{
    Add, Argon2Cost, Genesis, Link, LinkHash, LinkPayload, Locator, Member, MemberId, Membership,
    PublicKey, Revoke, SignedLink, Suite, WalletId,
};

use crate::es256::Signature;
use crate::{
    DeviceKeys, MemberKeys, RecoveryCode, RevokerCode, SealError, Secret32, SoftwareMember,
    WalletKey, sign_link,
};

/// The wallet keys of generations 1, 2 and 3.
pub(super) const WALLET_KEYS: [[u8; 32]; 3] = [[0x11; 32], [0x22; 32], [0x33; 32]];

/// A passphrase as a member: a device's keys under another description.
pub(super) struct Passphrase {
    member: Member,
    keys: SoftwareMember,
}

impl MemberKeys for Passphrase {
    fn member(&self) -> &Member {
        &self.member
    }
    fn sign(&self, rng: &mut dyn CryptoRng, message: &[u8]) -> Result<Signature, SealError> {
        self.keys.sign(rng, message)
    }
    fn agree(&self, peer: &PublicKey) -> Result<Secret32, SealError> {
        self.keys.agree(peer)
    }
}

pub(super) struct Actors {
    pub rng: StdRng,
    forks: Cell<u64>,
    pub a: DeviceKeys,
    pub b: DeviceKeys,
    pub c: DeviceKeys,
    /// Never a member.
    pub stranger: DeviceKeys,
    pub code: SoftwareMember,
    pub revoker: SoftwareMember,
    pub passphrase: Passphrase,
}

impl Actors {
    pub(super) fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(0x0068_6f6c_6466_6173);
        let [a, b, c, stranger] = [(); 4].map(|()| DeviceKeys::generate(&mut rng));
        let code = RecoveryCode::generate(&mut rng).member_keys();
        let revoker = RevokerCode::generate(&mut rng).member_keys();
        let keys = SoftwareMember::generate_device(&mut rng);
        let (sign, seal) = (*keys.member().sign(), *keys.member().seal().unwrap());
        let locator = Locator::from_bytes([0x6c; 16]);
        let member = Member::passphrase(sign, seal, locator, Argon2Cost::FLOOR).unwrap();
        let passphrase = Passphrase { member, keys };
        Self { rng, forks: Cell::new(0), a, b, c, stranger, code, revoker, passphrase }
    }

    /// Another source of randomness, for while the actors are borrowed.
    pub(super) fn fork(&self) -> StdRng {
        self.forks.set(self.forks.get() + 1);
        StdRng::seed_from_u64(self.forks.get())
    }

    /// Signs with the keys of whoever must.
    pub(super) fn sign(&mut self, link: &Link) -> SignedLink {
        let all: [&dyn MemberKeys; 7] = [
            &self.a.member,
            &self.b.member,
            &self.c.member,
            &self.stranger.member,
            &self.code,
            &self.revoker,
            &self.passphrase,
        ];
        sign_link(&mut self.rng, &all, link).unwrap()
    }
}

/// The wallet: its links, and the members after each.
pub(super) struct Wallet {
    pub actors: Actors,
    pub links: Vec<SignedLink>,
    pub members: Vec<Membership>,
}

impl Wallet {
    /// All links of the story:
    ///
    /// 0 A and the code begin; 1 first key; 2 A adds B; 3 the code adds a revoker; 4 the code adds a
    /// passphrase; 5 the revoker revokes B; 6 A rotates; 7 the passphrase adds C; 8 the passphrase
    /// rotates; 9 the code erases.
    pub(super) fn new() -> Self {
        let mut wallet = Self { actors: Actors::new(), links: vec![], members: vec![] };
        let genesis = wallet.genesis();
        let (a, code) = (wallet.actors.a.member.id(), wallet.actors.code.id());
        let (passphrase, revoker) = (wallet.actors.passphrase.id(), wallet.actors.revoker.id());
        wallet.push(a, LinkPayload::Genesis(genesis));
        let first = wallet.rotate(1);
        wallet.push(a, first);
        let add = wallet.add(*wallet.actors.b.member.member(), 1);
        wallet.push(a, add);
        let add = wallet.add(*wallet.actors.revoker.member(), 1);
        wallet.push(code, add);
        let add = wallet.add(*wallet.actors.passphrase.member(), 1);
        wallet.push(code, add);
        let member = wallet.actors.b.member.id();
        wallet.push(revoker, LinkPayload::Revoke(Revoke { member, reason: 1 }));
        let second = wallet.rotate(2);
        wallet.push(a, second);
        let add = wallet.add(*wallet.actors.c.member.member(), 2);
        wallet.push(passphrase, add);
        let third = wallet.rotate(3);
        wallet.push(passphrase, third);
        wallet.push(code, LinkPayload::Erase);
        wallet
    }

    pub(super) fn genesis(&self) -> Genesis {
        let members = vec![*self.actors.a.member.member(), *self.actors.code.member()];
        Genesis { region: 0x31, nonce: [0x6e; 32], members }
    }

    pub(super) fn id(&self) -> WalletId {
        self.links[0].wallet()
    }

    /// The key of a generation.
    pub(super) fn key(&self, generation: u32) -> WalletKey {
        let raw = WALLET_KEYS[generation as usize - 1];
        WalletKey::new(self.id(), generation, Secret32::new(&raw))
    }

    /// The rotation to a generation, for the members there are.
    pub(super) fn rotate(&mut self, generation: u32) -> LinkPayload {
        let previous = (generation > 1).then(|| self.key(generation - 1));
        let key = self.key(generation);
        let members = self.members.last().unwrap().seal_members().map(|state| &state.member);
        let rng = &mut self.actors.rng;
        LinkPayload::Rotate(key.rotate(rng, previous.as_ref(), members).unwrap())
    }

    /// Adds a member under the key of a generation.
    pub(super) fn add(&mut self, member: Member, generation: u32) -> LinkPayload {
        let key = self.key(generation);
        let seal = member.seal().map(|_| key.seal_to(&mut self.actors.rng, &member).unwrap());
        LinkPayload::Add(Add { member, generation, seal })
    }

    /// The next link after the first `n`.
    pub(super) fn link(&self, n: usize, signer: MemberId, payload: LinkPayload) -> Link {
        let (wallet, prev) = match n {
            0 => (WalletId::ZERO, LinkHash::ZERO),
            _ => (self.id(), self.links[n - 1].hash()),
        };
        Link { suite: Suite::P256, wallet, n: n as u32, prev, signer, payload }
    }

    fn push(&mut self, signer: MemberId, payload: LinkPayload) {
        let link = self.link(self.links.len(), signer, payload);
        let signed = self.actors.sign(&link);
        let members = match self.members.last() {
            None => Membership::genesis(&signed).unwrap(),
            Some(before) => {
                let mut after = before.clone();
                after.admit(&signed).unwrap();
                after
            }
        };
        self.links.push(signed);
        self.members.push(members);
    }
}
