use super::check;
use crate::{
    check::story::{Story, unknown},
    history::Type,
    verdict::Verdict,
};
use serde_json::{Value, json};

fn run(nemesis: &str, plan: &[&str], workloads: &[&str]) -> Value {
    let plan: Vec<Value> =
        plan.iter().map(|fault| json!({"fault": fault, "at_ms": 100, "node": "n1"})).collect();
    json!({
        "seed": 7, "nemesis": nemesis, "plan": plan, "network": "proxy", "commit": "0",
        "nodes": ["n1", "n2", "n3"], "workloads": workloads,
    })
}

fn fault(phase: &str, state: &str, felt: u64) -> Value {
    json!({"phase": phase, "state": state, "reason": "why", "targets": ["n1"], "felt": {"gone": felt}})
}

fn adds(story: &mut Story, kind: Type, count: u64) -> &mut Story {
    for _ in 0..count {
        let process = story.fresh();
        story.begin(process, "add", "x").end(process, kind, "x");
    }
    story
}

/// A fault `kill` between ten quiet adds and ten disturbed ones.
fn killed(state: &str, felt: u64) -> Story {
    let mut story = Story::of("set");
    story.nemesis("run", run("kill", &["kill"], &["set"]));
    adds(&mut story, Type::Ok, 10);
    story.nemesis("kill", fault("start", state, 0));
    adds(&mut story, Type::Info, 10);
    story.nemesis("kill", fault("stop", "installed", felt));
    story
}

#[test]
fn a_run_with_what_it_must_contain_passes() {
    assert_eq!(check(&killed("installed", 1).history()), Verdict::Pass);
    let mut story = Story::of("set");
    story.nemesis("run", run("none", &[], &["set"]));
    adds(&mut story, Type::Ok, 18);
    adds(&mut story, Type::Info, 2);
    assert_eq!(check(&story.history()), Verdict::Pass);
}

#[test]
fn a_fault_that_was_not_installed_does_not_count() {
    unknown(&check(&killed("skipped", 0).history()), "0 of 1 planned faults");
    unknown(&check(&killed("unclear", 1).history()), "0 of 1 planned faults");
    for (planned, counts) in [(2, true), (3, false)] {
        let mut some = Story::of("set");
        some.nemesis("run", run("kill", &vec!["kill"; planned], &["set"]));
        adds(&mut some, Type::Ok, 10).nemesis("kill", fault("start", "installed", 1));
        let verdict = check(&some.history());
        match counts {
            true => assert_eq!(verdict, Verdict::Pass),
            false => unknown(&verdict, "1 of 3 planned faults were installed, less than half"),
        }
    }
}

#[test]
fn a_plan_without_a_fault_does_not_count() {
    let mut story = Story::of("set");
    story.nemesis("run", run("kill", &[], &["set"]));
    unknown(&check(&adds(&mut story, Type::Ok, 20).history()), "no fault");
}

#[test]
fn a_fault_that_nothing_felt_does_not_count() {
    unknown(&check(&killed("installed", 0).history()), "nothing felt it");
}

#[test]
fn each_shape_of_a_cut_has_to_be_felt() {
    let cut = |shape: &str| json!({"fault": "cut", "act": {"cut": shape}});
    let mut whole = run("partition", &[], &["set"]);
    whole["plan"] = json!([cut("isolated-leader"), cut("halves")]);
    let mut story = Story::of("set");
    story.nemesis("run", whole);
    for felt in [1, 0] {
        adds(&mut story, Type::Ok, 10).nemesis("cut", fault("start", "installed", 0));
        story.nemesis("cut", fault("stop", "installed", felt));
    }
    unknown(&check(&story.history()), "the fault cut (halves)");
}

#[test]
fn a_fault_is_active_from_when_it_struck() {
    let mut story = Story::of("set");
    story.nemesis("run", run("kill", &["kill"], &["set"]));
    adds(&mut story, Type::Fail, 20);
    let mut struck = fault("start", "installed", 1);
    struck["since"] = json!(1);
    story.nemesis("kill", struck).nemesis("kill", fault("stop", "installed", 0));
    adds(&mut story, Type::Ok, 10);
    assert_eq!(check(&story.history()), Verdict::Pass);
}

#[test]
fn a_fault_of_which_nobody_knows_whether_it_ended_does_not_count() {
    let mut story = killed("installed", 1);
    story.nemesis("kill", fault("stop", "unclear", 1));
    unknown(&check(&story.history()), "was taken back");
}

#[test]
fn fewer_than_one_in_two_quiet_operations_do_not_count() {
    let mut story = killed("installed", 1);
    adds(&mut story, Type::Fail, 11);
    unknown(&check(&story.history()), "less than one in two");
}

