use super::check;
use crate::{
    check::story::{Story, refused},
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
