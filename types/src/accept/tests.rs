//! Commits that may follow, and every way in which one may not.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{Edit, Wallet, device, member, record, recovery, revoke};
use crate::head::SignedHead;
use crate::ids::{LinkHash, MemberId, Root, TreeHash};
use crate::signature::MemberSignature;

mod healing;
mod histories;

fn phone() -> MemberId {
    device(1).id()
}

fn code() -> MemberId {
    recovery(1).id()
}

/// A wallet of two devices, a recovery code and a revoker that holds records 1 to 3.
fn wallet() -> Wallet {
    let mut wallet =
        Wallet::new(&[device(1), device(2), recovery(1), member(MemberKind::Revoker, 1)]);
    wallet.commit(phone(), vec![], &[Edit::Write(1), Edit::Write(2), Edit::Write(3)]);
    wallet
}

/// Signs a commit's head anew after a change of it.
fn with_head(commit: &Commit, change: impl FnOnce(&mut Head)) -> Commit {
    let mut head = *commit.head.head();
    change(&mut head);
    let signature = MemberSignature { member: head.signer, signature: [6; 64] };
    Commit { head: SignedHead::new(&head, signature).unwrap(), ..commit.clone() }
}

/// What `wallet` says to a commit made on it, after a change of the commit.
fn judged(
    wallet: &Wallet,
    edits: &[Edit],
    change: impl FnOnce(&Commit) -> Commit,
) -> Result<Accepted, Refused> {
    let commit = wallet.clone().commit(phone(), vec![], edits);
    accept(Some(&wallet.stored()), &change(&commit))
}

#[test]
fn a_first_commit_and_those_after_it_are_accepted() {
    let wallet = wallet();
    let first = Wallet::new(&[device(1), device(2), recovery(1), member(MemberKind::Revoker, 1)]);
    let accepted = accept(None, &first.first_commit()).unwrap();
    assert_eq!((accepted.membership, accepted.entries), (first.chain.membership, first.entries));
    let mut after = wallet.clone();
    let commit = after.commit(phone(), vec![], &[Edit::Write(1), Edit::Write(4), Edit::Remove(2)]);
    let accepted = accept(Some(&wallet.stored()), &commit).unwrap();
    assert_eq!((&accepted.entries, &accepted.history), (&after.entries, &after.history));
    assert_eq!(accepted.records.len(), 2);
    let new =
        after.entries.as_slice().iter().filter(|entry| wallet.entries.get(&entry.id).is_none());
    assert_eq!(accepted.created, new.map(|entry| entry.id).collect::<Vec<_>>());
}

#[test]
fn a_commit_on_another_head_conflicts_with_the_one_stored() {
    let older = wallet();
    let mut newer = older.clone();
    newer.commit(device(2).id(), vec![], &[Edit::Write(9)]);
    let late = older.clone().commit(phone(), vec![], &[Edit::Write(8)]);
    let stored = newer.stored();
    let expected = Refused::Conflict {
        named: older.stored().head_hash,
        found: stored.head_hash,
        found_seq: stored.head.seq,
    };
    assert_eq!(accept(Some(&stored), &late), Err(expected));
}

#[test]
fn a_wallet_begins_once_and_is_continued_only_where_it_is() {
    let wallet = wallet();
    let first = Wallet::new(&[device(1), device(2), recovery(1), member(MemberKind::Revoker, 1)])
        .first_commit();
    assert_eq!(accept(Some(&wallet.stored()), &first), Err(Refused::Exists));
    let next = wallet.clone().commit(phone(), vec![], &[Edit::Write(1)]);
    assert_eq!(accept(None, &next), Err(Refused::NotFound));
    let other = Wallet::new(&[device(7)]);
    assert_eq!(accept(Some(&other.stored()), &next), Err(Refused::OtherWallet));
    let renamed = with_head(&first, |head| head.wallet = other.chain.membership.wallet());
    assert_eq!(accept(None, &renamed), Err(Refused::OtherWallet));
}

#[test]
fn a_first_commit_makes_the_wallet_key() {
    let wallet = Wallet::new(&[device(1)]);
    let mut commit = wallet.first_commit();
    let genesis = commit.links.remove(0);
    commit.links = vec![genesis.clone()];
    let unkeyed = with_head(&commit, |head| (head.links, head.link) = (1, genesis.hash()));
    assert_eq!(accept(None, &unkeyed), Err(Refused::NoWalletKey));
    commit.links.clear();
    assert_eq!(accept(None, &commit), Err(Refused::Link { n: 0, why: LinkRefused::NoGenesis }));
}

