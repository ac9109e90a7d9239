use super::check;
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

#[test]
fn where_clocks_are_turned_a_proof_may_be_of_another_time() {
    let mut story = Story::of("chain");
    story.nemesis("jump", json!({"phase": "start", "state": "installed"}));
    assert_eq!(denied(&mut story, "unauthenticated"), Verdict::Pass);
    refused(&denied(&mut story, "root"), &["denied"]);
}

#[test]
fn a_fault_of_the_client_makes_the_verdict_unknown() {
    unknown(&denied(&mut Story::of("chain"), "client"), "a fault of the client");
}
