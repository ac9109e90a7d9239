//! A backup in a fresh group: all of it, closed until then, and nothing that was taken away comes back.

use std::ops::ControlFlow;

use store::command::{SystemCommand, SystemReply};
use store::digest::PairHash;
use store::engine::Direction;
use store::engine::memory::Crash;
use store::keys::{Key, KeyBytes};
use store::{Column, Command, Fact, Policy, Reply, StateDigest};
use types::member::{Member, MemberKind};
use types::rejection::Rejection;

use crate::support::act::{act, bootstrap};
use crate::support::replica::{GROUP, Replica};
use crate::support::wallet::{Draft, Edit, device, locator, member, record};

const BACKUP: [u8; 32] = [7; 32];
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// What a backup has of a group.
pub(crate) fn rows_of(replica: &Replica) -> Rows {
    let mut rows = Vec::new();
    let visit = &mut |key: &[u8], value: &[u8]| {
        if Key::decode(key).unwrap().1.is_restored() {
            rows.push((KeyBytes::digested_of(key).to_vec(), value.to_vec()));
        }
        ControlFlow::Continue(())
    };
    replica.engine().scan(Column::State, &[], &[0xff; 8], Direction::Forward, visit).unwrap();
    rows
}

pub(crate) fn encode(rows: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let row = |(key, value): &(Vec<u8>, Vec<u8>)| {
        let length = (value.len() as u32).to_be_bytes();
        [&[key.len() as u8][..], key, &length, value].concat()
    };
    rows.iter().flat_map(row).collect()
}

fn digest_of(rows: &Rows) -> StateDigest {
    let mut digest = StateDigest::default();
    rows.iter().for_each(|(key, value)| digest.add(PairHash::of(key, value)));
    digest
}

fn begin() -> SystemCommand {
    SystemCommand::BeginRestore { backup: BACKUP }
}

fn bring(rows: &[(Vec<u8>, Vec<u8>)], first: usize) -> SystemCommand {
    SystemCommand::RestoreRows { backup: BACKUP, first: first as u64, rows: encode(rows) }
}

fn facts(facts: Vec<Fact>) -> SystemCommand {
    SystemCommand::RestoreFacts { backup: BACKUP, facts }
}

fn finish(rows: &Rows) -> SystemCommand {
    let digest = digest_of(rows);
    SystemCommand::FinishRestore { backup: BACKUP, rows: rows.len() as u64, digest }
}

fn fresh() -> Replica {
    let mut replica = Replica::in_memory(GROUP);
    replica.apply(&bootstrap(Policy::default()));
    replica
}

fn order(replica: &mut Replica, number: u64, command: SystemCommand) -> Reply {
    let after = replica.reader().acts().unwrap();
    replica.apply(&act(number, after, command))
}

fn code_of(reply: &Reply) -> &str {
    match reply {
        Reply::Rejected(rejection) => rejection.code(),
        other => panic!("{other:?}"),
    }
}

fn push(replica: &mut Replica, draft: &Draft, by: &Member, edits: &[Edit]) -> (Command, Draft) {
    let (push, next) = draft.push(by, edits, 5_000 + draft.seq());
    let command = Command::Push(Box::new(push));
    let reply = replica.apply(&command);
    assert!(matches!(reply, Reply::Pushed { .. }), "{reply:?}");
    (command, next)
}

/// A wallet of a phone, a tablet and a code, in a group of its own.
fn lived_in() -> (Replica, Draft) {
    let mut replica = fresh();
    let draft = Draft::in_group(vec![device("phone"), member(MemberKind::RecoveryCode, "code")]);
    let edits = [Edit::Write(record("a"), vec![1; 70_000]), Edit::Add(device("tablet"))];
    let (_, draft) = push(&mut replica, &draft, &device("phone"), &edits);
    let (_, draft) =
        push(&mut replica, &draft, &device("phone"), &[Edit::Write(record("b"), vec![2])]);
    (replica, draft)
}