#[test]
fn operations_that_a_fault_touched_are_not_quiet() {
    let mut story = Story::of("set");
    story.nemesis("run", run("kill", &["kill"], &["set"]));
    story.nemesis("kill", fault("start", "installed", 1));
    adds(&mut story, Type::Ok, 10);
    unknown(&check(&story.history()), "less than one in two");
    story.begin(900, "add", "x").nemesis("kill", fault("stop", "installed", 1));
    story.end(900, Type::Ok, "x");
    unknown(&check(&story.history()), "less than one in two");
    adds(&mut story, Type::Ok, 1);
    assert_eq!(check(&story.history()), Verdict::Pass);
}

#[test]
fn after_the_healing_no_fault_is_active() {
    let mut story = Story::of("set");
    story.nemesis("run", run("kill", &["kill"], &["set"]));
    story.nemesis("kill", fault("start", "installed", 1));
    story.nemesis("heal", fault("heal", "installed", 0));
    adds(&mut story, Type::Ok, 10);
    assert_eq!(check(&story.history()), Verdict::Pass);
}

#[test]
fn fewer_than_one_in_twenty_or_than_ten_do_not_count() {
    let mut story = killed("installed", 1);
    story.nemesis("kill", fault("start", "installed", 1));
    adds(&mut story, Type::Fail, 200);
    unknown(&check(&story.history()), "less than one in twenty");
    let mut story = Story::of("set");
    story.nemesis("run", run("none", &[], &["set"]));
    unknown(&check(&adds(&mut story, Type::Ok, 9).history()), "fewer than 10");
}

#[test]
fn without_faults_nine_in_ten_are_acknowledged() {
    let mut story = Story::of("set");
    story.nemesis("run", run("none", &[], &["set"]));
    adds(&mut story, Type::Ok, 17);
    adds(&mut story, Type::Fail, 3);
    unknown(&check(&story.history()), "less than nine in ten");
}

#[test]
fn what_the_cluster_refused_by_rule_is_no_lack() {
    let mut story = killed("installed", 1);
    for _ in 0..500 {
        let process = story.fresh();
        story.begin(process, "add", "x").end(process, Type::Fail, json!({"refused": true}));
    }
    assert_eq!(check(&story.history()), Verdict::Pass);
}

#[test]
fn a_workload_that_was_to_run_and_did_not_is_missed() {
    let mut story = Story::of("set");
    story.nemesis("run", run("none", &[], &["set", "watch"]));
    unknown(&check(&adds(&mut story, Type::Ok, 10).history()), "watch: fewer than 10");
}

#[test]
fn an_operation_without_an_end_is_named() {
    let mut story = killed("installed", 1);
    story.begin(900, "add", "x");
    unknown(&check(&story.history()), "the operation of line 44 has no end");
}

#[test]
fn a_history_that_does_not_say_what_was_run_proves_nothing() {
    unknown(&check(&Story::of("set").history()), "op `run`");
    unknown(&check(&Story::of("set").nemesis("run", "all").history()), "line 1");
    let mut story = killed("installed", 1);
    story.nemesis("kill", json!({"phase": "begin"}));
    unknown(&check(&story.history()), "unknown variant");
}

#[test]
fn a_run_with_a_time_of_calm_owes_something_to_a_watcher_in_it() {
    const SECOND: u64 = 1_000_000_000;
    let watched = |later_ms: u64, calm: u64, closed: u64| {
        let mut whole = run("kill", &[], &["watch"]);
        let kill = |at: u64| json!({"fault": "kill", "at_ms": at, "lasts_ms": 1_000});
        whole["plan"] = json!([kill(1_000), kill(2_000 + later_ms)]);
        let mut story = Story::of("watch");
        story.nemesis("run", whole);
        story.notice(80, "open", json!({"watcher": "d1", "node": "n1", "seq": 0}));
        story.nemesis("kill", fault("start", "installed", 1));
        story.nemesis("kill", fault("stop", "installed", 1)).later(calm * SECOND);
        for number in 1..=10 {
            let process = story.fresh();
            story.ok(process, "push", "x", json!({"id": "x", "seq": number}));
        }
        story.later(closed * SECOND);
        story.notice(80, "close", json!({"watcher": "d1"})).later(5 * SECOND);
        story.nemesis("kill", fault("start", "installed", 1));
        story.nemesis("kill", fault("stop", "installed", 1));
        check(&story.history())
    };
    assert_eq!(watched(26_000, 11, 9), Verdict::Pass);
    for (calm, closed) in [(9, 9), (11, 7)] {
        unknown(&watched(26_000, calm, closed), "no watcher was owed anything");
        assert_eq!(watched(25_999, calm, closed), Verdict::Pass, "no calm was planned");
    }
}
