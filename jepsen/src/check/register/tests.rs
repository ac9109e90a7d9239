use super::check;
use crate::{
    check::{
        linear::Budget,
        story::{Story, unknown},
    },
    history::Type,
    verdict::Verdict,
};
use serde_json::Value;

fn judged(story: &Story) -> Verdict {
    check(&story.history(), Budget::default())
}

/// The lines of the operation around which there is no order.
#[track_caller]
fn refused(story: &Story, lines: &str) {
    let Verdict::Fail(reasons) = judged(story) else { panic!("accepted") };
    assert_eq!(reasons.len(), 1, "{reasons:#?}");
    let said = reasons[0].split(": until then").next().unwrap_or_default();
    assert!(said.ends_with(&format!("({lines})")), "{reasons:#?}");
}

/// Empty, then `a`, then `b`.
fn two() -> Story {
    let mut story = Story::of("register");
    story.ok(1, "read", Value::Null, Value::Null);
    story.cas(1, Value::Null, "a").cas(2, "a", "b");
    story
}

#[test]
fn writes_and_reads_one_after_the_other_are_accepted() {
    assert_eq!(judged(two().ok(1, "read", Value::Null, "b")), Verdict::Pass);
    assert_eq!(judged(two().ok(1, "final", Value::Null, "b")), Verdict::Pass);
}

#[test]
fn a_stale_read_is_refused() {
    refused(two().ok(1, "read", Value::Null, "a"), "lines 7 to 8");
    refused(two().ok(1, "read", Value::Null, Value::Null), "lines 7 to 8");
    refused(two().ok(1, "final", Value::Null, "a"), "lines 7 to 8");
}

#[test]
fn a_read_beside_a_write_shows_either_but_reads_do_not_go_back() {
    let mut story = two();
    story.begin_cas(1, "b", "c");
    story.ok(2, "read", Value::Null, "b").ok(2, "read", Value::Null, "c");
    assert_eq!(judged(&story), Verdict::Pass);
    story.ok(3, "read", Value::Null, "b").end(1, Type::Ok, "c");
    refused(&story, "lines 12 to 13");
}

#[test]
fn two_writes_on_one_expectation_are_refused() {
    refused(two().cas(1, "a", "c"), "lines 7 to 8");
}

#[test]
fn a_write_of_unknown_outcome_happens_late_or_never() {
    let mut story = two();
    story.begin_cas(3, "b", "c").end(3, Type::Info, "c");
    assert_eq!(judged(&story), Verdict::Pass);
    story.ok(1, "read", Value::Null, "b");
    assert_eq!(judged(&story), Verdict::Pass);
    story.ok(1, "read", Value::Null, "c");
    assert_eq!(judged(&story), Verdict::Pass);
    story.ok(1, "read", Value::Null, "b");
    refused(&story, "lines 13 to 14");
}

#[test]
fn a_write_without_an_end_counts_as_one_of_unknown_outcome() {
    let mut story = two();
    story.begin_cas(3, "b", "c").ok(1, "read", Value::Null, "c");
    assert_eq!(judged(&story), Verdict::Pass);
}

#[test]
fn a_failed_write_that_is_read_is_refused() {
    let mut story = two();
    story.begin_cas(3, "b", "c").end(3, Type::Fail, "c");
    assert_eq!(judged(&story), Verdict::Pass);
    refused(story.ok(1, "read", Value::Null, "c"), "lines 9 to 10");
}

#[test]
fn reads_without_an_answer_have_no_part() {
    let mut story = two();
    story.begin(3, "read", Value::Null).end(3, Type::Fail, Value::Null);
    story.begin(4, "read", Value::Null).end(4, Type::Info, Value::Null);
    assert_eq!(judged(&story), Verdict::Pass);
}

#[test]
fn the_reason_says_what_the_wallet_can_have_held_and_what_was_open() {
    let mut story = two();
    story.begin_cas(3, "b", "c").end(3, Type::Info, "c").ok(1, "read", Value::Null, "a");
    let Verdict::Fail(reasons) = judged(&story) else { panic!("accepted") };
    assert_eq!(
        reasons,
        [
            "register-1: no order of single steps explains read of \"a\" (lines 9 to 10): until then the wallet can \
             have held \"b\", \"c\" only; open beside it: cas from \"b\" to \"c\" (lines 7 to 8, outcome unknown)"
        ]
    );
}

#[test]
fn a_search_without_budget_and_values_of_another_shape_are_unknown() {
    let budget = Budget { steps: 3, configurations: 100 };
    unknown(&check(&two().history(), budget), "given up at line");
    unknown(&judged(two().ok(1, "read", Value::Null, 7)), "line 8");
    unknown(&judged(two().cas(1, "b", 7)), "line 7");
    unknown(&judged(two().ok(1, "add", Value::Null, "b")), "no operation of register");
}
