//! The rules of the chain and of authority, one by one, as a full matrix, and against a model.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{
    Chain, device, genesis, history, key, member, recovery, revoke, seal_to, signed,
};
use crate::ids::Locator;
use crate::link::LinkKind;
use crate::suite::Suite;

mod model;

fn refused_genesis(members: &[Member]) -> LinkRefused {
    Membership::genesis(&signed(&genesis(members))).unwrap_err()
}

#[test]
fn a_genesis_begins_a_wallet_without_a_key() {
    let link =
        signed(&genesis(&[recovery(1), device(1), member(MemberKind::Revoker, 1), device(2)]));
    let membership = Membership::genesis(&link).unwrap();
    assert_eq!(membership.wallet(), WalletId::of_genesis(2, &link.hash()));
    assert_eq!((membership.links(), membership.generation()), (1, 0));
    assert_eq!(membership.last_link(), link.hash());
    assert_eq!(membership.active_members().count(), 4);
    assert_eq!(membership.seal_members().count(), 3);
    assert!(membership.had_recovery_code() && !membership.rotation_due() && !membership.erased());
}

#[test]
fn a_genesis_names_a_device_at_most_one_code_no_passphrase_and_nobody_twice() {
    assert_eq!(refused_genesis(&[]), LinkRefused::GenesisWithoutDevice);
    assert_eq!(refused_genesis(&[recovery(1)]), LinkRefused::GenesisWithoutDevice);
    assert_eq!(
        refused_genesis(&[device(1), recovery(1), recovery(2)]),
        LinkRefused::GenesisRecoveryCodes
    );
    assert_eq!(
        refused_genesis(&[device(1), member(MemberKind::Passphrase, 1)]),
        LinkRefused::GenesisPassphrase
    );
    let same_key = Member::device(key(100), *device(1).sign()).unwrap();
    assert_eq!(refused_genesis(&[device(1), same_key]), LinkRefused::KeyReused);
    let mut link = genesis(&[device(1), device(2)]);
    link.signer = device(2).id();
    assert_eq!(Membership::genesis(&signed(&link)), Err(LinkRefused::GenesisSigner));
    let second = Chain::new(&[device(1)]).links.remove(1);
    assert_eq!(Membership::genesis(&second), Err(LinkRefused::NoGenesis));
    assert_eq!(Membership::of_chain(&[]), Err((0, LinkRefused::NoGenesis)));
}

#[test]
fn the_first_rotation_comes_right_after_the_genesis() {
    let mut chain = Chain::unkeyed(&[device(1), recovery(1)]);
    let (phone, code) = (device(1).id(), recovery(1).id());
    for payload in [revoke(phone), LinkPayload::Erase] {
        assert_eq!(chain.admit(code, payload), Err(LinkRefused::RotateFirst));
    }
    chain.admit(code, chain.rotate()).unwrap();
    assert_eq!(chain.membership.generation(), 1);
    assert_eq!(Membership::of_chain(&chain.links), Ok(chain.membership));
}

#[test]
fn a_link_continues_this_chain_or_is_refused_and_changes_nothing() {
    let chain = Chain::new(&[device(1), device(2)]);
    let right = chain.link(device(1).id(), chain.rotate());
    let refusal = |link: &Link| {
        let mut membership = chain.membership.clone();
        let result = membership.admit(&signed(link));
        assert_eq!(membership == chain.membership, result.is_err(), "a refused link left a trace");
        result
    };
    assert_eq!(refusal(&right), Ok(()));
    let early = Link { n: 1, ..right.clone() };
    assert_eq!(refusal(&early), Err(LinkRefused::OutOfPlace { expected: 2 }));
    let late = Link { n: 3, ..right.clone() };
    assert_eq!(refusal(&late), Err(LinkRefused::OutOfPlace { expected: 2 }));
    let elsewhere = Link { wallet: WalletId::from_bytes([9; 32]), ..right.clone() };
    assert_eq!(refusal(&elsewhere), Err(LinkRefused::OtherWallet));
    let forked = Link { prev: LinkHash::from_bytes([9; 32]), ..right.clone() };
    assert_eq!(refusal(&forked), Err(LinkRefused::OtherChain));
    let stranger = Link { signer: device(3).id(), ..right };
    assert_eq!(refusal(&stranger), Err(LinkRefused::SignerInactive));
}

