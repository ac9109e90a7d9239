//! Links: one encoding each, and every field held to its rule.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::fixtures::{
    Chain, any_member, device, genesis, history, member, recovery, revoke, seal_to, signed, strict,
};
use crate::member::MemberKind;
use crate::wrapped::WrappedSeal;

/// Where the fields of a link lie.
const N: usize = 39;
const PREV: usize = 43;
const KIND: usize = 75;
const LEN: usize = 92;
const PAYLOAD: usize = 96;

fn encode(link: &Link) -> Vec<u8> {
    link.encode().unwrap()
}

/// One link of each kind, as a chain would hold them.
fn samples() -> Vec<Link> {
    let mut chain = Chain::new(&[device(1), recovery(1)]);
    let (phone, code) = (device(1).id(), recovery(1).id());
    let mut samples = vec![chain.links[0].link().clone(), chain.links[1].link().clone()];
    for kind in MemberKind::ALL {
        samples.push(chain.link(code, chain.add(member(kind, 7))));
    }
    samples.push(chain.link(code, revoke(phone)));
    samples.push(chain.link(phone, LinkPayload::MinSuite(Suite::P256)));
    samples.push(chain.link(code, LinkPayload::Erase));
    chain.admit(phone, chain.add(device(2))).unwrap();
    samples.push(chain.link(phone, chain.rotate()));
    samples
}

fn changed(link: &Link, at: usize, value: u8) -> Problem {
    let mut bytes = encode(link);
    bytes[at] = value;
    Link::parse(&bytes).unwrap_err().problem
}

#[test]
fn sizes_are_frozen() {
    let mut chain = Chain::new(&[device(1), recovery(1)]);
    let size = |link: &SignedLink| link.bytes().len() + link.signature_bytes().len();
    chain.admit(device(1).id(), chain.rotate()).unwrap();
    assert_eq!(size(&chain.links[2]), 661, "Rotate with two members");
    chain.admit(device(1).id(), chain.add(device(2))).unwrap();
    assert_eq!(size(&chain.links[3]), 540, "Add(device)");
    assert_eq!(seal_to(device(1).id()).encode().len(), 133);
    assert_eq!((WrappedSeal::LEN, Link::FIXED_LEN), (133, 96));
}

#[test]
fn every_kind_is_strict() {
    for link in samples() {
        let bytes = encode(&link);
        assert_eq!(Link::parse(&bytes).as_ref(), Ok(&link));
        strict(&bytes, Link::parse, encode);
    }
}

#[test]
fn an_unknown_kind_asks_for_an_update_and_zero_is_refused() {
    let link = &samples()[1];
    assert_eq!(changed(link, KIND, 0), Problem::Zero { field: "link kind" });
    assert_eq!(changed(link, KIND, 7), Problem::Update { field: "link kind", found: 7, known: 6 });
    assert_eq!(changed(link, 4, 2), Problem::Update { field: "format", found: 2, known: 1 });
    assert_eq!(changed(link, 6, 2), Problem::Update { field: "suite", found: 2, known: 1 });
    assert_eq!(changed(link, 6, 0), Problem::Zero { field: "suite" });
    assert_eq!(changed(link, 1, b'X'), Problem::Magic);
    // What is inside asks too: a member of a later kind, a seal and a floor of a later suite.
    let samples = samples();
    assert!(matches!(
        changed(&samples[2], PAYLOAD + 2, 9),
        Problem::Update { field: "member kind", .. }
    ));
    assert!(matches!(
        changed(&samples[1], PAYLOAD + 39 + 17, 2),
        Problem::Update { field: "seal's suite", .. }
    ));
    assert!(matches!(
        changed(&samples[7], PAYLOAD + 1, 2),
        Problem::Update { field: "lowest suite", .. }
    ));
    assert!(matches!(
        changed(&samples[7], PAYLOAD + 1, 0),
        Problem::Zero { field: "lowest suite" }
    ));
}

