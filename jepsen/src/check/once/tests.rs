use super::check;
use crate::{
    check::story::{Story, refused, unknown},
    history::Type,
    verdict::Verdict,
};
use serde_json::{Value, json};

fn pushed(id: &str, seq: u64) -> Value {
    json!({"id": id, "seq": seq})
}

/// `a` is number 5; `b` is asked for twice without an answer and then is number 6; `c` is refused.
fn story(b: u64) -> Story {
    let mut story = Story::of("once");
    story.ok(1, "push", "a", pushed("a", 5));
    story.begin(1, "push", "b").end(1, Type::Info, "b");
    story.begin(2, "retry", "b").end(2, Type::Info, "b");
    story.ok(3, "retry", "b", pushed("b", b));
    story.begin(3, "push", "c").end(3, Type::Fail, "c");
    story
}

fn ends(story: &mut Story, elements: &[&str], seq: u64) -> Verdict {
    let shown = json!({"elements": elements, "seq": seq, "first": 4});
    check(&story.ok(9, "final", Value::Null, shown).history())
}

#[test]
fn retries_that_happened_once_are_accepted() {
    assert_eq!(ends(&mut story(6), &["a", "b"], 6), Verdict::Pass);
}

#[test]
fn a_retry_that_happened_again_leaves_a_number_that_belongs_to_no_push() {
    refused(&ends(&mut story(7), &["a", "b"], 7), &["twice"]);
    refused(&ends(&mut story(6), &["a", "b"], 7), &["twice"]);
}

#[test]
fn an_id_that_is_there_twice_is_refused() {
    refused(&ends(&mut story(6), &["a", "b", "b"], 6), &["twice"]);
}

#[test]
fn a_retry_after_an_answer_has_the_same_number() {
    let mut same = story(6);
    assert_eq!(ends(same.ok(4, "retry", "b", pushed("b", 6)), &["a", "b"], 6), Verdict::Pass);
    let mut other = story(6);
    refused(&ends(other.ok(4, "retry", "b", pushed("b", 7)), &["a", "b"], 6), &["twice"]);
}

#[test]
fn two_ids_never_share_a_number() {
    let verdict = ends(&mut story(5), &["a", "b"], 6);
    let Verdict::Fail(reasons) = verdict else { panic!("accepted") };
    assert!(reasons.iter().any(|reason| reason.contains("both number 5")), "{reasons:?}");
}

#[test]
fn a_push_has_a_greater_number_than_what_was_acknowledged_before_it() {
    let mut story = Story::of("once");
    story.ok(1, "push", "a", pushed("a", 6)).ok(1, "push", "b", pushed("b", 5));
    let Verdict::Fail(reasons) = ends(&mut story, &["a", "b"], 6) else { panic!("accepted") };
    assert!(reasons[0].contains("acknowledged before it was sent"), "{reasons:?}");
}

#[test]
fn an_acknowledged_push_that_is_gone_is_lost() {
    refused(&ends(&mut story(6), &["a"], 6), &["lost"]);
    refused(&ends(&mut story(6), &["a", "b"], 5), &["lost"]);
}

#[test]
fn a_refused_push_that_is_there_is_invented() {
    refused(&ends(&mut story(6), &["a", "b", "c"], 6), &["invented"]);
}

#[test]
fn a_cluster_that_does_not_know_what_it_did_has_forgotten_a_receipt() {
    for (op, code, found) in [
        ("push", "conflict", &["forgotten"][..]),
        ("retry", "conflict", &["forgotten"]),
        // Others are found by `integrity`.
        ("retry", "root", &[]),
    ] {
        let mut story = story(6);
        let denied = json!({"asked": "c", "denied": code});
        let verdict = ends(story.begin(5, op, "c").end(5, Type::Fail, denied), &["a", "b"], 6);
        if found.is_empty() {
            assert_eq!(verdict, Verdict::Pass);
        } else {
            refused(&verdict, found);
        }
    }
}

#[test]
fn an_answer_to_another_id_is_refused() {
    let mut story = Story::of("once");
    story.ok(1, "push", "a", pushed("b", 5));
    let Verdict::Fail(reasons) = ends(&mut story, &["a"], 5) else { panic!("accepted") };
    assert!(reasons[0].contains("answers \"b\" to \"a\""), "{reasons:?}");
}

#[test]
fn an_id_that_never_got_an_answer_makes_the_verdict_unknown() {
    for (elements, seq) in [(vec!["a"], 5), (vec!["a", "b"], 6)] {
        let mut story = Story::of("once");
        story.ok(1, "push", "a", pushed("a", 5));
        story.begin(1, "push", "b").end(1, Type::Info, "b");
        unknown(&ends(&mut story, &elements, seq), "not asked for");
    }
}

#[test]
fn numbers_at_the_edge_of_the_type_do_not_break_the_judge() {
    let mut story = Story::of("once");
    story.ok(1, "push", "a", pushed("a", u64::MAX));
    let shown = json!({"elements": ["a"], "seq": 0, "first": u64::MAX});
    refused(&check(&story.ok(2, "final", Value::Null, shown).history()), &["lost"]);
}
