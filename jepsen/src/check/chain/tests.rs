use super::check;
use crate::{
    check::story::{Story, refused, unknown},
    history::Type,
    verdict::Verdict,
};
use serde_json::{Value, json};

fn by(device: &str) -> Value {
    json!({"device": device})
}

fn at(seq: u64, head: &str) -> Value {
    json!({"seq": seq, "head": head})
}

/// Devices `a` and `b` push in turn; `c` looks.
fn line() -> Story {
    let mut story = Story::of("chain");
    story.ok(1, "push", by("a"), at(1, "h1"));
    story.ok(2, "push", by("b"), at(2, "h2"));
    story.ok(3, "pull", by("c"), at(2, "h2"));
    story.begin(1, "push", by("a")).end(1, Type::Info, by("a"));
    story
}

fn ends(story: &mut Story) -> Verdict {
    check(&story.ok(9, "final", by("z"), at(9, "h9")).history())
}

#[test]
fn one_line_is_accepted() {
    assert_eq!(ends(&mut line()), Verdict::Pass);
    assert_eq!(ends(line().ok(3, "pull", by("c"), at(3, "h3"))), Verdict::Pass);
}

#[test]
fn a_pull_that_began_before_the_push_ended_may_show_either() {
    for (seq, head) in [(2, "h2"), (3, "h3")] {
        let mut story = line();
        story.begin(4, "push", by("d")).begin(3, "pull", by("c"));
        story.end(4, Type::Ok, at(3, "h3")).end(3, Type::Ok, at(seq, head));
        assert_eq!(ends(&mut story), Verdict::Pass);
    }
}

#[test]
fn two_heads_with_one_number_are_a_fork() {
    refused(&ends(line().ok(3, "pull", by("c"), at(2, "other"))), &["fork"]);
}

#[test]
fn two_pushes_with_one_number_are_a_fork() {
    let mut story = line();
    story.begin(4, "push", by("d")).begin(5, "push", by("e"));
    story.end(4, Type::Ok, at(3, "h3")).end(5, Type::Ok, at(3, "h3"));
    refused(&ends(&mut story), &["fork"]);
}

#[test]
fn a_device_that_is_shown_an_earlier_head_is_refused() {
    let mut story = line();
    story.begin(4, "pull", by("d")).begin(5, "pull", by("d"));
    story.end(4, Type::Ok, at(4, "h4")).end(5, Type::Ok, at(3, "h3"));
    refused(&ends(&mut story), &["back"]);
}

#[test]
fn a_pull_that_began_after_a_number_was_seen_shows_it() {
    refused(&ends(line().ok(4, "pull", by("new"), at(1, "h1"))), &["stale"]);
    let mut last = line();
    refused(&check(&last.ok(4, "final", by("new"), at(1, "h1")).history()), &["stale"]);
}

#[test]
fn a_push_has_a_greater_number_than_what_was_seen_before_it() {
    let mut story = Story::of("chain");
    story.ok(1, "pull", by("a"), at(2, "h2")).ok(2, "push", by("b"), at(2, "h2"));
    refused(&ends(&mut story), &["stale"]);
}

#[test]
fn without_a_final_pull_or_with_another_value_nothing_is_known() {
    unknown(&check(&line().history()), "no `final`");
    unknown(&ends(line().ok(3, "pull", by("c"), json!({"seq": "2"}))), "line 10");
}
