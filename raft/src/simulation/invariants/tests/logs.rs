//! What holds of logs, votes and states (figure 3 of the Raft paper, and figure 2).

use super::*;

/// Another leadership after a restart is lawful; the same one is not, nor one that was not won.
#[test]
fn a_leadership_is_won_once() {
    let mut bench = Bench::new();
    bench.reports(1, &leads(1, 1, None)).unwrap();
    bench.reports(1, &leads(1, 1, None)).unwrap();
    bench.reports(2, &leads(2, 2, None)).unwrap();
    bench.dies(1).unwrap();
    bench.reports(1, &leads(3, 1, None)).unwrap();
    broke("election safety", bench.reports(1, &leads(1, 1, None)));

    let other = Report { vote: won(4, 2), ..leads(4, 1, None) };
    broke("election safety", bench.reports(1, &other));
    let not_won = Report { vote: vote(5, 1), ..leads(5, 1, None) };
    broke("election safety", bench.reports(1, &not_won));
}

/// Who has voted for another may truncate; who leads may neither truncate nor write an entry again.
#[test]
fn a_leader_only_appends() {
    let begin = || {
        let mut bench = Bench::new();
        bench.votes(1, won(1, 1)).unwrap();
        bench.writes(1, id(1, 1, 1), "a").unwrap();
        bench.writes(1, id(1, 1, 2), "b").unwrap();
        bench
    };
    let mut bench = begin();
    bench.votes(1, vote(2, 2)).unwrap();
    bench.truncates(1, 2).unwrap();
    bench.writes(1, id(2, 2, 2), "c").unwrap();

    broke("leader append-only", begin().truncates(1, 2));
    broke("leader append-only", begin().writes(1, id(1, 1, 2), "b"));
}

/// An entry of one name is one entry behind one line, and stands until it is removed.
#[test]
fn entries_of_one_name_are_one_line() {
    let begin = || {
        let mut bench = Bench::new();
        for node in [1, 2] {
            bench.writes(node, id(1, 3, 1), "a").unwrap();
            bench.writes(node, id(1, 3, 2), "b").unwrap();
        }
        bench
    };
    let mut bench = begin();
    bench.truncates(2, 2).unwrap();
    bench.writes(2, id(2, 3, 2), "c").unwrap();
    broke("log matching", bench.writes(2, id(3, 3, 2), "d"));

    broke("log matching", begin().writes(3, id(1, 3, 1), "another"));
    let mut bench = begin();
    bench.writes(3, id(2, 1, 1), "c").unwrap();
    broke("log matching", bench.writes(3, id(1, 3, 2), "b"));
}

/// A later leader begins with what was committed, in its log or purged from it.
#[test]
fn a_leader_has_what_was_committed() {
    let begin = || {
        let mut bench = Bench::new();
        let committed = Report { committed: Some(id(1, 1, 2)), ..nothing() };
        bench.reports(1, &committed).unwrap();
        bench.writes(2, id(1, 1, 1), "a").unwrap();
        bench
    };
    let mut bench = begin();
    bench.writes(2, id(1, 1, 2), "b").unwrap();
    bench.writes(2, id(2, 2, 3), "").unwrap();
    let mut bench = begin();
    bench.purges(2, id(1, 1, 2), true).unwrap();
    bench.writes(2, id(2, 2, 3), "").unwrap();

    broke("leader completeness", begin().writes(2, id(2, 2, 2), ""));
}

/// One entry at one place, and one state behind it.
#[test]
fn replicas_apply_one_line_to_one_state() {
    let mut bench = Bench::new();
    let machine = |node| Machine::open(bench.disk(node).handle(), GROUP).unwrap();
    let (empty, mut one) = (machine(1).digest(), machine(2));
    let act = store::Command::System(
        crate::Order::of_node("test", "n1", &[]).act(0),
        Box::new(store::command::SystemCommand::SetPolicy(store::Policy::default())),
    );
    let payload = store::Payload::Command(act.encode().unwrap());
    one.apply(&[store::Entry { position: position(&id(1, 1, 1)), payload }]).unwrap();
    let other = one.digest();
    assert_ne!(empty, other);

    bench.reports(1, &has_applied(id(1, 1, 1), empty)).unwrap();
    bench.reports(2, &has_applied(id(1, 1, 1), empty)).unwrap();
    bench.reports(2, &has_applied(id(1, 1, 2), other)).unwrap();
    broke("state machine safety", bench.reports(3, &has_applied(id(1, 1, 1), other)));
    broke("state machine safety", bench.reports(3, &has_applied(id(2, 2, 2), other)));
}

/// Votes rise, and what is committed and applied does while a node lives. What a node had not synced when it
/// died was promised to nobody.
#[test]
fn nothing_goes_back() {
    let committed = |at| Report { committed: Some(at), ..nothing() };
    let state = StateDigest::default();
    let mut bench = Bench::new();
    bench.votes(1, vote(2, 1)).unwrap();
    bench.votes(1, won(2, 1)).unwrap();
    bench.sync(1);
    bench.votes(1, vote(3, 3)).unwrap();
    bench.reports(1, &committed(id(1, 1, 5))).unwrap();
    bench.reports(1, &has_applied(id(1, 1, 5), state)).unwrap();
    bench.dies(1).unwrap();
    bench.votes(1, vote(3, 2)).unwrap();
    bench.reports(1, &committed(id(1, 1, 4))).unwrap();
    bench.reports(1, &has_applied(id(1, 1, 4), state)).unwrap();

    broke("monotonic", bench.reports(1, &committed(id(1, 1, 3))));
    broke("monotonic", bench.reports(1, &has_applied(id(1, 1, 3), state)));
    broke("monotonic", bench.votes(1, vote(2, 3)));
    bench.votes(2, won(2, 1)).unwrap();
    broke("monotonic", bench.votes(2, vote(2, 1)));
}
