//! What a server may try in a pull, by the name of the attack.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{Edit, Wallet, device, member, record, record_id, recovery, revoke, sign};
use crate::ids::MemberId;

fn phone() -> MemberId {
    device(1).id()
}

fn revoker() -> MemberId {
    member(MemberKind::Revoker, 1).id()
}

fn wallet() -> Wallet {
    let mut wallet =
        Wallet::new(&[device(1), device(2), recovery(1), member(MemberKind::Revoker, 1)]);
    wallet.commit(phone(), vec![], &[Edit::Write(1), Edit::Write(2), Edit::Write(3)]);
    wallet
}

/// A wallet held, and the same some commits later.
fn later() -> (Wallet, Wallet) {
    let held = wallet();
    let mut now = held.clone();
    now.commit(phone(), vec![], &[Edit::Write(1), Edit::Remove(2)]);
    now.commit(phone(), vec![now.chain.rotate()], &[Edit::Write(4)]);
    (held, now)
}

fn refusal(held: &Wallet, now: &Wallet, change: impl FnOnce(&mut Pulled)) -> FollowRefused {
    let mut pulled = now.pull(Some(held));
    change(&mut pulled);
    follow(Some(&held.stored()), &pulled).unwrap_err()
}

fn change_head(pulled: &mut Pulled, change: impl FnOnce(&mut Head)) {
    let mut head = *pulled.head.head();
    change(&mut head);
    pulled.head = sign(&head);
}

#[test]
fn a_pull_of_what_is_held_changes_nothing() {
    let held = wallet();
    let followed = follow(Some(&held.stored()), &held.pull(Some(&held))).unwrap();
    assert_eq!((&followed.entries, &followed.history), (&held.entries, &held.history));
    assert_eq!(followed.new_bodies().count(), 0);
}

#[test]
fn a_pull_may_repeat_entries_name_removed_ids_never_had_and_give_everything() {
    let (held, now) = later();
    let mut pulled = now.pull(Some(&held));
    let removed = vec![record_id(2), record_id(77)];
    pulled.entries = PulledEntries::Changes { changed: now.entries.clone(), removed };
    assert_eq!(follow(Some(&held.stored()), &pulled).unwrap().entries, now.entries);
    pulled.entries = PulledEntries::All(now.entries.clone());
    let followed = follow(Some(&held.stored()), &pulled).unwrap();
    assert_eq!(followed.entries, now.entries);
    let mut new: Vec<_> = followed.new_bodies().map(|entry| entry.id).collect();
    let mut expected = vec![record_id(1), record_id(4)];
    new.sort();
    expected.sort();
    assert_eq!(new, expected);
}

#[test]
fn p5_rollback_is_refused() {
    let (held, now) = later();
    let back = held.pull(Some(&held));
    let expected = FollowRefused::Rollback { found: 2, held: 4 };
    assert_eq!(follow(Some(&now.stored()), &back), Err(expected));
}

#[test]
fn p5_fork_is_refused() {
    let (held, now) = later();
    let mut other = held.clone();
    other.commit(device(2).id(), vec![], &[Edit::Write(8)]);
    let mut longer = other.clone();
    for _ in 0..4 {
        longer.commit(phone(), vec![], &[Edit::Write(8)]);
    }
    let mut pulled = longer.pull(Some(&held));
    assert_eq!(follow(Some(&now.stored()), &pulled), Err(FollowRefused::Fork));
    pulled.between = longer.heads[3..longer.heads.len() - 1].iter().map(SignedHead::hash).collect();
    assert_eq!(follow(Some(&now.stored()), &pulled), Err(FollowRefused::Fork));
    // The same place, another head.
    let beside = other.pull(Some(&held));
    let mut mine = held.clone();
    mine.commit(phone(), vec![], &[Edit::Write(9)]);
    assert_eq!(follow(Some(&mine.stored()), &beside), Err(FollowRefused::Fork));
    // A head left out, one put in, one swapped.
    for change in [
        (|between| between.clear()) as fn(&mut Vec<HeadHash>),
        |between| between.push(HeadHash::ZERO),
        |between| between[0] = HeadHash::ZERO,
    ] {
        assert_eq!(refusal(&held, &now, |pulled| change(&mut pulled.between)), FollowRefused::Fork);
    }
    let forged =
        |pulled: &mut Pulled| change_head(pulled, |head| head.history = crate::tree::empty_hash());
    assert_eq!(refusal(&held, &now, forged), FollowRefused::Fork);
}

