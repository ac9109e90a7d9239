use super::{WITHIN_NS, check};
use crate::{
    check::story::{Story, unknown},
    verdict::Verdict,
};
use serde_json::{Value, json};

fn phase(phase: &str) -> Value {
    json!({"phase": phase, "state": "installed"})
}

fn healing() -> Story {
    let mut story = Story::of("set");
    story.nemesis("kill", json!({"phase": "start", "state": "installed"}));
    story.nemesis("heal", phase("heal"));
    story
}

#[test]
fn a_cluster_that_is_whole_in_time_is_accepted() {
    let mut story = healing();
    story.later(WITHIN_NS - 2_000).nemesis("heal", phase("healed"));
    assert_eq!(check(&story.history()), Verdict::Pass);
}

#[test]
fn a_cluster_that_is_whole_too_late_or_never_is_refused() {
    let mut story = healing();
    story.later(WITHIN_NS).nemesis("heal", phase("healed"));
    assert!(matches!(check(&story.history()), Verdict::Fail(_)));
    let mut story = healing();
    story.later(WITHIN_NS).ok(1, "add", "a", "a");
    assert!(matches!(check(&story.history()), Verdict::Fail(_)));
}

#[test]
fn a_history_without_the_end_of_the_faults_says_nothing() {
    unknown(&check(&Story::of("set").history()), "when all faults were over");
    unknown(&check(&healing().history()), "ends before");
}
