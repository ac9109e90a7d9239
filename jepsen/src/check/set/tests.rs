use super::check;
use crate::{
    check::story::{Story, refused, unknown},
    history::Type,
    verdict::Verdict,
};
use serde_json::{Value, json};

/// Three adds: `a` is acknowledged, `b` unknown, `c` failed.
fn three() -> Story {
    let mut story = Story::of("set");
    story.ok(1, "add", "a", "a");
    story.begin(2, "add", "b").end(2, Type::Info, "b");
    story.begin(3, "add", "c").end(3, Type::Fail, "c");
    story
}

fn shown(elements: &[&str], commits: u64) -> Verdict {
    judged(json!({"elements": elements, "commits": commits}))
}

fn judged(value: Value) -> Verdict {
    check(&three().ok(4, "final", Value::Null, value).history())
}

#[test]
fn an_unknown_add_may_be_there_or_not() {
    assert_eq!(shown(&["a"], 1), Verdict::Pass);
    assert_eq!(shown(&["a", "b"], 2), Verdict::Pass);
}

#[test]
fn an_acknowledged_add_that_is_gone_is_lost() {
    refused(&shown(&["b"], 1), &["lost"]);
    refused(&shown(&[], 0), &["lost", "lost"]);
}

#[test]
fn an_element_that_is_there_twice_is_refused() {
    refused(&shown(&["a", "a"], 2), &["twice"]);
}

#[test]
fn a_commit_more_than_adds_is_an_add_that_happened_twice() {
    refused(&shown(&["a", "b"], 3), &["twice", "twice or lost"]);
    refused(&shown(&["a"], 2), &["twice or lost"]);
}

#[test]
fn a_failed_add_that_is_there_is_invented() {
    refused(&shown(&["a", "c"], 2), &["invented"]);
}

#[test]
fn an_element_that_nobody_added_is_invented() {
    refused(&shown(&["a", "x"], 2), &["invented"]);
}

#[test]
fn every_final_read_is_judged() {
    let mut story = three();
    story.ok(4, "final", Value::Null, json!({"elements": ["a"], "commits": 1}));
    story.ok(5, "final", Value::Null, json!({"elements": [], "commits": 1}));
    refused(&check(&story.history()), &["lost", "twice or lost"]);
}

#[test]
fn without_a_final_read_or_with_another_value_nothing_is_known() {
    unknown(&check(&three().history()), "no `final` read");
    unknown(&judged(json!({"elements": ["a"]})), "line 8");
    unknown(&check(&three().ok(4, "read", Value::Null, "a").history()), "no operation of set");
}

#[test]
fn an_element_that_is_added_again_is_a_mistake_of_the_harness() {
    let mut story = three();
    story.ok(4, "add", "a", "a");
    story.ok(5, "final", Value::Null, json!({"elements": ["a"], "commits": 1}));
    unknown(&check(&story.history()), "unique");
}