#[test]
fn a_genesis_and_nothing_else_is_number_zero_of_no_wallet() {
    let first = genesis(&[device(1)]);
    assert!(matches!(changed(&first, N + 3, 1), Problem::Value { field: "number", .. }));
    assert!(matches!(changed(&first, 7, 1), Problem::Value { field: "wallet", .. }));
    assert!(matches!(changed(&first, PREV, 1), Problem::Value { field: "previous hash", .. }));
    let second = &samples()[1];
    assert!(matches!(changed(second, N + 3, 0), Problem::Value { field: "number", .. }));
}

#[test]
fn the_payload_is_as_long_as_it_says() {
    for link in samples() {
        let bytes = encode(&link);
        for len in [0, bytes.len() - PAYLOAD + 1, u32::MAX as usize] {
            if len == bytes.len() - PAYLOAD {
                continue;
            }
            let mut bytes = bytes.clone();
            bytes[LEN..PAYLOAD].copy_from_slice(&(len as u32).to_be_bytes());
            let problem = Link::parse(&bytes).unwrap_err().problem;
            assert!(matches!(problem, Problem::Value { field: "payload length", .. }), "{problem}");
        }
    }
    // A byte more inside the payload is no better than one after it.
    let mut bytes = encode(&samples()[8]);
    bytes.push(0);
    bytes[PAYLOAD - 1] = 1;
    assert_eq!(Link::parse(&bytes).unwrap_err().problem, Problem::Trailing);
}

/// What a rotation's parser says to a change of it.
fn rotation(change: impl FnOnce(&mut Rotate)) -> Result<Link, FormatError> {
    let mut link = samples().pop().unwrap();
    let LinkPayload::Rotate(rotate) = &mut link.payload else {
        panic!("the last sample is a rotation")
    };
    change(rotate);
    Link::parse(&encode(&link))
}

#[test]
fn a_rotation_seals_in_order_and_carries_history_from_generation_two_on() {
    let wallet = samples().pop().unwrap().wallet;
    assert!(rotation(|_| {}).is_ok());
    let field = |result: Result<Link, FormatError>| match result.unwrap_err().problem {
        Problem::Value { field, .. } | Problem::Unsorted { field } => field,
        other => panic!("{other}"),
    };
    assert_eq!(field(rotation(|rotate| rotate.seals.swap(0, 1))), "seals");
    assert_eq!(field(rotation(|rotate| rotate.seals[1] = rotate.seals[0].clone())), "seals");
    assert_eq!(field(rotation(|rotate| rotate.generation = 0)), "generation");
    assert_eq!(field(rotation(|rotate| rotate.generation = 1)), "history length");
    assert_eq!(field(rotation(|rotate| rotate.history.clear())), "history length");
    assert_eq!(field(rotation(|rotate| rotate.history.push(0))), "history length");
    assert_eq!(field(rotation(|rotate| rotate.generation = 3)), "history");
    assert_eq!(field(rotation(|rotate| rotate.history[7] = 7)), "history");
    assert_eq!(field(rotation(|rotate| rotate.seals[0].enc[0] = 2)), "encapsulated key");
    assert!(rotation(|rotate| rotate.history = history(wallet, 2)).is_ok());
    assert!(rotation(|rotate| rotate.history[0] = 0).is_err());
}

#[test]
fn an_addition_seals_to_whom_it_adds() {
    let mut link = samples().remove(2);
    let LinkPayload::Add(add) = &mut link.payload else {
        panic!("the third sample is an addition")
    };
    add.seal = Some(seal_to(device(8).id()));
    let problem = Link::parse(&encode(&link)).unwrap_err().problem;
    assert!(matches!(problem, Problem::Value { field: "seal", .. }), "{problem}");
    let LinkPayload::Add(add) = &mut link.payload else { panic!("still an addition") };
    add.seal = None;
    assert!(Link::parse(&encode(&link)).is_err(), "a device without a seal");
    let LinkPayload::Add(add) = &mut link.payload else { panic!("still an addition") };
    add.member = member(MemberKind::Revoker, 3);
    assert!(Link::parse(&encode(&link)).is_ok());
    let LinkPayload::Add(add) = &mut link.payload else { panic!("still an addition") };
    add.seal = Some(seal_to(add.member.id()));
    assert_eq!(
        Link::parse(&encode(&link)).unwrap_err().problem,
        Problem::Trailing,
        "a revoker with a seal"
    );
}

