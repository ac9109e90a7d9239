//! Heads: one encoding each, and every field held to its rule.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::fixtures::strict;

fn any_head() -> impl Strategy<Value = Head> {
    let hashes = any::<[[u8; 32]; 5]>();
    (hashes, 1..u64::MAX, any::<u32>(), any::<[u8; 16]>(), any::<u64>()).prop_map(
        |([wallet, mut prev, history, root, link], seq, links, signer, time_s)| {
            prev[0] |= 1;
            Head {
                suite: Suite::P256,
                wallet: WalletId::from_bytes(wallet),
                seq,
                prev: if seq == 1 { HeadHash::ZERO } else { HeadHash::from_bytes(prev) },
                history: TreeHash::from_bytes(history),
                root: Root::from_bytes(root),
                links,
                link: LinkHash::from_bytes(link),
                signer: MemberId::from_bytes(signer),
                time_s,
            }
        },
    )
}

fn first() -> Head {
    Head {
        suite: Suite::P256,
        wallet: WalletId::from_bytes([1; 32]),
        seq: 1,
        prev: HeadHash::ZERO,
        history: crate::tree::empty_hash(),
        root: Root::from_bytes([2; 32]),
        links: 2,
        link: LinkHash::from_bytes([3; 32]),
        signer: MemberId::from_bytes([4; 16]),
        time_s: 5,
    }
}

fn changed(at: usize, value: u8) -> Problem {
    let mut bytes = first().encode();
    bytes[at] = value;
    Head::parse(&bytes).unwrap_err().problem
}

#[test]
fn sizes_are_frozen() {
    assert_eq!(first().encode().len(), 203);
    assert_eq!((Head::LEN, MemberSignature::LEN, SignedHead::LEN), (203, 80, 283));
}

#[test]
fn every_fixed_field_has_its_one_value() {
    assert_eq!(changed(0, b'X'), Problem::Magic);
    assert_eq!(changed(4, 0), Problem::Zero { field: "format" });
    assert_eq!(changed(4, 2), Problem::Update { field: "format", found: 2, known: 1 });
    assert_eq!(changed(6, 0), Problem::Zero { field: "suite" });
    assert_eq!(changed(6, 2), Problem::Update { field: "suite", found: 2, known: 1 });
    assert_eq!(changed(5, 1), Problem::Update { field: "suite", found: 257, known: 1 });
    assert!(matches!(changed(46, 0), Problem::Value { field: "sequence number", .. }));
    assert!(matches!(changed(46, 2), Problem::Value { field: "previous hash", .. }));
    assert!(matches!(changed(50, 1), Problem::Value { field: "previous hash", .. }));
}

#[test]
fn a_signed_head_carries_its_signers_signature_alone() {
    let head = first();
    let signature = |member| MemberSignature { member, signature: [7; 64] };
    let good = SignedHead::new(&head, signature(head.signer)).unwrap();
    assert_eq!(SignedHead::parse(&good.bytes(), &good.signature().encode()), Ok(good));
    assert_eq!(good.hash(), head.hash());
    assert!(SignedHead::new(&head, signature(MemberId::ZERO)).is_err());
    let twice = [good.signature().encode(), good.signature().encode()].concat();
    assert!(SignedHead::parse(&good.bytes(), &twice).is_err());
    assert!(SignedHead::parse(&good.bytes(), &[]).is_err());
    strict(&good.to_stored(), SignedHead::from_stored, SignedHead::to_stored);
    assert_eq!(good.to_stored().len(), SignedHead::LEN);
    let wrong = Head { seq: 0, ..head };
    assert!(SignedHead::new(&wrong, signature(head.signer)).is_err());
}

proptest! {
    /// Every head has one encoding, and its hash is that of its bytes.
    #[test]
    fn the_layout_is_strict(head in any_head()) {
        strict(&head.encode(), Head::parse, Head::encode);
        prop_assert_eq!(head.hash(), HeadHash::from_bytes(tagged("holdfast/1 head", &[&head.encode()])));
    }

    /// No bytes make the parser panic.
    #[test]
    fn any_bytes_are_read_or_refused(tail in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Head::parse(&tail);
        let _ = Head::parse(&[b"HFhd\x01\x00\x01".as_slice(), &tail].concat());
    }
}
