//! Who belongs to a wallet, after a chain of links.
//!
//! Promises: a link is admitted only if the rules of the chain and of authority (docs/formats.md, Link) allow
//! it on the members before it; a refused link changes nothing. Server and client run the same code.
//!
//! Not here: whether signatures verify. Their keys are here, though: a member's keys never change and no
//! member is forgotten, so the membership after a link knows the key of everyone who had to sign it.

use serde::{Deserialize, Serialize};

use crate::envelope::Envelope;
use crate::ids::{LinkHash, MemberId, WalletId};
use crate::limits::SEAL_MEMBERS_MAX;
use crate::link::{Add, Genesis, Link, LinkPayload, Revoke, Rotate, SignedLink};
use crate::member::{Member, MemberKind};
use crate::suite::Suite;

mod authority;
mod refused;

pub use refused::LinkRefused;

/// One member, and when it stood in the wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberState {
    /// Its id, which is the hash of `member`.
    pub id: MemberId,
    /// Its kind and keys.
    pub member: Member,
    /// The number of the link that added it.
    pub added: u32,
    /// The number of the link that revoked it.
    pub revoked: Option<u32>,
}

impl MemberState {
    /// Whether it is a member now.
    pub const fn is_active(&self) -> bool {
        self.revoked.is_none()
    }

    /// Whether it was a member after the first `links` links.
    pub fn is_active_after(&self, links: u32) -> bool {
        self.added < links && self.revoked.is_none_or(|revoked| revoked >= links)
    }
}

/// The members of a wallet and what else its links say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    wallet: WalletId,
    links: u32,
    last_link: LinkHash,
    generation: u32,
    rotation_due: bool,
    erased: bool,
    min_suite: Suite,
    /// Everybody who ever was one, in the order they came.
    members: Vec<MemberState>,
}

impl Membership {
    /// The membership that a genesis begins.
    ///
    /// # Errors
    /// If it is no genesis, or breaks a rule for one.
    pub fn genesis(link: &SignedLink) -> Result<Self, LinkRefused> {
        let LinkPayload::Genesis(genesis) = &link.link().payload else {
            return Err(LinkRefused::NoGenesis);
        };
        check_genesis(genesis, &link.link().signer)?;
        let members = genesis.members.iter();
        Ok(Self {
            wallet: link.wallet(),
            links: 1,
            last_link: link.hash(),
            generation: 0,
            rotation_due: false,
            erased: false,
            min_suite: Suite::P256,
            members: members.map(|member| MemberState::new(*member, 0)).collect(),
        })
    }

    /// The membership after a whole chain, from its genesis on.
    ///
    /// # Errors
    /// The number of the first link that is refused, and why.
    pub fn of_chain(links: &[SignedLink]) -> Result<Self, (u32, LinkRefused)> {
        let (first, rest) = links.split_first().ok_or((0, LinkRefused::NoGenesis))?;
        let mut membership = Self::genesis(first).map_err(|why| (0, why))?;
        for link in rest {
            let n = membership.links;
            membership.admit(link).map_err(|why| (n, why))?;
        }
        Ok(membership)
    }

    /// Takes the next link in, or says why not and stays as it is.
    ///
    /// # Errors
    /// The first rule that the link breaks.
    pub fn admit(&mut self, signed: &SignedLink) -> Result<(), LinkRefused> {
        let link = signed.link();
        self.check_place(link)?;
        let signer = self.active(&link.signer).ok_or(LinkRefused::SignerInactive)?;
        authority::check(self, signer, &link.payload)?;
        match &link.payload {
            LinkPayload::Genesis(_) => {
                return Err(LinkRefused::OutOfPlace { expected: self.links });
            }
            LinkPayload::Rotate(rotate) => {
                self.check_rotate(rotate)?;
                self.generation = rotate.generation;
                self.rotation_due = false;
            }
            LinkPayload::Add(add) => {
                self.check_add(add)?;
                self.members.push(MemberState::new(add.member, link.n));
            }
            LinkPayload::Revoke(Revoke { member, .. }) => {
                let revoked =
                    self.members.iter_mut().find(|state| state.id == *member && state.is_active());
                revoked.ok_or(LinkRefused::NotAMember)?.revoked = Some(link.n);
                self.rotation_due = true;
            }
            LinkPayload::MinSuite(suite) => {
                // Every sealing key there can be fits every suite that the parser knows.
                if *suite <= self.min_suite {
                    return Err(LinkRefused::SuiteNotRising);
                }
                self.min_suite = *suite;
            }
            LinkPayload::Erase => self.erased = true,
        }
        self.links += 1; // `check_place` saw that there is a next number.
        self.last_link = signed.hash();
        Ok(())
    }

    /// What holds for every link: it continues this chain, and a suite and a kind that may stand here.
    fn check_place(&self, link: &Link) -> Result<(), LinkRefused> {
        if self.erased {
            return Err(LinkRefused::Erased);
        }
        if link.n != self.links || self.links == u32::MAX {
            return Err(LinkRefused::OutOfPlace { expected: self.links });
        }
        if link.wallet != self.wallet {
            return Err(LinkRefused::OtherWallet);
        }
        if link.prev != self.last_link {
            return Err(LinkRefused::OtherChain);
        }
        if link.suite < self.min_suite {
            return Err(LinkRefused::SuiteTooLow);
        }
        if self.generation == 0 && !matches!(link.payload, LinkPayload::Rotate(_)) {
            return Err(LinkRefused::RotateFirst);
        }
        Ok(())
    }

