//! What members sign and what is sealed to them, with keys in memory and keys that are not.
#![allow(clippy::unwrap_used)]

use rand::rngs::StdRng;
use rand::{CryptoRng, SeedableRng};
use seal::{
    DeviceKeys, MemberKeys, RecoveryCode, SealError, Secret32, SignatureRefused, WalletKey,
    check_member, sign_challenge, sign_head, sign_link, verify_challenge, verify_head, verify_link,
};
use types::{
    Add, Challenge, ChallengeUse, ClusterId, Genesis, Head, HeadHash, Link, LinkHash, LinkPayload,
    Member, MemberSignature, Membership, PublicKey, Root, Secret, SignedHead, SignedLink, Suite,
    TreeHash, WalletId,
};

/// A device whose keys live elsewhere: all it gives is a signature and an x coordinate.
struct Elsewhere(DeviceKeys);

impl MemberKeys for Elsewhere {
    fn member(&self) -> &Member {
        self.0.member.member()
    }
    fn sign(&self, rng: &mut dyn CryptoRng, message: &[u8]) -> Result<[u8; 64], SealError> {
        self.0.member.sign(rng, message)
    }
    fn agree(&self, peer: &PublicKey) -> Result<Secret32, SealError> {
        self.0.member.agree(peer)
    }
}

/// A device that has lost its hardware.
struct Unplugged(Member);

impl MemberKeys for Unplugged {
    fn member(&self) -> &Member {
        &self.0
    }
    fn sign(&self, _: &mut dyn CryptoRng, _: &[u8]) -> Result<[u8; 64], SealError> {
        Err(SealError::KeyUnavailable("the token is not plugged in".into()))
    }
    fn agree(&self, _: &PublicKey) -> Result<Secret32, SealError> {
        Err(SealError::KeyUnavailable("the token is not plugged in".into()))
    }
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

/// A wallet of one device and a recovery code.
struct Fixture {
    rng: StdRng,
    device: Elsewhere,
    code: RecoveryCode,
    genesis: SignedLink,
    members: Membership,
}

impl Fixture {
    fn new() -> Self {
        let mut rng = rng();
        let device = Elsewhere(DeviceKeys::generate(&mut rng));
        let code = RecoveryCode::generate(&mut rng);
        let keys = code.member_keys();
        let members = vec![*device.member(), *keys.member()];
        let link = Link {
            suite: Suite::P256,
            wallet: WalletId::ZERO,
            n: 0,
            prev: LinkHash::ZERO,
            signer: device.id(),
            payload: LinkPayload::Genesis(Genesis { region: 1, nonce: [2; 32], members }),
        };
        let genesis = sign_link(&mut rng, &[&keys, &device], &link).unwrap();
        let members = Membership::genesis(&genesis).unwrap();
        Self { rng, device, code, genesis, members }
    }