#[test]
fn p5_forged_membership_is_refused() {
    let (held, now) = later();
    let without = refusal(&held, &now, |pulled| pulled.links.clear());
    assert_eq!(without, FollowRefused::Links);
    let twice = refusal(&held, &now, |pulled| pulled.links.push(pulled.links[0].clone()));
    assert_eq!(twice, FollowRefused::Link { n: 3, why: LinkRefused::OutOfPlace { expected: 3 } });
    let stranger =
        refusal(&held, &now, |pulled| change_head(pulled, |head| head.signer = device(9).id()));
    assert_eq!(stranger, FollowRefused::SignerInactive { seq: 4 });
    let other = Wallet::new(&[device(5)]);
    assert_eq!(follow(Some(&held.stored()), &other.pull(None)), Err(FollowRefused::OtherWallet));
    let mut foreign = now.pull(None);
    foreign.links = other.chain.links.clone();
    assert_eq!(follow(None, &foreign), Err(FollowRefused::OtherWallet));
    let mut unkeyed = Wallet::new(&[device(1)]).pull(None);
    unkeyed.links.pop();
    let genesis = unkeyed.links[0].hash();
    change_head(&mut unkeyed, |head| (head.links, head.link) = (1, genesis));
    assert_eq!(follow(None, &unkeyed), Err(FollowRefused::NoWalletKey));
}

#[test]
fn p5_altered_swapped_and_rolled_back_records_are_refused() {
    let (held, now) = later();
    let with = |entries: Entries| {
        move |pulled: &mut Pulled| {
            change_head(pulled, |head| head.root = entries.root());
            pulled.entries = PulledEntries::All(entries);
        }
    };
    let id = record_id(3);
    let entry = *held.entries.get(&id).unwrap();
    let swapped = now.entries.with([Entry { body_hash: crate::ids::BodyHash::ZERO, ..entry }], []);
    assert_eq!(refusal(&held, &now, with(swapped)), FollowRefused::RecordSwapped { id });
    let mut newest = now.clone();
    newest.commit(phone(), vec![], &[Edit::Write(1)]);
    newest.commit(phone(), vec![], &[Edit::Write(1)]);
    let id = record_id(1);
    let old = newest.entries.with([*now.entries.get(&id).unwrap()], []);
    let mut holder = now.clone();
    holder.commit(phone(), vec![], &[Edit::Write(1)]);
    let rolled = refusal(&holder, &newest, with(old));
    assert_eq!(rolled, FollowRefused::RecordRollback { id });
    let left_out = refusal(&held, &now, |pulled| {
        pulled.entries = PulledEntries::Changes { changed: Entries::EMPTY, removed: vec![] };
    });
    assert_eq!(left_out, FollowRefused::Root);
}

#[test]
fn between_adjacent_heads_versions_and_rotation_are_as_on_the_server() {
    let held = wallet();
    let mut now = held.clone();
    now.commit(phone(), vec![], &[Edit::Write(1)]);
    let id = record_id(1);
    let skipped = Entry { version: 9, ..*now.entries.get(&id).unwrap() };
    let skipped = now.entries.with([skipped], []);
    let refused = refusal(&held, &now, |pulled| {
        change_head(pulled, |head| head.root = skipped.root());
        pulled.entries = PulledEntries::All(skipped.clone());
    });
    assert_eq!(refused, FollowRefused::RecordVersion { id });
    let mut due = held.clone();
    due.commit(phone(), vec![revoke(device(2).id())], &[Edit::Write(1)]);
    assert_eq!(refusal(&held, &due, |_| {}), FollowRefused::RotationDue);
    let mut erased = held.clone();
    erased.chain.admit(recovery(1).id(), LinkPayload::Erase).unwrap();
    let from = held.chain.membership.links();
    erased.commit_from(from, phone(), &[Edit::Write(1)]);
    assert_eq!(refusal(&held, &erased, |_| {}), FollowRefused::RootNotLeft);
}

#[test]
fn a_body_is_the_one_its_entry_names() {
    let (held, now) = later();
    let followed = follow(Some(&held.stored()), &now.pull(Some(&held))).unwrap();
    let wallet = now.chain.membership.wallet();
    let id = record_id(1);
    assert!(followed.check_body(&id, &now.bodies[&id]).is_ok());
    assert_eq!(
        followed.check_body(&id, &now.bodies[&record_id(4)]),
        Err(FollowRefused::Body { id })
    );
    assert_eq!(followed.check_body(&id, &held.bodies[&id]), Err(FollowRefused::Body { id }));
    assert_eq!(
        followed.check_body(&id, &record(wallet, id, 2, 2)),
        Err(FollowRefused::Body { id })
    );
    let mut altered = now.bodies[&id].clone();
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(followed.check_body(&id, &altered), Err(FollowRefused::Body { id }));
    assert!(matches!(followed.check_body(&id, &[]), Err(FollowRefused::BodyFormat { .. })));
    let gone = record_id(2);
    assert_eq!(
        followed.check_body(&gone, &held.bodies[&gone]),
        Err(FollowRefused::Body { id: gone })
    );
}