#[test]
fn every_field_of_the_head_is_held_to_what_is_stored() {
    let wallet = wallet();
    let refused = |change: &dyn Fn(&mut Head)| {
        judged(&wallet, &[Edit::Write(1)], |commit| with_head(commit, change)).unwrap_err()
    };
    let expected = wallet.heads.len() as u64 + 1;
    assert_eq!(refused(&|head| head.seq += 1), Refused::Sequence { expected });
    assert_eq!(refused(&|head| head.seq = u64::MAX), Refused::Sequence { expected });
    assert_eq!(refused(&|head| head.history = TreeHash::from_bytes([1; 32])), Refused::History);
    assert_eq!(refused(&|head| head.root = Root::from_bytes([1; 32])), Refused::Root);
    assert_eq!(refused(&|head| head.root = wallet.entries.root()), Refused::Root);
    assert_eq!(refused(&|head| head.links += 1), Refused::Links);
    assert_eq!(refused(&|head| head.link = LinkHash::from_bytes([1; 32])), Refused::Links);
    assert_eq!(refused(&|head| head.signer = device(9).id()), Refused::SignerInactive);
    assert_eq!(refused(&|head| head.wallet = WalletId::from_bytes([1; 32])), Refused::OtherWallet);
    assert!(matches!(
        refused(&|head| head.prev = HeadHash::from_bytes([1; 32])),
        Refused::Conflict { .. }
    ));
    assert!(
        judged(&wallet, &[Edit::Write(1)], |commit| with_head(commit, |head| head.time_s = 0))
            .is_ok()
    );
}

/// What `wallet` says if the one record it is given is sealed otherwise, and the head's root matches that.
fn with_record(wallet: &Wallet, version: u64, generation: u32) -> Result<Accepted, Refused> {
    let id = wallet.entries.as_slice()[0].id;
    let envelope = record(wallet.chain.membership.wallet(), id, version, generation);
    let entry = RecordHeader::parse(&envelope).unwrap().entry();
    let root = wallet.entries.with([entry], []).root();
    judged(wallet, &[], |commit| {
        with_head(&Commit { envelopes: vec![envelope], ..commit.clone() }, |head| head.root = root)
    })
}

#[test]
fn a_record_has_the_next_version_under_the_current_generation() {
    let mut wallet = wallet();
    let id = wallet.entries.as_slice()[0].id;
    wallet.commit(phone(), vec![wallet.chain.rotate()], &[]);
    assert!(with_record(&wallet, 2, 2).is_ok());
    for version in [1, 3, u64::MAX] {
        assert_eq!(with_record(&wallet, version, 2), Err(Refused::RecordVersion { id, stored: 1 }));
    }
    for generation in [1, 3, u32::MAX] {
        assert_eq!(
            with_record(&wallet, 2, generation),
            Err(Refused::RecordGeneration { id, due: 2 })
        );
    }
}

#[test]
fn a_record_belongs_to_the_wallet_and_a_removed_one_was_there() {
    let wallet = wallet();
    let (id, absent) = (wallet.entries.as_slice()[0].id, RecordId::from_bytes([9; 16]));
    let foreign = record(WalletId::from_bytes([9; 32]), id, 2, 1);
    let refused =
        judged(&wallet, &[], |commit| Commit { envelopes: vec![foreign], ..commit.clone() });
    assert_eq!(refused, Err(Refused::RecordWallet { id }));
    let refused = judged(&wallet, &[], |commit| Commit { removed: vec![absent], ..commit.clone() });
    assert_eq!(refused, Err(Refused::RemovedAbsent { id: absent }));
    let refused = judged(&wallet, &[Edit::Write(1)], |commit| Commit {
        envelopes: vec![vec![1]],
        ..commit.clone()
    });
    assert!(matches!(refused, Err(Refused::Shape(CommitError::Record { at: 0, .. }))));
}

