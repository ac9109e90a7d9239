#![allow(clippy::unwrap_used)]
use types::{
    BodyHash, Envelope, EnvelopeHeader, Head, HeadHash, Link, LinkHash, LinkPayload, MemberId,
    MemberSignature, Purpose, RecordId, Revoke, Root, Suite, TreeHash, WalletId,
};

use super::*;

const SIGNER: MemberId = MemberId::from_bytes([3; 16]);
const WALLET: WalletId = WalletId::from_bytes([1; 32]);

fn signature() -> MemberSignature {
    MemberSignature { member: SIGNER, signature: [4; 64] }
}

fn head() -> SignedHead {
    let head = Head {
        suite: Suite::P256,
        wallet: WALLET,
        seq: 2,
        prev: HeadHash::from_bytes([5; 32]),
        history: TreeHash::from_bytes([6; 32]),
        root: Root::from_bytes([7; 32]),
        links: 3,
        link: LinkHash::from_bytes([8; 32]),
        signer: SIGNER,
        time_s: 9,
    };
    SignedHead::new(&head, signature()).unwrap()
}

fn link() -> SignedLink {
    let link = Link {
        suite: Suite::P256,
        wallet: WALLET,
        n: 2,
        prev: LinkHash::from_bytes([10; 32]),
        signer: SIGNER,
        payload: LinkPayload::Revoke(Revoke { member: MemberId::from_bytes([11; 16]), reason: 1 }),
    };
    SignedLink::new(&link, vec![signature()]).unwrap()
}

fn envelope() -> Vec<u8> {
    let header = EnvelopeHeader {
        suite: Suite::P256,
        purpose: Purpose::Record,
        wallet: WALLET,
        id: RecordId::from_bytes([12; 16]),
        version: 1,
        generation: 1,
    };
    let mut bytes = header.encode();
    bytes.resize(Envelope::OVERHEAD + 1024, 0);
    bytes
}

fn commit() -> Commit {
    Commit {
        head: head(),
        between: vec![HeadHash::from_bytes([13; 32])],
        links: vec![link()],
        envelopes: vec![envelope()],
        removed: vec![RecordId::from_bytes([14; 16])],
    }
}

#[test]
fn a_commit_comes_back_as_it_was() {
    let commit = commit();
    assert_ne!(BodyHash::ZERO, commit.check_shape().unwrap()[0].body_hash);
    assert_eq!(Commit::try_from(&v1::Commit::from(&commit)), Ok(commit));
}

#[test]
fn a_commit_without_a_head_is_refused() {
    let wire = v1::Commit { head: None, ..(&commit()).into() };
    let error = Commit::try_from(&wire).unwrap_err();
    assert_eq!(error.to_string(), "the commit has no head");
    assert!(!error.is_update());
}

#[test]
fn a_part_of_another_length_is_refused_and_named() {
    let wire = || v1::Commit::from(&commit());
    type Spoil = fn(&mut v1::Commit);
    let cases: [(&str, Spoil); 6] = [
        ("read the head", |wire| wire.head.as_mut().unwrap().head.truncate(202)),
        ("read the head", |wire| wire.head.as_mut().unwrap().signature.truncate(79)),
        ("read the head hash between at 0", |wire| wire.between[0].truncate(31)),
        ("read the link", |wire| wire.links[0].link.truncate(100)),
        ("read the signature at 0", |wire| wire.links[0].signatures[0].truncate(79)),
        ("read the removed record id at 0", |wire| wire.removed[0].truncate(15)),
    ];
    for (named, spoil) in cases {
        let mut wire = wire();
        spoil(&mut wire);
        assert_eq!(Commit::try_from(&wire).unwrap_err().to_string(), named);
    }
}

#[test]
fn wrong_lengths_of_signatures_do_not_make_up_for_each_other() {
    let mut wire = v1::SignedLink::from(&link());
    let signature = wire.signatures[0].clone();
    wire.signatures = vec![signature.slice(..40), signature.slice(40..)];
    assert!(matches!(
        SignedLink::try_from(&wire),
        Err(ConvertError::Format { field: "signature", at: Some(0), .. })
    ));
}

#[test]
fn what_a_newer_version_made_is_told_apart() {
    let mut wire = v1::Commit::from(&commit());
    let head = wire.head.as_mut().unwrap();
    let mut bytes = head.head.to_vec();
    bytes[4] = 2; // The format number.
    head.head = bytes.into();
    assert!(Commit::try_from(&wire).unwrap_err().is_update());
}
