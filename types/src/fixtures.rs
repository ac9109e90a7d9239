//! What the tests of this crate share: members, chains and wallets whose keys and signatures are made up,
//! because nothing here looks into them; and one check that every layout must pass.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use crate::cost::Argon2Cost;
use crate::envelope::{Envelope, EnvelopeHeader, Purpose};
use crate::hash::tagged;
use crate::ids::{Locator, MemberId, RecordId, WalletId};
use crate::layout::FormatError;
use crate::link::{Add, Genesis, Link, LinkPayload, Revoke, Rotate, SignedLink};
use crate::member::{Member, MemberKind, PublicKey};
use crate::membership::{LinkRefused, Membership};
use crate::signature::MemberSignature;
use crate::suite::Suite;
use crate::wrapped::WrappedSeal;

mod wallet;

pub(crate) use wallet::{Edit, Wallet, record_id, sign};

/// 32 bytes that depend on a number and nothing else.
pub(crate) fn bytes_of(number: u64) -> [u8; 32] {
    tagged("holdfast/1 fixture", &[&number.to_be_bytes()])
}

/// A key of the right form that is on no curve.
pub(crate) fn key(number: u64) -> PublicKey {
    let mut bytes = vec![4];
    bytes.extend(bytes_of(number));
    bytes.extend(bytes_of(!number));
    PublicKey::parse(&bytes).unwrap()
}

/// The member of this kind and number, with keys of its own.
pub(crate) fn member(kind: MemberKind, number: u64) -> Member {
    let number = number * 8 + kind as u64;
    let (sign, seal) = (key(number), key(number + (1 << 32)));
    let locator = Locator::from_bytes([number as u8; 16]);
    match kind {
        MemberKind::Device => Member::device(sign, seal).unwrap(),
        MemberKind::RecoveryCode => Member::recovery_code(sign, seal, locator).unwrap(),
        MemberKind::Passphrase => {
            Member::passphrase(sign, seal, locator, Argon2Cost::FLOOR).unwrap()
        }
        MemberKind::Revoker => Member::revoker(sign, locator),
    }
}

/// A device.
pub(crate) fn device(number: u64) -> Member {
    member(MemberKind::Device, number)
}

/// A recovery code.
pub(crate) fn recovery(number: u64) -> Member {
    member(MemberKind::RecoveryCode, number)
}

/// A seal to a member.
pub(crate) fn seal_to(member: MemberId) -> WrappedSeal {
    WrappedSeal { member, suite: Suite::P256, enc: *key(7).as_bytes(), ct: [9; 48] }
}

/// An envelope with made-up content of this length.
pub(crate) fn envelope(header: EnvelopeHeader, content_len: usize, fill: u8) -> Vec<u8> {
    let mut bytes = header.encode();
    bytes.resize(EnvelopeHeader::LEN + 64 + content_len + Envelope::TAG_LEN, fill);
    bytes
}

/// A record's envelope.
pub(crate) fn record(wallet: WalletId, id: RecordId, version: u64, generation: u32) -> Vec<u8> {
    let purpose = Purpose::Record;
    let header = EnvelopeHeader { suite: Suite::P256, purpose, wallet, id, version, generation };
    envelope(header, 1024, version as u8)
}

/// The history of a generation.
pub(crate) fn history(wallet: WalletId, generation: u32) -> Vec<u8> {
    let (purpose, id) = (Purpose::History, RecordId::ZERO);
    let header = EnvelopeHeader { suite: Suite::P256, purpose, wallet, id, version: 0, generation };
    envelope(header, 32, 3)
}

/// A link with made-up signatures of exactly those that it needs.
pub(crate) fn signed(link: &Link) -> SignedLink {
    let signature = |member| MemberSignature { member, signature: [5; 64] };
    SignedLink::new(link, link.required_signers().into_iter().map(signature).collect()).unwrap()
}

