use super::check;
use crate::{check::story::Story, verdict::Verdict};
use serde_json::{Value, json};

fn story(nemesis: &str) -> Story {
    let mut story = Story::of("set");
    let run = json!({
        "seed": 7, "nemesis": nemesis, "plan": [], "network": "proxy", "commit": "0",
        "nodes": ["n1"], "workloads": ["set"],
    });
    story.nemesis("run", run);
    story
}

fn stop(more: &Value) -> Value {
    let mut fault = json!({"phase": "stop", "state": "installed"});
    for (name, value) in more.as_object().unwrap() {
        fault[name] = value.clone();
    }
    fault
}

#[track_caller]
fn fails(verdict: &Verdict, word: &str) {
    let Verdict::Fail(reasons) = verdict else { panic!("no failure: {verdict:?}") };
    assert!(reasons.iter().any(|reason| reason.contains(word)), "{reasons:?}");
}

#[test]
fn what_an_operator_does_not_get_is_found_but_for_a_hand_over() {
    for (op, found) in [("replace", true), ("drain", true), ("corrupt", true), ("transfer", false)]
    {
        let mut story = story("mix");
        let reason = "remove, Internal: broken";
        story.nemesis(op, json!({"phase": "start", "state": "refused", "reason": reason}));
        match found {
            true => fails(&check(&story.history()), "Internal: broken"),
            false => assert_eq!(check(&story.history()), Verdict::Pass),
        }
    }
    let mut story = story("membership");
    story.nemesis("drain", json!({"phase": "start", "state": "skipped", "reason": "no node"}));
    assert_eq!(check(&story.history()), Verdict::Pass, "that it cannot be had says nothing");
}

#[test]
fn more_than_a_small_share_of_failed_hand_overs_is_found_where_nothing_else_is_wrong() {
    for (nemesis, handed, failed, found) in [
        ("transfer", 38, 2, false),
        ("transfer", 37, 2, true),
        ("transfer", 1, 1, false),
        ("transfer", 0, 2, true),
        ("mix", 1, 30, false),
    ] {
        let mut story = story(nemesis);
        let more = json!({"felt": {"handed_over": handed}, "refused": {"Unknown: late": failed}});
        story.nemesis("transfer", stop(&more));
        match found {
            true => fails(&check(&story.history()), "Unknown: late"),
            false => assert_eq!(check(&story.history()), Verdict::Pass, "{nemesis} {failed}"),
        }
    }
}

#[test]
fn a_node_that_goes_on_where_it_must_end_is_found() {
    let mut story = story("disk");
    story.nemesis("fail-sync", stop(&json!({"wrong": ["n1 goes on"]})));
    fails(&check(&story.history()), "n1 goes on");
}