pub(crate) fn restored(rows: &Rows, told: Vec<Fact>) -> Replica {
    let mut replica = fresh();
    let steps = [begin(), bring(rows, 0), facts(told), finish(rows)];
    for (number, step) in (1..).zip(steps) {
        let reply = order(&mut replica, number, step);
        assert!(matches!(reply, Reply::System(SystemReply::Restored { .. })), "{reply:?}");
    }
    replica.check();
    replica
}

#[test]
fn what_was_backed_up_is_there_and_goes_on() {
    let (mut source, draft) = lived_in();
    let rows = rows_of(&source);
    let mut replica = restored(&rows, Vec::new());
    let wallet = source.reader().locator(locator("code")).unwrap()[0];
    let (then, now) = (source.reader(), replica.reader());
    assert_eq!(then.stored(wallet).unwrap(), now.stored(wallet).unwrap());
    assert_eq!(then.links(wallet, 0).unwrap(), now.links(wallet, 0).unwrap());
    assert_eq!(then.locator(locator("code")).unwrap(), now.locator(locator("code")).unwrap());
    assert_eq!(now.body(wallet, record("a")).unwrap(), then.body(wallet, record("a")).unwrap());
    assert_eq!(now.standing().unwrap().wallets, 1);
    let leaves = then.standing().unwrap().leaves;
    assert_eq!(now.standing().unwrap().leaves, leaves + 1, "the end of the restore is recorded");
    for leaf in 0..leaves {
        assert_eq!(then.audit_leaf(leaf).unwrap(), now.audit_leaf(leaf).unwrap());
    }
    let edits = [Edit::Write(record("c"), vec![3])];
    push(&mut replica, &draft, &device("phone"), &edits);
    push(&mut source, &draft, &device("phone"), &edits);
    replica.restart(Crash::Process);
    replica.check();
}

#[test]
fn rows_come_in_steps_that_may_be_repeated_and_cut_anywhere() {
    let (source, _) = lived_in();
    let rows = rows_of(&source);
    let whole = restored(&rows, Vec::new());
    let mut replica = fresh();
    order(&mut replica, 1, begin());
    let mut number = 2;
    for start in 0..rows.len() {
        // Each step brings one row more than the last, and all that may have come before.
        for from in [start, start.saturating_sub(2)] {
            let reply = order(&mut replica, number, bring(&rows[from..=start], from));
            let there = start as u64 + 1;
            let so_far = SystemReply::Restored { rows: there, finished: false };
            assert_eq!(reply, Reply::System(so_far));
            number += 1;
        }
    }
    let again = order(&mut replica, number, begin());
    let all = rows.len() as u64;
    assert_eq!(again, Reply::System(SystemReply::Restored { rows: all, finished: false }));
    for _ in 0..2 {
        let reply = order(&mut replica, number + 1, finish(&rows));
        assert_eq!(reply, Reply::System(SystemReply::Restored { rows: all, finished: true }));
    }
    let kept = |replica: &Replica| {
        let mut rows = rows_of(replica);
        // The times of the acts differ, nothing else.
        rows.retain(|(key, _)| !matches!(key[..3], [0xff, 0xff, 33 | 37 | 38 | 39 | 40]));
        rows
    };
    assert_eq!(kept(&replica), kept(&whole));
}

#[test]
fn until_its_end_a_restore_keeps_everybody_out() {
    let (source, draft) = lived_in();
    let rows = rows_of(&source);
    let mut replica = fresh();
    assert_eq!(code_of(&order(&mut replica, 1, bring(&rows, 0))), "not_restoring");
    order(&mut replica, 2, begin());
    assert!(replica.reader().restoring().unwrap());
    order(&mut replica, 3, bring(&rows, 0));
    let (late, _) = draft.push(&device("phone"), &[Edit::Write(record("c"), vec![3])], 9_000);
    assert_eq!(code_of(&replica.apply(&Command::Push(Box::new(late.clone())))), "restoring");
    let policy = SystemCommand::SetPolicy(Policy::default());
    assert_eq!(code_of(&order(&mut replica, 4, policy)), "restoring");
    order(&mut replica, 5, finish(&rows));
    assert!(!replica.reader().restoring().unwrap());
    let reply = replica.apply(&Command::Push(Box::new(late)));
    assert!(matches!(reply, Reply::Pushed { .. }), "{reply:?}");
}