/// A genesis of these members, signed first by the first device.
pub(crate) fn genesis(members: &[Member]) -> Link {
    let first = members.iter().find(|member| member.kind() == MemberKind::Device);
    Link {
        suite: Suite::P256,
        wallet: WalletId::ZERO,
        n: 0,
        prev: crate::ids::LinkHash::ZERO,
        signer: first.unwrap_or(&device(99)).id(),
        payload: LinkPayload::Genesis(Genesis {
            region: 2,
            nonce: [1; 32],
            members: members.to_vec(),
        }),
    }
}

/// A chain of links and the members after it.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) links: Vec<SignedLink>,
    pub(crate) membership: Membership,
}

impl Chain {
    /// A genesis alone.
    pub(crate) fn unkeyed(members: &[Member]) -> Self {
        let link = signed(&genesis(members));
        Self { membership: Membership::genesis(&link).unwrap(), links: vec![link] }
    }

    /// A genesis and the first rotation, by the first device.
    pub(crate) fn new(members: &[Member]) -> Self {
        let mut chain = Self::unkeyed(members);
        let signer = chain.links[0].link().signer;
        chain.admit(signer, chain.rotate()).unwrap();
        chain
    }

    /// The next link, unsigned.
    pub(crate) fn link(&self, signer: MemberId, payload: LinkPayload) -> Link {
        Link {
            suite: Suite::P256,
            wallet: self.membership.wallet(),
            n: self.membership.links(),
            prev: self.membership.last_link(),
            signer,
            payload,
        }
    }

    /// Signs the next link and asks for it to be admitted.
    pub(crate) fn admit(
        &mut self,
        signer: MemberId,
        payload: LinkPayload,
    ) -> Result<(), LinkRefused> {
        let link = signed(&self.link(signer, payload));
        self.membership.admit(&link)?;
        self.links.push(link);
        Ok(())
    }

    /// The rotation due now.
    pub(crate) fn rotate(&self) -> LinkPayload {
        let generation = self.membership.generation() + 1;
        let mut seals: Vec<_> =
            self.membership.seal_members().map(|state| seal_to(state.id)).collect();
        seals.sort_by_key(|seal| seal.member);
        let history = if generation == 1 {
            Vec::new()
        } else {
            history(self.membership.wallet(), generation)
        };
        LinkPayload::Rotate(Rotate { generation, wk_commit: [8; 32], history, seals })
    }

    /// The addition of a member, now.
    pub(crate) fn add(&self, member: Member) -> LinkPayload {
        let seal = member.seal().map(|_| seal_to(member.id()));
        LinkPayload::Add(Add { member, generation: self.membership.generation(), seal })
    }
}

/// The revocation of a member.
pub(crate) fn revoke(member: MemberId) -> LinkPayload {
    LinkPayload::Revoke(Revoke { member, reason: 1 })
}

/// What every layout must keep. `encode` of what `parse` reads is what was read, so that no two byte
/// strings mean one value; every cut and everything appended is refused; no change of a byte panics.
pub(crate) fn strict<T>(
    bytes: &[u8],
    parse: impl Fn(&[u8]) -> Result<T, FormatError>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    assert_eq!(encode(&parse(bytes).unwrap()), bytes, "the layout does not round-trip");
    for len in 0..bytes.len() {
        assert!(parse(&bytes[..len]).is_err(), "accepted when cut to {len} bytes");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(parse(&longer).is_err(), "accepted with a byte appended");
    let mut changed = bytes.to_vec();
    for at in 0..bytes.len() {
        for flip in [0x01, 0x02, 0x80, 0xff] {
            changed[at] ^= flip;
            if let Ok(value) = parse(&changed) {
                assert_eq!(encode(&value), changed, "byte {at} is not read, or not kept");
            }
            changed[at] ^= flip;
        }
    }
}

/// Any member.
pub(crate) fn any_member() -> impl Strategy<Value = Member> {
    (prop::sample::select(MemberKind::ALL.to_vec()), 0..1_000_000_u64)
        .prop_map(|(kind, number)| member(kind, number))
}