#[test]
fn a_rotation_makes_the_next_generation_for_exactly_the_active_members() {
    let revoker = member(MemberKind::Revoker, 1);
    let mut chain = Chain::new(&[device(1), device(2), device(3), recovery(1), revoker]);
    let phone = device(1).id();
    chain.admit(phone, revoke(device(2).id())).unwrap();
    let refusal = |change: &dyn Fn(&mut Rotate)| {
        let mut payload = chain.rotate();
        let LinkPayload::Rotate(rotate) = &mut payload else { panic!("it is a rotation") };
        change(rotate);
        chain.clone().admit(phone, payload)
    };
    let wallet = chain.membership.wallet();
    assert_eq!(refusal(&|_| {}), Ok(()));
    assert_eq!(refusal(&|rotate| rotate.seals.truncate(2)), Err(LinkRefused::Seals));
    assert_eq!(refusal(&|rotate| rotate.seals.clear()), Err(LinkRefused::Seals));
    for extra in [device(2).id(), revoker.id(), device(9).id()] {
        let with_extra = |rotate: &mut Rotate| {
            rotate.seals.push(seal_to(extra));
            rotate.seals.sort_by_key(|seal| seal.member);
        };
        assert_eq!(refusal(&with_extra), Err(LinkRefused::Seals));
    }
    let skip = |rotate: &mut Rotate| (rotate.generation, rotate.history) = (3, history(wallet, 3));
    assert_eq!(refusal(&skip), Err(LinkRefused::Generation));
    let again = |rotate: &mut Rotate| (rotate.generation, rotate.history) = (1, vec![]);
    assert_eq!(refusal(&again), Err(LinkRefused::Generation));
    let foreign = |rotate: &mut Rotate| rotate.history = history(WalletId::from_bytes([9; 32]), 2);
    assert_eq!(refusal(&foreign), Err(LinkRefused::History));
}

#[test]
fn nobody_who_ever_stood_in_a_wallet_is_added_again() {
    let mut chain = Chain::new(&[device(1), device(2), recovery(1)]);
    let phone = device(1).id();
    chain.admit(phone, revoke(device(2).id())).unwrap();
    let seal_of_revoked = *device(2).seal().unwrap();
    for reused in [
        device(1),
        device(2),
        Member::device(*device(2).sign(), key(100)).unwrap(),
        Member::device(key(100), seal_of_revoked).unwrap(),
        Member::device(seal_of_revoked, key(100)).unwrap(),
        Member::device(key(100), *recovery(1).sign()).unwrap(),
    ] {
        assert_eq!(chain.admit(phone, chain.add(reused)), Err(LinkRefused::KeyReused));
    }
    let revoker = Member::revoker(seal_of_revoked, Locator::ZERO);
    assert_eq!(chain.admit(recovery(1).id(), chain.add(revoker)), Err(LinkRefused::KeyReused));
    chain.admit(phone, chain.add(device(3))).unwrap();
}

#[test]
fn an_addition_names_the_current_generation() {
    let mut chain = Chain::new(&[device(1)]);
    chain.admit(device(1).id(), chain.rotate()).unwrap();
    for generation in [1, 3] {
        let mut payload = chain.add(device(2));
        let LinkPayload::Add(add) = &mut payload else { panic!("it is an addition") };
        add.generation = generation;
        assert_eq!(chain.admit(device(1).id(), payload), Err(LinkRefused::Generation));
    }
    chain.admit(device(1).id(), chain.add(device(2))).unwrap();
}

#[test]
fn at_most_255_active_members_have_a_sealing_key() {
    let mut members: Vec<_> = (1..=254).map(device).collect();
    members.push(recovery(1));
    let mut chain = Chain::new(&members);
    let phone = device(1).id();
    assert_eq!(chain.admit(phone, chain.add(device(300))), Err(LinkRefused::TooManyMembers));
    chain.admit(recovery(1).id(), chain.add(member(MemberKind::Revoker, 1))).unwrap();
    chain.admit(phone, revoke(device(2).id())).unwrap();
    chain.admit(phone, chain.add(device(300))).unwrap();
    assert_eq!(chain.admit(phone, chain.add(device(301))), Err(LinkRefused::TooManyMembers));
    chain.admit(phone, chain.rotate()).unwrap();
    let longest = chain.links.last().unwrap().bytes().len();
    assert!(longest <= crate::limits::LINK_MAX, "{longest}");
}

#[test]
fn a_revocation_names_an_active_member_and_makes_a_rotation_due() {
    let mut chain =
        Chain::new(&[device(1), device(2), recovery(1), member(MemberKind::Revoker, 1)]);
    let (phone, code) = (device(1).id(), recovery(1).id());
    assert_eq!(chain.admit(phone, revoke(device(9).id())), Err(LinkRefused::NotAMember));
    chain.admit(phone, revoke(device(2).id())).unwrap();
    assert!(chain.membership.rotation_due());
    for by in [phone, code, member(MemberKind::Revoker, 1).id()] {
        assert_eq!(chain.admit(by, revoke(device(2).id())), Err(LinkRefused::NotAMember));
    }
    assert_eq!(chain.admit(device(2).id(), chain.rotate()), Err(LinkRefused::SignerInactive));
    chain.admit(phone, chain.add(device(3))).unwrap();
    assert!(chain.membership.rotation_due(), "an addition under the old key does not help");
    chain.admit(phone, chain.rotate()).unwrap();
    assert!(!chain.membership.rotation_due());
    chain.admit(code, revoke(member(MemberKind::Revoker, 1).id())).unwrap();
    assert!(chain.membership.rotation_due(), "also after a revocation of one who had no key");
}

