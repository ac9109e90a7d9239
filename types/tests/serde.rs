//! Everything that is kept by serde survives the codec, and is read back by its own strict parser.

#![allow(clippy::unwrap_used, missing_docs)]

use serde::Serialize;
use serde::de::DeserializeOwned;
use types::*;

fn binary<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) -> usize {
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(value, config).unwrap();
    let (back, len): (T, usize) = bincode::serde::decode_from_slice(&bytes, config).unwrap();
    assert_eq!((&back, len), (value, bytes.len()));
    for cut in 0..bytes.len() {
        assert!(
            bincode::serde::decode_from_slice::<T, _>(&bytes[..cut], config).is_err(),
            "cut to {cut}"
        );
    }
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), value);
    bytes.len()
}

fn key(fill: u8) -> PublicKey {
    let mut bytes = [fill; 65];
    bytes[0] = 4;
    PublicKey::parse(&bytes).unwrap()
}

fn device() -> Member {
    Member::device(key(1), key(2)).unwrap()
}

fn signature(member: MemberId) -> MemberSignature {
    MemberSignature { member, signature: [3; 64] }
}

fn genesis() -> SignedLink {
    let payload =
        LinkPayload::Genesis(Genesis { region: 1, nonce: [2; 32], members: vec![device()] });
    let signer = device().id();
    let (wallet, prev) = (WalletId::ZERO, LinkHash::ZERO);
    let link = Link { suite: Suite::P256, wallet, n: 0, prev, signer, payload };
    SignedLink::new(&link, vec![signature(signer)]).unwrap()
}

fn head() -> SignedHead {
    let head = Head {
        suite: Suite::P256,
        wallet: WalletId::from_bytes([1; 32]),
        seq: 2,
        prev: HeadHash::from_bytes([2; 32]),
        history: TreeHash::from_bytes([3; 32]),
        root: Root::from_bytes([4; 32]),
        links: 2,
        link: LinkHash::from_bytes([5; 32]),
        signer: device().id(),
        time_s: 6,
    };
    SignedHead::new(&head, signature(head.signer)).unwrap()
}

#[test]
fn every_stored_value_survives() {
    assert_eq!(binary(&WalletId::from_bytes([7; 32])), 33);
    binary(&MemberId::from_bytes([7; 16]));
    binary(&Some(RequestId::from_bytes([7; 32])));
    binary(&(NodeId(u64::MAX), GroupId::FIRST_WALLET, Slot::new(4095).unwrap()));
    binary(&Suite::P256);
    binary(&key(9));
    binary(&device());
    binary(&Member::passphrase(key(1), key(2), Locator::ZERO, Argon2Cost::FLOOR).unwrap());
    binary(&signature(device().id()));
    binary(&genesis());
    binary(&Membership::genesis(&genesis()).unwrap());
    binary(&head());
    binary(&Sealed::new(vec![1, 2, 3]));
    let entry = Entry { id: RecordId::ZERO, version: 1, body_hash: BodyHash::ZERO };
    binary(&Entries::from_sorted(vec![entry]).unwrap());
    let mut history = Frontier::EMPTY;
    history.append_heads(&[HeadHash::ZERO, HeadHash::from_bytes([1; 32]), HeadHash::ZERO]);
    binary(&history);
    binary(&NodeInfo {
        id: NodeId(3),
        name: "one".into(),
        dc: "north".into(),
        role: Role::Witness,
        peer: "127.0.0.1:1".into(),
        endpoint: "https://127.0.0.1:2".into(),
        incarnation: Incarnation::from_bytes([8; 16]),
        state: NodeState::Draining,
    });
}

#[test]
fn every_rejection_survives_and_has_a_name_of_its_own() {
    let (named, found) = (HeadHash::ZERO, HeadHash::from_bytes([1; 32]));
    let rejections = [
        Rejection::NotFound,
        Rejection::Exists,
        Rejection::Conflict { named, found, found_seq: 7 },
        Rejection::MemberInactive,
        Rejection::RotationDue,
        Rejection::QuotaFull { what: "records".into(), limit: 10_000 },
        Rejection::WrongGroup,
        Rejection::RequestReused,
        Rejection::TooOld,
        Rejection::Erased,
        Rejection::Refused {
            code: "last_voter".into(),
            message: "the last voter cannot leave".into(),
        },
    ];
    let mut names: Vec<_> = rejections.iter().map(Rejection::code).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rejections.len());
    for rejection in &rejections {
        binary(rejection);
    }
}

#[test]
fn what_breaks_a_layout_is_not_read_back() {
    let config = bincode::config::standard();
    let mut bytes = bincode::serde::encode_to_vec(device(), config).unwrap();
    let at = bytes.len() - 1;
    bytes[at] = 1;
    assert!(bincode::serde::decode_from_slice::<Member, _>(&bytes, config).is_err());
    assert!(bincode::serde::decode_from_slice::<Suite, _>(&[2], config).is_err());
    assert!(serde_json::from_str::<WalletId>(r#""00ff""#).is_err());
    let error = serde_json::from_str::<MemberId>(r#""xx""#).unwrap_err();
    assert!(error.to_string().starts_with("a member id is written in hex"), "{error}");
}

#[test]
fn ids_are_hex_for_people() {
    let json = serde_json::to_string(&MemberId::from_bytes([171; 16])).unwrap();
    assert_eq!(json, format!("\"{}\"", "ab".repeat(16)));
}