#[test]
fn what_is_not_the_backup_is_refused_and_changes_nothing() {
    let (mut source, _) = lived_in();
    let rows = rows_of(&source);
    assert_eq!(code_of(&order(&mut source, 90, begin())), "not_empty");

    let mut replica = fresh();
    order(&mut replica, 1, begin());
    let foreign = |rows: &[(Vec<u8>, Vec<u8>)]| bring(rows, 0);
    let mut swapped = rows.clone();
    swapped.swap(0, 1);
    let mut no_value = rows.clone();
    no_value[0].1.truncate(3);
    let mut own = rows.clone();
    own[0].0 = vec![0xff, 0xff, 48];
    let mut unknown = rows.clone();
    unknown[0].0[2] = 200;
    for (name, bad) in [("swapped", swapped), ("cut", no_value), ("own", own), ("unknown", unknown)]
    {
        let before = replica.digest();
        assert_eq!(code_of(&order(&mut replica, 2, foreign(&bad))), "malformed", "{name}");
        assert_eq!(replica.digest(), before, "{name}");
    }
    assert_eq!(code_of(&order(&mut replica, 3, bring(&rows[1..], 1))), "restore_gap");
    order(&mut replica, 4, bring(&rows[..2], 0));
    assert_eq!(code_of(&order(&mut replica, 5, finish(&rows))), "restore_differs");
    let other = SystemCommand::BeginRestore { backup: [8; 32] };
    assert_eq!(code_of(&order(&mut replica, 6, other)), "not_empty");
}

#[test]
fn what_was_revoked_after_the_backup_stays_revoked() {
    let (mut source, draft) = lived_in();
    let rows = rows_of(&source);
    let place = source.reader().journal_end().unwrap();
    let (phone, tablet) = (device("phone"), device("tablet"));
    let edits = [Edit::Revoke(tablet.id()), Edit::Rotate];
    let (revoked, after) = push(&mut source, &draft, &phone, &edits);
    let page = source.reader().journal(place).unwrap();
    assert_eq!((page.facts.len(), page.more), (1, false));
    let told: Vec<Fact> =
        page.facts.iter().map(|fact| Fact::decode(&fact.encode()).unwrap()).collect();

    let mut replica = restored(&rows, told.clone());
    let wallet = told[0].wallet();
    let members = replica.reader().membership(wallet).unwrap().unwrap();
    assert!(!members.member(&tablet.id()).unwrap().is_active());
    let write = [Edit::Write(record("z"), vec![1])];
    let by = |member: &Member| Command::Push(Box::new(draft.push(member, &write, 9_000).0));
    assert_eq!(replica.apply(&by(&tablet)), Reply::Rejected(Rejection::MemberInactive));
    assert_eq!(code_of(&replica.apply(&by(&phone))), "behind_journal");
    // Another follower of this journal is told the same.
    let told_on = replica.reader().journal(0).unwrap().facts;
    assert_eq!(told_on[0].membership, told[0].membership);
    assert_eq!(told_on[0].links, source.reader().links(wallet, told_on[0].first).unwrap());

    // The very push that went further is accepted, and with it the wallet is as it was.
    let reply = replica.apply(&revoked);
    assert!(matches!(reply, Reply::Pushed { .. }), "{reply:?}");
    assert_eq!(replica.reader().floor(wallet).unwrap(), None);
    push(&mut replica, &after, &phone, &write);
    replica.check();
}