    fn check_rotate(&self, rotate: &Rotate) -> Result<(), LinkRefused> {
        if Some(rotate.generation) != self.generation.checked_add(1) {
            return Err(LinkRefused::Generation);
        }
        if !rotate.history.is_empty() {
            let history = Envelope::parse(&rotate.history).map_err(|_| LinkRefused::History)?;
            if history.header.wallet != self.wallet || history.header.suite < self.min_suite {
                return Err(LinkRefused::History);
            }
        }
        let mut expected: Vec<_> = self.seal_members().map(|state| state.id).collect();
        expected.sort_unstable();
        if !rotate.seals.iter().map(|seal| seal.member).eq(expected) {
            return Err(LinkRefused::Seals);
        }
        if rotate.seals.iter().any(|seal| seal.suite < self.min_suite) {
            return Err(LinkRefused::SuiteTooLow);
        }
        Ok(())
    }

    fn check_add(&self, add: &Add) -> Result<(), LinkRefused> {
        if add.generation != self.generation {
            return Err(LinkRefused::Generation);
        }
        if add.seal.as_ref().is_some_and(|seal| seal.suite < self.min_suite) {
            return Err(LinkRefused::SuiteTooLow);
        }
        let id = add.member.id();
        if self
            .members
            .iter()
            .any(|state| state.id == id || state.member.shares_key_with(&add.member))
        {
            return Err(LinkRefused::KeyReused);
        }
        if add.member.seal().is_some() && self.seal_members().count() >= SEAL_MEMBERS_MAX {
            return Err(LinkRefused::TooManyMembers);
        }
        Ok(())
    }

    /// The wallet.
    pub const fn wallet(&self) -> WalletId {
        self.wallet
    }

    /// How many links there are.
    pub const fn links(&self) -> u32 {
        self.links
    }

    /// The hash of the last of them.
    pub const fn last_link(&self) -> LinkHash {
        self.last_link
    }

    /// The current generation of the wallet key; 0 between the genesis and the first rotation.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether a member was revoked and the wallet key not rotated since: no record may change.
    pub const fn rotation_due(&self) -> bool {
        self.rotation_due
    }

    /// Whether the wallet has ended: nothing follows.
    pub const fn erased(&self) -> bool {
        self.erased
    }

    /// The lowest suite that links, heads, seals and envelopes may use from here on.
    pub const fn min_suite(&self) -> Suite {
        self.min_suite
    }

    /// Everybody who ever was a member, in the order they came.
    pub fn members(&self) -> &[MemberState] {
        &self.members
    }

    /// A member, active or revoked.
    pub fn member(&self, id: &MemberId) -> Option<&MemberState> {
        self.members.iter().find(|state| state.id == *id)
    }

    /// A member that is one now.
    pub fn active(&self, id: &MemberId) -> Option<&MemberState> {
        self.member(id).filter(|state| state.is_active())
    }

    /// Those who are members now.
    pub fn active_members(&self) -> impl Iterator<Item = &MemberState> {
        self.members.iter().filter(|state| state.is_active())
    }

    /// Those to whom a rotation seals the wallet key: active, with a sealing key. In the order they came.
    pub fn seal_members(&self) -> impl Iterator<Item = &MemberState> {
        self.active_members().filter(|state| state.member.seal().is_some())
    }

    /// Whether a recovery code is or ever was a member.
    pub fn had_recovery_code(&self) -> bool {
        self.members.iter().any(|state| state.member.kind() == MemberKind::RecoveryCode)
    }
}

impl MemberState {
    fn new(member: Member, added: u32) -> Self {
        Self { id: member.id(), member, added, revoked: None }
    }
}

fn check_genesis(genesis: &Genesis, signer: &MemberId) -> Result<(), LinkRefused> {
    let kinds = || genesis.members.iter().map(Member::kind);
    let first_device = genesis.members.iter().find(|member| member.kind() == MemberKind::Device);
    let first_device = first_device.ok_or(LinkRefused::GenesisWithoutDevice)?;
    if first_device.id() != *signer {
        return Err(LinkRefused::GenesisSigner);
    }
    if kinds().filter(|kind| *kind == MemberKind::RecoveryCode).count() > 1 {
        return Err(LinkRefused::GenesisRecoveryCodes);
    }
    if kinds().any(|kind| kind == MemberKind::Passphrase) {
        return Err(LinkRefused::GenesisPassphrase);
    }
    let reused = genesis.members.iter().enumerate().any(|(at, member)| {
        let before = genesis.members.iter().take(at);
        before.into_iter().any(|other| other.shares_key_with(member))
    });
    // Two members of one id are one member twice, and so share their keys.
    if reused { Err(LinkRefused::KeyReused) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
