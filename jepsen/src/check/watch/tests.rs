use super::{LATE_NS, check};
use crate::{
    check::story::{Story, refused, unknown},
    history::Type,
    verdict::Verdict,
};
use serde_json::{Value, json};

const SECOND: u64 = 1_000_000_000;

/// Pushes `a`, `b` and `c` are numbers 5, 6 and 7; `u` is unknown, `f` failed.
fn pushes() -> Story {
    let mut story = Story::of("watch");
    for (id, seq) in [("a", 5), ("b", 6), ("c", 7)] {
        story.ok(1, "push", id, json!({"id": id, "seq": seq}));
    }
    story.begin(1, "push", "u").end(1, Type::Info, "u");
    story.begin(2, "push", "f").end(2, Type::Fail, "f");
    story
}

fn opens(story: &mut Story, process: u64, watcher: &str, seq: u64) {
    let value = json!({"watcher": watcher, "node": "n1", "seq": seq});
    story.notice(process, "open", value);
}

fn sees(story: &mut Story, process: u64, watcher: &str, (seq, ids): (u64, &[&str])) {
    let value = json!({"watcher": watcher, "seq": seq, "ids": ids, "live": true});
    story.notice(process, "see", value);
}

/// What watcher `w`, which opens at `from`, is told, and where it and the wallet end.
fn told_from(from: u64, deliveries: &[(u64, &[&str])], last: u64) -> Verdict {
    let mut story = pushes();
    opens(&mut story, 8, "w", from);
    for delivery in deliveries {
        sees(&mut story, 8, "w", *delivery);
    }
    let seq = deliveries.last().map_or(0, |(seq, _)| *seq);
    story.notice(8, "close", json!({"watcher": "w"}));
    story.notice(8, "final", json!({"watcher": "w", "seq": seq}));
    check(&story.ok(3, "final", Value::Null, json!({"seq": last})).history())
}

/// As [`told_from`] the number before the pushes.
fn told(deliveries: &[(u64, &[&str])], last: u64) -> Verdict {
    told_from(4, deliveries, last)
}

#[test]
fn each_commit_once_in_order_is_accepted() {
    assert_eq!(told(&[(5, &["a"]), (6, &["b"]), (7, &["c"])], 7), Verdict::Pass);
    assert_eq!(told(&[(5, &["a"]), (7, &["b", "c"]), (8, &["u"])], 8), Verdict::Pass);
    assert_eq!(told_from(5, &[(7, &["b", "c"])], 7), Verdict::Pass, "it began after a");
    assert_eq!(told_from(5, &[(6, &["b"]), (7, &["c"])], 7), Verdict::Pass, "it began after a");
}

#[test]
fn an_acknowledged_push_that_was_not_delivered_is_missed() {
    refused(&told(&[(5, &["a"]), (7, &["c"])], 7), &["missed"]);
}

#[test]
fn an_id_that_is_delivered_again_is_refused() {
    refused(&told(&[(5, &["a"]), (6, &["b"]), (7, &["c"]), (8, &["b"])], 8), &["twice"]);
}

#[test]
fn numbers_that_do_not_rise_are_refused() {
    let mut story = pushes();
    opens(&mut story, 8, "w", 4);
    for delivery in [(5, &["a"][..]), (7, &["b", "c"]), (7, &[])] {
        sees(&mut story, 8, "w", delivery);
    }
    story.notice(8, "final", json!({"watcher": "w", "seq": 7}));
    story.ok(3, "final", Value::Null, json!({"seq": 7}));
    refused(&check(&story.history()), &["order"]);
}

#[test]
fn ids_that_come_before_or_after_their_commit_are_refused() {
    refused(&told(&[(5, &["a"]), (6, &["c"]), (7, &["b"])], 7), &["order", "order"]);
    refused(&told(&[(5, &[]), (6, &["a", "b"]), (7, &["c"])], 7), &["order"]);
}

#[test]
fn a_delivery_of_several_commits_has_no_order_inside() {
    assert_eq!(told(&[(5, &["a"]), (7, &["c", "b"])], 7), Verdict::Pass);
}

/// Two watchers of unknown pushes `u` and `v`; `w` is told of `u` first.
fn watchers(second: &[(u64, &[&str])]) -> Verdict {
    let mut story = Story::of("watch");
    for (process, id) in [(1, "u"), (2, "v")] {
        story.begin(process, "push", id).end(process, Type::Info, id);
    }
    let first: &[(u64, &[&str])] = &[(1, &["u"]), (2, &["v"])];
    for (process, watcher, deliveries) in [(8, "w", first), (9, "x", second)] {
        opens(&mut story, process, watcher, 0);
        for delivery in deliveries {
            sees(&mut story, process, watcher, *delivery);
        }
        story.notice(process, "final", json!({"watcher": watcher, "seq": 2}));
    }
    check(&story.ok(3, "final", Value::Null, json!({"seq": 2})).history())
}

#[test]
fn watchers_agree_on_the_places_of_unknown_pushes() {
    assert_eq!(watchers(&[(2, &["v", "u"])]), Verdict::Pass);
    refused(&watchers(&[(1, &["v"]), (2, &["u"])]), &["order", "order"]);
}