#[test]
fn without_its_journal_a_restore_forgets_a_revocation() {
    let (mut source, draft) = lived_in();
    let rows = rows_of(&source);
    let (phone, tablet) = (device("phone"), device("tablet"));
    push(&mut source, &draft, &phone, &[Edit::Revoke(tablet.id()), Edit::Rotate]);
    let mut replica = restored(&rows, Vec::new());
    push(&mut replica, &draft, &tablet, &[Edit::Write(record("z"), vec![1])]);
}

#[test]
fn a_wallet_that_no_backup_has_is_known_by_the_journal() {
    let (mut source, _) = lived_in();
    let rows = rows_of(&source);
    let place = source.reader().journal_end().unwrap();
    let young = Draft::in_group_from(1_000, vec![device("watch")]);
    let (create, _) =
        push(&mut source, &young, &device("watch"), &[Edit::Write(record("y"), vec![9])]);
    let told = source.reader().journal(place).unwrap().facts;
    let wallet = told[0].wallet();
    let mut replica = restored(&rows, told);
    assert_eq!(replica.reader().wallet(wallet).unwrap(), None);
    assert!(replica.reader().membership(wallet).unwrap().is_some());
    let reply = replica.apply(&create);
    assert!(matches!(reply, Reply::Pushed { .. }), "{reply:?}");
    assert_eq!(replica.reader().floor(wallet).unwrap(), None);
    assert_eq!(replica.reader().standing().unwrap().wallets, 2);
}

#[test]
fn an_older_or_repeated_fact_changes_nothing_and_a_missing_one_is_noticed() {
    let (mut source, draft) = lived_in();
    let rows = rows_of(&source);
    let place = source.reader().journal_end().unwrap();
    let (phone, tablet) = (device("phone"), device("tablet"));
    let (_, draft) = push(&mut source, &draft, &phone, &[Edit::Add(device("clock"))]);
    let older = source.reader().journal(place).unwrap().facts;
    push(&mut source, &draft, &phone, &[Edit::Revoke(tablet.id()), Edit::Rotate]);
    let newer = source.reader().journal(place).unwrap().facts;
    let only_last = source.reader().journal(place + 1).unwrap().facts;

    let mut replica = fresh();
    order(&mut replica, 1, begin());
    order(&mut replica, 2, bring(&rows, 0));
    assert_eq!(code_of(&order(&mut replica, 3, facts(only_last.clone()))), "journal_gap");
    let wallet = newer[0].wallet();
    for (number, told) in (4..).zip([&older, &only_last, &newer, &older, &newer]) {
        let reply = order(&mut replica, number, facts(told.clone()));
        assert!(matches!(reply, Reply::System(_)), "{reply:?}");
    }
    let floor = replica.reader().floor(wallet).unwrap().unwrap();
    assert_eq!(floor.membership, newer[0].membership);
    assert_eq!(floor.links, newer[0].links);
    assert_eq!(replica.reader().restore().unwrap().unwrap().floors, 1);

    let mut cut = newer[0].clone();
    cut.links.pop();
    assert_eq!(code_of(&order(&mut replica, 20, facts(vec![cut]))), "malformed");
    let reply = order(&mut replica, 21, finish(&rows));
    assert!(matches!(reply, Reply::System(_)), "{reply:?}");
}

#[test]
fn an_erased_wallet_stays_erased() {
    let (mut source, draft) = lived_in();
    let rows = rows_of(&source);
    let place = source.reader().journal_end().unwrap();
    let code = member(MemberKind::RecoveryCode, "code");
    push(&mut source, &draft, &code, &[Edit::Erase]);
    let mut replica = restored(&rows, source.reader().journal(place).unwrap().facts);
    let (late, _) = draft.push(&device("phone"), &[Edit::Write(record("z"), vec![1])], 9_000);
    let reply = replica.apply(&Command::Push(Box::new(late)));
    assert_eq!(reply, Reply::Rejected(Rejection::Erased));
}