/// The one record changed, sealed under a generation, as an entry and a body that agree.
fn sealed_under(
    held: &Wallet,
    now: &Wallet,
    generation: u32,
) -> Result<RecordHeader, FollowRefused> {
    let id = record_id(1);
    let version = now.entries.version(&id);
    let body = record(now.chain.membership.wallet(), id, version, generation);
    let entries = now.entries.with([RecordHeader::parse(&body).unwrap().entry()], []);
    let mut pulled = now.pull(Some(held));
    change_head(&mut pulled, |head| head.root = entries.root());
    pulled.entries = PulledEntries::All(entries);
    follow(Some(&held.stored()), &pulled).unwrap().check_body(&id, &body)
}

#[test]
fn a_change_between_adjacent_heads_is_sealed_under_the_current_generation() {
    let stale = Err(FollowRefused::BodyGeneration { id: record_id(1) });
    let mut held = wallet();
    held.commit(phone(), vec![held.chain.rotate()], &[]);
    let mut now = held.clone();
    now.commit(phone(), vec![], &[Edit::Write(1)]);
    assert!(sealed_under(&held, &now, 2).is_ok());
    assert_eq!(sealed_under(&held, &now, 1), stale);
    assert_eq!(sealed_under(&held, &now, 3), stale);
    // Further apart, it may have been sealed under any generation so far.
    now.commit(phone(), vec![], &[]);
    assert!(sealed_under(&held, &now, 1).is_ok());
    assert_eq!(sealed_under(&held, &now, 3), stale);
}

#[test]
fn heads_not_signed_by_a_device_leave_the_records_back_to_one_that_is() {
    let held = wallet();
    let mut now = held.clone();
    now.commit(phone(), vec![], &[Edit::Write(1)]);
    now.commit(revoker(), vec![revoke(device(2).id())], &[]);
    now.commit(revoker(), vec![], &[]);
    for holder in [Some(&held), None] {
        let pulled = now.pull(holder);
        assert!(follow(holder.map(Wallet::stored).as_ref(), &pulled).is_ok());
        for missing in 0..2 {
            let short = Pulled { trail: pulled.trail[..missing].to_vec(), ..pulled.clone() };
            let refused = follow(holder.map(Wallet::stored).as_ref(), &short);
            assert_eq!(refused, Err(FollowRefused::TrailMissing));
        }
    }
    // Back to the head held, no trail is needed.
    let mut next = now.clone();
    next.commit(revoker(), vec![], &[]);
    let alone = Pulled { trail: vec![], ..next.pull(Some(&now)) };
    assert!(follow(Some(&now.stored()), &alone).is_ok());
}

#[test]
fn p5_a_member_that_is_no_device_changes_no_record() {
    let held = wallet();
    let mut now = held.clone();
    now.commit(revoker(), vec![], &[Edit::Write(1)]);
    assert_eq!(refusal(&held, &now, |_| {}), FollowRefused::RootNotLeft);
    now.commit(revoker(), vec![], &[]);
    assert_eq!(refusal(&held, &now, |_| {}), FollowRefused::RootNotLeft);
    assert_eq!(follow(None, &now.pull(None)), Err(FollowRefused::RootNotLeft));
    let mut strange = now.pull(Some(&held));
    let mut before = *strange.trail[0].head();
    before.link = LinkHash::ZERO;
    strange.trail[0] = sign(&before);
    assert_eq!(follow(Some(&held.stored()), &strange), Err(FollowRefused::TrailMissing));
}

#[test]
fn p5_a_head_of_the_trail_stands_on_this_chain_of_links() {
    let held = wallet();
    for change in [
        (|head| head.links = 9) as fn(&mut Head),
        |head| head.links = 0,
        |head| head.link = LinkHash::ZERO,
        |head| head.wallet = crate::ids::WalletId::ZERO,
    ] {
        let mut now = held.clone();
        let mut middle = now.head(phone());
        change(&mut middle);
        now.push(middle);
        now.commit(revoker(), vec![], &[]);
        assert_eq!(refusal(&held, &now, |_| {}), FollowRefused::Links);
    }
}
