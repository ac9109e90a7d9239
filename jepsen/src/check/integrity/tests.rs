use super::{AFTER_NS, check};
use crate::{
    check::story::{Story, refused, unknown},
    history::Type,
    verdict::Verdict,
};
use serde_json::json;

#[test]
fn an_answer_that_verifies_and_a_refusal_are_accepted() {
    let mut story = Story::of("register");
    story.ok(1, "read", json!(null), "a");
    story.begin_cas(1, "a", "b").end(1, Type::Fail, json!({"asked": "b", "refused": true}));
    assert_eq!(check(&story.history()), Verdict::Pass);
}

#[test]
fn an_answer_that_does_not_verify_is_found_in_any_workload() {
    for workload in ["chain", "watch"] {
        let mut story = Story::of(workload);
        story.begin(1, "pull", json!({"device": "d"}));
        story.end(1, Type::Fail, json!({"device": "d", "broken": true}));
        refused(&check(&story.history()), &["broken"]);
    }
}

fn denied(story: &mut Story, code: &str) -> Verdict {
    story.begin(1, "push", json!({"device": "d"}));
    check(&story.end(1, Type::Fail, json!({"device": "d", "denied": code})).history())
}

#[test]
fn a_refusal_that_the_workload_does_not_count_on_is_found() {
    for code in ["root", "erased", "member_inactive", "unauthenticated", "not_yet_known"] {
        refused(&denied(&mut Story::of("chain"), code), &["denied"]);
    }
}

fn phase(phase: &str, state: &str) -> serde_json::Value {
    json!({"phase": phase, "state": state})
}

#[test]
fn while_a_clock_is_turned_a_proof_may_be_of_another_time() {
    for clock in ["jump", "drift"] {
        let mut story = Story::of("chain");
        story.nemesis(clock, phase("start", "installed"));
        assert_eq!(denied(&mut story, "unauthenticated"), Verdict::Pass);
        refused(&denied(&mut story, "root"), &["denied"]);
    }
}

#[test]
fn a_clock_excuses_nothing_before_it_is_turned_and_long_after() {
    let mut before = Story::of("chain");
    denied(&mut before, "unauthenticated");
    before.nemesis("jump", phase("start", "installed"));
    refused(&check(&before.history()), &["denied"]);
    let after = |ns: u64| {
        let mut story = Story::of("chain");
        story
            .nemesis("jump", phase("start", "installed"))
            .nemesis("jump", phase("stop", "installed"));
        denied(story.later(ns), "unauthenticated")
    };
    assert_eq!(after(AFTER_NS - 10_000), Verdict::Pass);
    refused(&after(AFTER_NS), &["denied"]);
}

#[test]
fn a_clock_that_was_not_turned_and_another_fault_excuse_nothing() {
    for (fault, state) in [("jump", "skipped"), ("boot", "installed"), ("kill", "installed")] {
        let mut story = Story::of("chain");
        story.nemesis(fault, phase("start", state));
        refused(&denied(&mut story, "unauthenticated"), &["denied"]);
    }
}

#[test]
fn a_fault_of_the_client_makes_the_verdict_unknown() {
    unknown(&denied(&mut Story::of("chain"), "client"), "a fault of the client");
}
