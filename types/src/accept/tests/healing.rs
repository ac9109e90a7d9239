//! Healing: one commit brings a server that lost heads to a new one.

use super::*;

/// A wallet, and what it became after changes that a server lost.
fn lost() -> (Wallet, Wallet) {
    let older = wallet();
    let mut newer = older.clone();
    newer.commit(phone(), vec![], &[Edit::Write(1), Edit::Remove(3)]);
    newer.commit(phone(), vec![newer.chain.add(device(3))], &[Edit::Write(1)]);
    newer.commit(phone(), vec![newer.chain.rotate()], &[Edit::Write(4)]);
    (older, newer)
}

#[test]
fn healing_from_an_older_head_and_from_nothing_is_accepted() {
    let (older, newer) = lost();
    for stored in [Some(&older), None] {
        let mut after = newer.clone();
        let commit = after.heal(stored, phone(), &[Edit::Write(5)]);
        assert!(commit.is_healing());
        let accepted = accept(stored.map(Wallet::stored).as_ref(), &commit).unwrap();
        assert_eq!(accepted.membership, after.chain.membership);
        assert_eq!((accepted.entries, accepted.history), (after.entries, after.history));
    }
}

#[test]
fn healing_names_every_head_between_in_order() {
    let (older, newer) = lost();
    let commit = newer.clone().heal(Some(&older), phone(), &[]);
    let stored = older.stored();
    let refused = |change: &dyn Fn(&mut Vec<HeadHash>)| {
        let mut commit = commit.clone();
        change(&mut commit.between);
        accept(Some(&stored), &commit).unwrap_err()
    };
    assert!(accept(Some(&stored), &commit).is_ok());
    for change in [
        (|between| between.swap(0, 1)) as fn(&mut Vec<HeadHash>),
        |between| between.truncate(2),
        |between| between.rotate_left(1),
        |between| between.insert(0, HeadHash::ZERO),
        |between| between[0] = HeadHash::ZERO,
        |between| between.clear(),
    ] {
        assert!(matches!(refused(&change), Refused::Conflict { .. }));
    }
}

#[test]
fn healing_of_a_wallet_that_moved_on_conflicts() {
    let (older, newer) = lost();
    let commit = newer.clone().heal(Some(&older), phone(), &[]);
    let mut moved = older.clone();
    moved.commit(device(2).id(), vec![], &[Edit::Write(7)]);
    let (found, found_seq) = (moved.stored().head_hash, moved.stored().head.seq);
    let named = commit.head.head().prev;
    assert_eq!(
        accept(Some(&moved.stored()), &commit),
        Err(Refused::Conflict { named, found, found_seq })
    );
    let from_nothing = newer.clone().heal(None, phone(), &[]);
    assert!(matches!(accept(Some(&older.stored()), &from_nothing), Err(Refused::Conflict { .. })));
}

#[test]
fn healing_from_nothing_proves_its_history() {
    let (_, newer) = lost();
    let commit = newer.clone().heal(None, phone(), &[]);
    let mut swapped = commit.clone();
    swapped.between.swap(0, 1);
    assert_eq!(accept(None, &swapped), Err(Refused::History));
    let mut short = commit.clone();
    short.between.remove(0);
    let expected = commit.head.head().seq - 1;
    assert_eq!(accept(None, &short), Err(Refused::Sequence { expected }));
    let mut cut = commit;
    cut.between.pop();
    assert_eq!(accept(None, &cut), Err(Refused::History));
}

/// The records of a healing commit, with one sealed otherwise and the head's root made to match.
fn with_record(version: u64, generation: u32) -> Result<Accepted, Refused> {
    let (older, newer) = lost();
    let id = newer.entries.as_slice().iter().find(|entry| entry.version == 3).unwrap().id;
    let mut commit = newer.clone().heal(Some(&older), phone(), &[]);
    let envelope = record(newer.chain.membership.wallet(), id, version, generation);
    let entry = RecordHeader::parse(&envelope).unwrap().entry();
    let place = commit
        .envelopes
        .iter()
        .position(|bytes| RecordHeader::parse(bytes).unwrap().header.id == id);
    commit.envelopes[place.unwrap()] = envelope;
    let root = newer.entries.with([entry], []).root();
    accept(Some(&older.stored()), &with_head(&commit, |head| head.root = root))
}

#[test]
fn healing_skips_versions_and_spans_generations_from_the_stored_one_on() {
    for (version, generation) in [(2, 1), (3, 2), (50, 1)] {
        assert!(
            with_record(version, generation).is_ok(),
            "version {version}, generation {generation}"
        );
    }
    let farthest = 1 + (1_u64 << 32);
    assert!(with_record(farthest, 1).is_ok());
    for version in [farthest + 1, u64::MAX] {
        // Nobody could ever write a version behind it.
        assert!(matches!(with_record(version, 1), Err(Refused::RecordVersion { stored: 1, .. })));
    }
    assert!(matches!(with_record(1, 1), Err(Refused::RecordVersion { stored: 1, .. })));
    assert!(matches!(with_record(3, 3), Err(Refused::RecordGeneration { due: 2, .. })));
    // The stored generation is the oldest that a lost change can have.
    let mut older = wallet();
    older.commit(phone(), vec![older.chain.rotate()], &[]);
    let mut newer = older.clone();
    newer.commit(phone(), vec![], &[Edit::Write(1)]);
    let mut commit = newer.clone().heal(Some(&older), phone(), &[]);
    let id = RecordHeader::parse(&commit.envelopes[0]).unwrap().header.id;
    commit.envelopes[0] = record(newer.chain.membership.wallet(), id, 2, 1);
    assert_eq!(
        accept(Some(&older.stored()), &commit),
        Err(Refused::RecordGeneration { id, due: 2 })
    );
}

#[test]
fn healing_that_changes_records_after_a_revocation_rotates() {
    let older = wallet();
    let mut newer = older.clone();
    newer.commit(phone(), vec![], &[Edit::Write(1)]);
    newer.commit(phone(), vec![revoke(device(2).id())], &[]);
    let without = newer.clone().heal(Some(&older), phone(), &[]);
    assert_eq!(accept(Some(&older.stored()), &without), Err(Refused::RotationDue));
    let rotated = {
        let mut newer = newer.clone();
        let mut plain = newer.clone();
        let rotate = newer.chain.rotate();
        newer.chain.admit(phone(), rotate.clone()).unwrap();
        plain.chain = newer.chain;
        plain.heal(Some(&older), phone(), &[])
    };
    assert!(accept(Some(&older.stored()), &rotated).is_ok());
}

#[test]
fn healing_is_a_devices_work() {
    let (older, newer) = lost();
    let commit = newer.clone().heal(Some(&older), code(), &[]);
    assert_eq!(accept(Some(&older.stored()), &commit), Err(Refused::RootNotLeft));
    let mut unchanged = older.clone();
    unchanged.commit(phone(), vec![], &[]);
    let commit = unchanged.heal(Some(&older), code(), &[]);
    assert_eq!(
        accept(Some(&older.stored()), &commit),
        Err(Refused::RootNotLeft),
        "the head before is not at hand"
    );
}