#[test]
fn a_list_that_its_count_cannot_hold_is_not_written() {
    let members: Vec<_> = (0..256).map(device).collect();
    let too_many = Problem::TooMany { field: "members", max: 255 };
    assert_eq!(genesis(&members).encode().unwrap_err().problem, too_many);
    let most = genesis(&members[..255]);
    assert_eq!(Link::parse(&encode(&most)).as_ref(), Ok(&most));
}

#[test]
fn exactly_the_required_signatures_stand_beside_a_link() {
    let signature = |member| MemberSignature { member, signature: [1; 64] };
    let members = [device(1), device(2), recovery(1)];
    let link = genesis(&members);
    let mut others = [device(2).id(), recovery(1).id()];
    others.sort();
    assert_eq!(link.required_signers(), [device(1).id(), others[0], others[1]]);
    let parse = |signers: &[MemberId]| {
        let signatures: Vec<_> = signers.iter().copied().map(signature).collect();
        SignedLink::parse(&encode(&link), &MemberSignature::encode_all(&signatures))
    };
    let first = device(1).id();
    assert!(parse(&[first, others[0], others[1]]).is_ok());
    for wrong in [
        vec![],
        vec![first],
        vec![first, others[0]],
        vec![first, others[1], others[0]],
        vec![others[0], first, others[1]],
        vec![first, others[0], others[0]],
        vec![first, first, others[0], others[1]],
        vec![first, others[0], others[1], device(9).id()],
    ] {
        assert!(parse(&wrong).is_err(), "{wrong:?}");
    }
    for link in samples().into_iter().skip(1) {
        let expected = match &link.payload {
            LinkPayload::Add(add) => vec![link.signer, add.member.id()],
            _ => vec![link.signer],
        };
        assert_eq!(link.required_signers(), expected);
    }
}

#[test]
fn a_signed_link_keeps_its_bytes_and_its_hash() {
    for link in samples() {
        let signed = signed(&link);
        assert_eq!(signed.bytes(), encode(&link));
        assert_eq!(signed.hash().as_bytes(), &tagged("holdfast/1 link", &[&encode(&link)]));
        assert_eq!(
            SignedLink::parse(signed.bytes(), &signed.signature_bytes()).as_ref(),
            Ok(&signed)
        );
        strict(&signed.to_stored(), SignedLink::from_stored, SignedLink::to_stored);
        let region = if link.n == 0 { 2 } else { signed.wallet().region() };
        assert_eq!(
            signed.wallet(),
            if link.n == 0 { WalletId::of_genesis(region, &signed.hash()) } else { link.wallet }
        );
    }
}

proptest! {
    /// Every genesis and every addition has one encoding, whoever it names.
    #[test]
    fn the_layout_is_strict(members in prop::collection::vec(any_member(), 0..6), generation in 1..u32::MAX) {
        strict(&encode(&genesis(&members)), Link::parse, encode);
        let chain = Chain::new(&[device(1)]);
        for member in members {
            let mut payload = chain.add(member);
            if let LinkPayload::Add(add) = &mut payload {
                add.generation = generation;
            }
            strict(&encode(&chain.link(device(1).id(), payload)), Link::parse, encode);
        }
    }

    /// No bytes make the parser panic.
    #[test]
    fn any_bytes_are_read_or_refused(kind in 0..9_u8, n in 0..3_u8, tail in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Link::parse(&tail);
        let mut bytes = b"HFln\x01\x00\x01".to_vec();
        bytes.extend([[0; 32], [0; 32]].concat());
        bytes.splice(39..39, [0, 0, 0, n]);
        bytes.push(kind);
        bytes.extend([3; 16]);
        bytes.extend((tail.len() as u32).to_be_bytes());
        bytes.extend(&tail);
        let _ = Link::parse(&bytes);
        let _ = SignedLink::parse(&bytes, &tail);
        let _ = SignedLink::from_stored(&tail);
    }
}