#[test]
fn no_record_changes_while_a_rotation_is_due() {
    for edits in [[Edit::Write(1)], [Edit::Write(9)], [Edit::Remove(2)]] {
        let mut wallet = wallet();
        let before = wallet.clone();
        let in_the_same_commit = wallet.commit(phone(), vec![revoke(device(2).id())], &edits);
        assert_eq!(accept(Some(&before.stored()), &in_the_same_commit), Err(Refused::RotationDue));
        let mut wallet = before.clone();
        let alone = wallet.commit(phone(), vec![revoke(device(2).id())], &[]);
        assert!(accept(Some(&before.stored()), &alone).is_ok());
        let due = wallet.clone();
        let after = wallet.commit(phone(), vec![], &edits);
        assert_eq!(accept(Some(&due.stored()), &after), Err(Refused::RotationDue));
        let mut wallet = due.clone();
        let rotated = wallet.commit(phone(), vec![wallet.chain.rotate()], &edits);
        assert!(accept(Some(&due.stored()), &rotated).is_ok());
        let mut wallet = due.clone();
        let empty = wallet.commit(phone(), vec![], &[]);
        assert!(accept(Some(&due.stored()), &empty).is_ok());
    }
}

#[test]
fn the_signer_is_a_member_after_the_commits_links() {
    let before = wallet();
    let mut wallet = before.clone();
    let add = wallet.chain.add(device(3));
    wallet.chain.admit(phone(), add).unwrap();
    let by_the_new = wallet.commit_from(2, device(3).id(), &[Edit::Write(1)]);
    assert!(accept(Some(&before.stored()), &by_the_new).is_ok());
    let mut wallet = before.clone();
    wallet.chain.admit(phone(), revoke(device(2).id())).unwrap();
    let by_the_revoked = wallet.commit_from(2, device(2).id(), &[]);
    assert_eq!(accept(Some(&before.stored()), &by_the_revoked), Err(Refused::SignerInactive));
}

#[test]
fn a_link_that_may_not_follow_is_named() {
    let before = wallet();
    let commit = before.clone().commit(phone(), vec![before.chain.add(device(5))], &[]);
    let twice = Commit { links: vec![before.chain.links[1].clone()], ..commit };
    let why = LinkRefused::OutOfPlace { expected: 2 };
    assert_eq!(accept(Some(&before.stored()), &twice), Err(Refused::Link { n: 2, why }));
}

#[test]
fn only_a_device_changes_records() {
    let before = wallet();
    for signer in [code(), member(MemberKind::Revoker, 1).id()] {
        let change = before.clone().commit(signer, vec![], &[Edit::Write(1)]);
        assert_eq!(accept(Some(&before.stored()), &change), Err(Refused::RootNotLeft));
        let links = before.clone().commit(signer, vec![revoke(phone())], &[]);
        assert!(accept(Some(&before.stored()), &links).is_ok());
    }
    let mut first = Wallet::new(&[device(1), recovery(1)]).first_commit();
    first = with_head(&first, |head| head.signer = code());
    assert_eq!(accept(None, &first), Err(Refused::RootNotLeft), "no head before it is at hand");
}

#[test]
fn an_erasure_leaves_the_root_and_ends_the_wallet() {
    let before = wallet();
    let erase = |edits: &[Edit]| {
        let mut wallet = before.clone();
        wallet.chain.admit(code(), LinkPayload::Erase).unwrap();
        let commit = wallet.commit_from(2, phone(), edits);
        (wallet, commit)
    };
    let (_, with_change) = erase(&[Edit::Remove(1)]);
    assert_eq!(accept(Some(&before.stored()), &with_change), Err(Refused::RootNotLeft));
    let (mut wallet, alone) = erase(&[]);
    assert!(accept(Some(&before.stored()), &alone).unwrap().membership.erased());
    let erased = wallet.clone();
    let next = wallet.commit(phone(), vec![], &[]);
    assert_eq!(accept(Some(&erased.stored()), &next), Err(Refused::Erased));
}

#[test]
fn what_the_stored_state_forbids_is_a_rejection_and_a_wrong_commit_is_none() {
    let conflict = Refused::Conflict { named: HeadHash::ZERO, found: HeadHash::ZERO, found_seq: 1 };
    let link = |why| Refused::Link { n: 1, why };
    for (refused, code) in [
        (Refused::NotFound, Some("not_found")),
        (Refused::Exists, Some("exists")),
        (conflict, Some("conflict")),
        (Refused::Erased, Some("erased")),
        (Refused::SignerInactive, Some("member_inactive")),
        (link(LinkRefused::SignerInactive), Some("member_inactive")),
        (Refused::RotationDue, Some("rotation_due")),
        (link(LinkRefused::KeyReused), None),
        (Refused::Root, None),
    ] {
        let rejection = refused.rejection();
        assert_eq!(rejection.as_ref().map(crate::rejection::Rejection::code), code, "{refused}");
    }
}