    fn head(&self) -> Head {
        Head {
            suite: Suite::P256,
            wallet: self.members.wallet(),
            seq: 1,
            prev: HeadHash::ZERO,
            history: TreeHash::ZERO,
            root: Root::ZERO,
            links: 1,
            link: self.members.last_link(),
            signer: self.device.id(),
            time_s: 0,
        }
    }
}

#[test]
fn a_genesis_verifies_with_all_its_signatures() {
    let f = Fixture::new();
    assert_eq!(verify_link(&f.members, &f.genesis), Ok(()));
    let mut signatures = f.genesis.signatures().to_vec();
    signatures[1].signature[0] ^= 1;
    let altered = SignedLink::new(f.genesis.link(), signatures).unwrap();
    let id = f.code.member_keys().id();
    assert_eq!(verify_link(&f.members, &altered), Err(SignatureRefused::BadSignature(id)));
}

#[test]
fn a_link_cannot_be_signed_without_everybody_it_needs() {
    let mut f = Fixture::new();
    let link = f.genesis.link().clone();
    let refused = sign_link(&mut f.rng, &[&f.device], &link).map(drop);
    assert!(matches!(refused, Err(SealError::KeyUnavailable(_))));
}

#[test]
fn a_member_with_a_key_off_the_curve_is_refused_wherever_it_comes_in() {
    let mut f = Fixture::new();
    let new = DeviceKeys::generate(&mut f.rng).member;
    let mut point = *new.member().seal().unwrap().as_bytes();
    point[64] ^= 1;
    let point = PublicKey::parse(&point).unwrap();
    let member = Member::device(*new.member().sign(), point).unwrap();
    assert_eq!(check_member(&member), Err(SealError::BadKey("the member's seal key")));

    let key = WalletKey::generate(&mut f.rng, f.members.wallet());
    let to_point = key.seal_to(&mut f.rng, &member);
    assert_eq!(to_point.map(drop), Err(SealError::BadKey("the member's seal key")));
    let seal = types::WrappedSeal {
        member: member.id(),
        ..key.seal_to(&mut f.rng, new.member()).unwrap()
    };
    let link = Link {
        wallet: f.members.wallet(),
        n: 1,
        prev: f.members.last_link(),
        payload: LinkPayload::Add(Add { member, generation: 1, seal: Some(seal) }),
        ..f.genesis.link().clone()
    };
    let message = types::hash::signed_message("holdfast/1 link", &link.encode().unwrap());
    let mut sign = |id, keys: &dyn MemberKeys| MemberSignature {
        member: id,
        signature: keys.sign(&mut f.rng, &message).unwrap(),
    };
    let signatures = vec![sign(f.device.id(), &f.device), sign(member.id(), &new)];
    let link = SignedLink::new(&link, signatures).unwrap();
    assert_eq!(verify_link(&f.members, &link), Err(SignatureRefused::BadKey(member.id())));
}

#[test]
fn a_head_verifies_by_its_signer_only() {
    let mut f = Fixture::new();
    let head = f.head();
    let signed = sign_head(&mut f.rng, &f.device, &head).unwrap();
    assert_eq!(verify_head(&f.members, &signed), Ok(()));

    let code = f.code.member_keys();
    let refused = sign_head(&mut f.rng, &code, &head).map(drop);
    assert!(matches!(refused, Err(SealError::Format(_))), "the head names another signer");
    let by_code = sign_head(&mut f.rng, &code, &Head { signer: code.id(), ..head }).unwrap();
    let forged = MemberSignature { member: f.device.id(), ..*by_code.signature() };
    let forged = SignedHead::new(&head, forged).unwrap();
    let refused = Err(SignatureRefused::BadSignature(f.device.id()));
    assert_eq!(verify_head(&f.members, &forged), refused);

    let stranger = DeviceKeys::generate(&mut f.rng).member;
    let head = Head { signer: stranger.id(), ..head };
    let signed = sign_head(&mut f.rng, &stranger, &head).unwrap();
    let refused = Err(SignatureRefused::NotAMember(stranger.id()));
    assert_eq!(verify_head(&f.members, &signed), refused);
}

#[test]
fn a_challenge_is_answered_by_the_member_and_for_the_use_it_names() {
    let mut f = Fixture::new();
    let code = f.code.member_keys();
    let challenge = Challenge {
        suite: Suite::P256,
        usage: ChallengeUse::Session,
        cluster: ClusterId::from_bytes([1; 16]),
        wallet: f.members.wallet(),
        member: f.device.id(),
        nonce: [2; 32],
        ephemeral: *f.device.member().sign(),
        expires_s: 10,
    };
    let answer = sign_challenge(&mut f.rng, &f.device, &challenge).unwrap();
    assert_eq!(verify_challenge(f.device.member(), &challenge, &answer), Ok(()));
    let refused = verify_challenge(code.member(), &challenge, &answer);
    assert_eq!(refused, Err(SignatureRefused::WrongChallenge));
    let later = Challenge { expires_s: 11, ..challenge };
    let refused = verify_challenge(f.device.member(), &later, &answer);
    assert_eq!(refused, Err(SignatureRefused::BadSignature(f.device.id())));
    let usage = ChallengeUse::Recovery;
    let recovery = Challenge { usage, wallet: WalletId::ZERO, ..challenge };
    let answer = sign_challenge(&mut f.rng, &f.device, &recovery).unwrap();
    let refused = verify_challenge(f.device.member(), &recovery, &answer);
    assert_eq!(refused, Err(SignatureRefused::WrongChallenge));
}

#[test]
fn wallet_keys_come_back_through_seals_and_history() {
    let mut f = Fixture::new();
    let code = f.code.member_keys();
    let wallet = f.members.wallet();
    let members = [*f.device.member(), *code.member()];
    let first = WalletKey::generate(&mut f.rng, wallet);
    let second = first.successor(&mut f.rng);
    assert_eq!((first.generation(), second.generation()), (1, 2));
    let rotate_1 = first.rotate(&mut f.rng, None, &members).unwrap();
    let rotate_2 = second.rotate(&mut f.rng, Some(&first), &members).unwrap();
    let id = types::RecordId::from_bytes([3; 16]);
    let record = first.seal_record(&mut f.rng, &id, 1, b"kept").unwrap();

    for keys in [&f.device as &dyn MemberKeys, &code] {
        let seal = rotate_2.seals.iter().find(|seal| seal.member == keys.id()).unwrap();
        let opened = WalletKey::open_seal(keys, wallet, 2, &rotate_2.wk_commit, seal).unwrap();
        let before = opened.open_history(&rotate_2.history, &rotate_1.wk_commit).unwrap();
        assert_eq!(before.open_record(&id, 1, &record).unwrap().expose(), b"kept");
        let too_far = opened.open_history(&rotate_2.history, &rotate_2.wk_commit);
        assert_eq!(too_far.map(drop), Err(SealError::DoesNotOpen));
        assert_eq!(opened.open_record(&id, 1, &record).map(drop), Err(SealError::DoesNotOpen));
    }
    let unplugged = Unplugged(*f.device.member());
    let seal = rotate_2.seals.iter().find(|seal| seal.member == unplugged.id()).unwrap();
    let refused = WalletKey::open_seal(&unplugged, wallet, 2, &rotate_2.wk_commit, seal);
    assert!(matches!(refused.map(drop), Err(SealError::KeyUnavailable(_))));
}

#[test]
fn a_record_has_a_largest_size() {
    let mut f = Fixture::new();
    let key = WalletKey::generate(&mut f.rng, f.members.wallet());
    let id = types::RecordId::from_bytes([3; 16]);
    let largest = vec![1; types::limits::RECORD_DATA_MAX];
    let sealed = key.seal_record(&mut f.rng, &id, 1, &largest).unwrap();
    assert_eq!(sealed.len(), types::limits::RECORD_ENVELOPE_MAX);
    assert_eq!(key.open_record(&id, 1, &sealed).unwrap().expose(), largest);
    let refused = key.seal_record(&mut f.rng, &id, 1, &[&largest[..], &[1]].concat());
    assert!(matches!(refused, Err(SealError::TooLong { .. })));
}

/// The sizes that the format's document states.
#[test]
fn sizes_are_as_expected() {
    let mut f = Fixture::new();
    let key = WalletKey::generate(&mut f.rng, f.members.wallet());
    let code = f.code.member_keys();
    let members = [*f.device.member(), *code.member()];
    assert_eq!(members[0].encode().len(), 145);
    let id = types::RecordId::from_bytes([3; 16]);
    assert_eq!(key.seal_record(&mut f.rng, &id, 1, &[1; 2044]).unwrap().len(), 2196);
    let head = f.head();
    let signed = sign_head(&mut f.rng, &f.device, &head).unwrap();
    assert_eq!(signed.to_stored().len(), 203 + 80);
    let next = key.successor(&mut f.rng);
    let rotate = next.rotate(&mut f.rng, Some(&key), &members).unwrap();
    assert_eq!(rotate.seals[0].encode().len(), 133);
    let link = |payload, n| Link {
        wallet: f.members.wallet(),
        n,
        prev: f.members.last_link(),
        payload,
        ..f.genesis.link().clone()
    };
    let rotate = link(LinkPayload::Rotate(rotate), 2);
    let signed = sign_link(&mut f.rng, &[&f.device], &rotate).unwrap();
    assert_eq!(signed.bytes().len(), 581);
    assert_eq!(signed.bytes().len() + signed.signature_bytes().len(), 661);
    let new = DeviceKeys::generate(&mut f.rng).member;
    let seal = Some(key.seal_to(&mut f.rng, new.member()).unwrap());
    let add = link(LinkPayload::Add(Add { member: *new.member(), generation: 1, seal }), 2);
    let signed = sign_link(&mut f.rng, &[&f.device, &new], &add).unwrap();
    assert_eq!(signed.bytes().len() + signed.signature_bytes().len(), 540);
}

#[test]
fn device_keys_come_back_from_a_plain_file() {
    let keys = DeviceKeys::generate(&mut rng());
    let plain = keys.to_plain();
    let read = DeviceKeys::from_plain(&plain).unwrap();
    assert_eq!(read.member.id(), keys.member.id());
    let cut = Secret::new(plain.expose()[..50].to_vec());
    assert!(matches!(DeviceKeys::from_plain(&cut).map(drop), Err(SealError::Format(_))));
    let mut zero = plain.expose().to_vec();
    zero[7..39].fill(0);
    let refused = DeviceKeys::from_plain(&Secret::new(zero)).map(drop);
    assert_eq!(refused, Err(SealError::BadKey("the private key")));
}
