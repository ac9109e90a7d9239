//! Members: one encoding each, and every field held to its rule.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::fixtures::{any_member, device, key, member, strict};
use crate::layout::Problem;

/// Where the fields of a member lie.
const KIND: usize = 0;
const FLAGS: usize = 1;
const NKEYS: usize = 2;
const SEAL_USE: usize = 3 + 70;
const EXT_LEN: usize = 3 + 140;

fn changed(member: &Member, at: usize, value: u8) -> Result<Member, FormatError> {
    let mut bytes = member.encode();
    bytes[at] = value;
    Member::parse(&bytes)
}

#[test]
fn sizes_are_frozen() {
    let sizes = MemberKind::ALL.map(|kind| member(kind, 1).encode().len());
    assert_eq!(sizes, [145, 161, 173, 91]);
    assert_eq!(Member::LEN_MAX, 173);
}

#[test]
fn an_unknown_kind_asks_for_an_update_and_zero_is_refused() {
    let device = device(1);
    let problem = |value| changed(&device, KIND, value).unwrap_err().problem;
    assert_eq!(problem(0), Problem::Zero { field: "member kind" });
    assert_eq!(problem(5), Problem::Update { field: "member kind", found: 5, known: 4 });
    assert!(changed(&device, KIND, 255).unwrap_err().is_update());
}

#[test]
fn every_fixed_field_has_its_one_value() {
    let device = device(1);
    for (at, value) in [
        (FLAGS, 1),
        (NKEYS, 0),
        (NKEYS, 1),
        (NKEYS, 3),
        (3, 2),        // The signing key's use …
        (4, 1),        // … algorithm …
        (5, 0x10),     // …
        (7, 64),       // … length …
        (8, 2),        // … and form.
        (SEAL_USE, 1), // The sealing key's.
        (SEAL_USE + 2, 1),
        (SEAL_USE + 4, 66),
        (SEAL_USE + 5, 3),
        (EXT_LEN, 1),
        (EXT_LEN + 1, 16),
    ] {
        let error = changed(&device, at, value).unwrap_err();
        assert!(matches!(error.problem, Problem::Value { .. }), "byte {at} = {value}: {error}");
        assert!(!error.is_update());
    }
}

#[test]
fn a_kind_has_the_keys_and_the_extension_of_that_kind_alone() {
    for kind in MemberKind::ALL {
        for other in MemberKind::ALL.into_iter().filter(|other| *other != kind) {
            assert!(
                changed(&member(kind, 1), KIND, other as u8).is_err(),
                "a {kind} read as a {other}"
            );
        }
    }
}

#[test]
fn both_keys_of_a_member_differ() {
    assert!(Member::device(key(1), key(1)).is_err());
    let locator = Locator::ZERO;
    assert!(Member::recovery_code(key(1), key(1), locator).is_err());
    assert!(Member::passphrase(key(1), key(1), locator, Argon2Cost::FLOOR).is_err());
    let mut bytes = device(1).encode();
    let sign: Vec<_> = bytes[8..73].to_vec();
    bytes[SEAL_USE + 5..SEAL_USE + 70].copy_from_slice(&sign);
    assert!(matches!(
        Member::parse(&bytes).unwrap_err().problem,
        Problem::Value { field: "sealing key", .. }
    ));
}

#[test]
fn keys_are_shared_in_whatever_use() {
    let one = Member::device(key(1), key(2)).unwrap();
    assert!(one.shares_key_with(&Member::device(key(2), key(3)).unwrap()));
    assert!(one.shares_key_with(&Member::revoker(key(2), Locator::ZERO)));
    assert!(!one.shares_key_with(&Member::device(key(3), key(4)).unwrap()));
}

#[test]
fn an_error_says_what_and_where() {
    let mut bytes = device(1).encode();
    bytes.truncate(100);
    let error = Member::parse(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "member, byte 78: the bytes end before the public key does; they were cut"
    );
}

proptest! {
    /// Every member has one encoding, and its accessors say what went in.
    #[test]
    fn the_layout_is_strict(member in any_member()) {
        strict(&member.encode(), Member::parse, Member::encode);
        let kind = member.kind();
        prop_assert_eq!(member.seal().is_some(), kind != MemberKind::Revoker);
        prop_assert_eq!(member.locator().is_some(), kind != MemberKind::Device);
        prop_assert_eq!(member.cost().is_some(), kind == MemberKind::Passphrase);
        let hash = crate::hash::tagged("holdfast/1 member", &[&member.encode()]);
        prop_assert_eq!(MemberId::parse(&hash[..16]), Ok(member.id()));
    }

    /// No bytes make the parser panic.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Member::parse(&bytes);
    }
}