#[test]
fn a_member_was_active_between_its_addition_and_its_revocation() {
    let mut chain = Chain::new(&[device(1)]);
    chain.admit(device(1).id(), chain.add(device(2))).unwrap();
    chain.admit(device(1).id(), revoke(device(2).id())).unwrap();
    let state = chain.membership.member(&device(2).id()).unwrap();
    assert_eq!((state.added, state.revoked), (2, Some(3)));
    assert_eq!(
        [0, 2, 3, 4, 5].map(|links| state.is_active_after(links)),
        [false, false, true, false, false]
    );
    let first = chain.membership.member(&device(1).id()).unwrap();
    assert_eq!([0, 1, 9].map(|links| first.is_active_after(links)), [false, true, true]);
}

#[test]
fn the_lowest_suite_only_rises() {
    let mut chain = Chain::new(&[device(1)]);
    let payload = LinkPayload::MinSuite(Suite::P256);
    assert_eq!(chain.admit(device(1).id(), payload), Err(LinkRefused::SuiteNotRising));
    assert_eq!(chain.membership.min_suite(), Suite::P256);
}

#[test]
fn nothing_follows_an_erasure() {
    let mut chain = Chain::new(&[device(1), recovery(1)]);
    chain.admit(recovery(1).id(), LinkPayload::Erase).unwrap();
    assert!(chain.membership.erased());
    for (by, payload) in [
        (device(1).id(), chain.rotate()),
        (device(1).id(), chain.add(device(2))),
        (recovery(1).id(), revoke(device(1).id())),
        (recovery(1).id(), LinkPayload::Erase),
    ] {
        assert_eq!(chain.admit(by, payload), Err(LinkRefused::Erased));
    }
}

/// The table of docs/formats.md, Link, in full: each kind of signer against each change, with and without a
/// recovery code in the wallet's past.
#[test]
fn authority_is_the_matrix() {
    use MemberKind::{Device, Passphrase, RecoveryCode, Revoker};
    let mut chain = Chain::new(&[device(1), device(2), recovery(1), member(Revoker, 1)]);
    for new in [member(Passphrase, 1), member(Passphrase, 2), member(Revoker, 2), recovery(2)] {
        chain.admit(recovery(1).id(), chain.add(new)).unwrap();
    }
    let add = |kind| chain.add(member(kind, 50));
    let other = |kind| revoke(member(kind, 2).id());
    let changes = [
        ("rotate", chain.rotate()),
        ("min-suite", LinkPayload::MinSuite(Suite::P256)),
        ("erase", LinkPayload::Erase),
        ("add device", add(Device)),
        ("add code", add(RecoveryCode)),
        ("add passphrase", add(Passphrase)),
        ("add revoker", add(Revoker)),
        ("revoke device", other(Device)),
        ("revoke code", other(RecoveryCode)),
        ("revoke passphrase", other(Passphrase)),
        ("revoke revoker", other(Revoker)),
    ];
    for (kind, allowed) in [
        (Device, vec!["rotate", "min-suite", "add device", "revoke device"]),
        (Passphrase, vec!["rotate", "add device"]),
        (Revoker, vec!["revoke device"]),
        (RecoveryCode, changes.iter().map(|(name, _)| *name).collect()),
    ] {
        let signer = member(kind, 1).id();
        for (name, payload) in &changes {
            let result = chain.clone().admit(signer, payload.clone());
            let expected = match (allowed.contains(name), *name) {
                (false, _) => Err(LinkRefused::NotAllowed { signer: kind, link: payload.kind() }),
                (true, "min-suite") => Err(LinkRefused::SuiteNotRising),
                (true, _) => Ok(()),
            };
            assert_eq!(result, expected, "a {kind}: {name}");
        }
        let itself = chain.clone().admit(signer, revoke(signer));
        let refused = LinkRefused::NotAllowed { signer: kind, link: LinkKind::Revoke };
        assert_eq!(
            itself,
            if kind == RecoveryCode { Ok(()) } else { Err(refused) },
            "a {kind}: itself"
        );
    }
}

#[test]
fn a_device_adds_a_recovery_code_only_while_none_ever_stood() {
    let mut chain = Chain::new(&[device(1), device(2)]);
    let phone = device(1).id();
    let refused = Err(LinkRefused::NotAllowed { signer: MemberKind::Device, link: LinkKind::Add });
    for kind in [MemberKind::Passphrase, MemberKind::Revoker] {
        assert_eq!(
            chain.admit(phone, chain.add(member(kind, 1))),
            refused,
            "two devices do not replace a code"
        );
    }
    chain.admit(phone, chain.add(recovery(1))).unwrap();
    assert_eq!(chain.admit(phone, chain.add(recovery(2))), refused);
    chain.admit(recovery(1).id(), revoke(recovery(1).id())).unwrap();
    assert_eq!(chain.admit(phone, chain.add(recovery(2))), refused, "a code stood once");
}

#[test]
fn a_new_recovery_code_replaces_the_old_one() {
    let mut chain = Chain::new(&[device(1), recovery(1)]);
    let (old, new) = (recovery(1).id(), recovery(2).id());
    chain.admit(old, chain.add(recovery(2))).unwrap();
    chain.admit(new, revoke(old)).unwrap();
    chain.admit(new, chain.rotate()).unwrap();
    assert_eq!(chain.admit(old, chain.add(recovery(3))), Err(LinkRefused::SignerInactive));
}