#[test]
fn what_one_watcher_was_told_of_no_other_misses() {
    refused(&watchers(&[(2, &["v"])]), &["missed"]);
}

/// Another commit of the wallet, that no push made, came with the first delivery.
#[test]
fn a_first_delivery_with_other_commits_is_accepted() {
    let mut story = Story::of("watch");
    story.ok(1, "push", "a", json!({"id": "a", "seq": 5}));
    opens(&mut story, 8, "w", 4);
    sees(&mut story, 8, "w", (6, &["a"]));
    story.notice(8, "final", json!({"watcher": "w", "seq": 6}));
    story.ok(3, "final", Value::Null, json!({"seq": 6}));
    assert_eq!(check(&story.history()), Verdict::Pass);
}

#[test]
fn what_nobody_pushed_or_was_refused_is_invented() {
    refused(&told(&[(7, &["a", "b", "c"]), (8, &["x"])], 8), &["invented"]);
    refused(&told(&[(7, &["a", "b", "c"]), (8, &["f"])], 8), &["invented"]);
}

#[test]
fn a_delivery_before_its_push_began_is_invented() {
    let mut story = Story::of("watch");
    opens(&mut story, 8, "w", 0);
    sees(&mut story, 8, "w", (1, &["a"]));
    story.ok(1, "push", "a", json!({"id": "a", "seq": 1}));
    story.notice(8, "final", json!({"watcher": "w", "seq": 1}));
    story.ok(3, "final", Value::Null, json!({"seq": 1}));
    refused(&check(&story.history()), &["invented"]);
}

#[test]
fn a_watcher_that_stops_before_the_wallet_has_missed_the_rest() {
    refused(&told(&[(5, &["a"]), (6, &["b"])], 7), &["missed"]);
}

#[test]
fn a_watcher_that_was_never_told_of_anything_has_missed_all() {
    let mut story = pushes();
    opens(&mut story, 8, "w", 4);
    story.notice(8, "final", json!({"watcher": "w", "seq": 0}));
    story.ok(3, "final", Value::Null, json!({"seq": 7}));
    refused(&check(&story.history()), &["missed"]);
}

#[test]
fn without_watchers_or_ends_nothing_is_known() {
    unknown(&check(&pushes().history()), "nobody watched");
    let mut story = pushes();
    sees(&mut story, 8, "w", (7, &["a", "b", "c"]));
    unknown(&check(&story.history()), "has not opened");
    let mut story = pushes();
    opens(&mut story, 8, "w", 4);
    sees(&mut story, 8, "w", (7, &["a", "b", "c"]));
    unknown(&check(&story.history()), "watcher w has no `final`");
    unknown(&check(&story.history()), "no `final` says where the wallet ends");
}

/// `w` watches, is told of twelve pushes so many seconds after them, and closes some time later.
fn told_after(seconds: u64, live: bool, story: &mut Story) -> Verdict {
    opens(story, 8, "w", 0);
    let ids: Vec<String> = (1..=12).map(|seq| format!("p{seq}")).collect();
    for (seq, id) in (1..).zip(&ids) {
        story.ok(1, "push", id.as_str(), json!({"id": id, "seq": seq}));
    }
    story.later(seconds * SECOND);
    story.notice(8, "see", json!({"watcher": "w", "seq": 12, "ids": ids, "live": live}));
    story.later(LATE_NS).notice(8, "close", json!({"watcher": "w"}));
    story.notice(8, "final", json!({"watcher": "w", "seq": 12}));
    check(&story.ok(3, "final", Value::Null, json!({"seq": 12})).history())
}

fn phase(phase: &str) -> Value {
    json!({"phase": phase, "state": "installed"})
}

#[test]
fn a_watch_that_says_nothing_for_long_while_nothing_is_wrong_is_late() {
    assert_eq!(told_after(2, true, &mut Story::of("watch")), Verdict::Pass);
    refused(&told_after(9, true, &mut Story::of("watch")), &["late"]);
}

#[test]
fn while_a_fault_is_active_and_shortly_after_a_watch_may_be_late() {
    let mut story = Story::of("watch");
    story.nemesis("kill", phase("start"));
    assert_eq!(told_after(9, true, &mut story), Verdict::Pass);
    let mut story = Story::of("watch");
    story.nemesis("kill", phase("start")).nemesis("kill", phase("stop"));
    assert_eq!(told_after(9, true, story.later(SECOND)), Verdict::Pass);
    let mut story = Story::of("watch");
    story.nemesis("kill", phase("start")).nemesis("kill", phase("stop"));
    refused(&told_after(9, true, story.later(11 * SECOND)), &["late"]);
}

#[test]
fn who_was_told_by_asking_only_shows_nothing_of_streams() {
    unknown(&told_after(1, false, &mut Story::of("watch")), "was owed 12 pushes");
    unknown(&told_after(1, false, &mut Story::of("watch")), "no watcher was told of anything");
}

#[test]
fn a_stream_that_speaks_when_all_has_healed_is_too_late_to_count() {
    let mut story = Story::of("watch");
    unknown(&told_after(1, true, story.nemesis("heal", phase("heal"))), "no watcher was told");
    let mut story = Story::of("watch");
    unknown(&told_after(9, true, story.nemesis("heal", phase("heal"))), "no watcher was told");
}
