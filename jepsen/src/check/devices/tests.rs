use super::check;
use crate::{
    check::story::{Story, refused, unknown},
    history::Type,
    verdict::Verdict,
};
use serde_json::{Value, json};

fn by(kind: &str) -> Value {
    json!({"device": "b", "kind": kind, "node": "n1"})
}

const SECOND: u64 = 1_000_000_000;

/// `b` works and is revoked.
fn revoked() -> Story {
    let mut story = Story::of("devices");
    story.ok(2, "use", by("push"), by("push"));
    story.ok(1, "revoke", "b", "b");
    story
}

/// What is pushed, and its number.
fn pushed(seq: u64) -> Value {
    json!({"id": "p", "seq": seq})
}

/// What a watch shows a device.
fn shown(device: &str, seq: u64) -> Value {
    json!({"device": device, "kind": "watch", "node": "n1", "seq": seq})
}

/// Another device, `z`, is revoked while it watches, and tries on as long as is asked for.
fn tries_on(story: &mut Story, watches: bool, reads: bool, writes: bool) {
    let at = json!({"device": "z", "node": "n1"});
    let (weak, refused) = (
        json!({"device": "z", "kind": "weak", "node": "n1"}),
        json!({"device": "z", "kind": "weak", "node": "n1", "refused": true}),
    );
    story.begin(70, "watch", at.clone());
    if watches {
        story.notice(71, "use", shown("z", 90));
    }
    story.ok(72, "revoke", "z", "z").later(2 * SECOND);
    if reads {
        story.begin(73, "use", weak).end(73, Type::Fail, refused);
    }
    if writes {
        story.ok(72, "push", "p", pushed(91));
    }
    story.end(70, Type::Ok, at);
    at_the_end(story, "z", "kept", true);
    for node in ["n1", "n2"] {
        let asked = json!({"device": "z", "node": node});
        let refused = json!({"device": "z", "node": node, "refused": true});
        story.begin(9, "final-use", asked).end(9, Type::Fail, refused);
    }
}

/// At the end a device asks a node by one of its sessions.
fn at_the_end(story: &mut Story, device: &str, session: &str, refused: bool) {
    let asked = json!({"device": device, "node": "n1", "session": session});
    let mut answer = asked.clone();
    answer["refused"] = refused.into();
    story.begin(9, "final-use", asked).end(9, Type::Fail, answer);
}

/// Every node refuses `b` at the end.
fn ends(story: &mut Story) -> Verdict {
    tries_on(story, true, true, true);
    last(story)
}

fn last(story: &mut Story) -> Verdict {
    for node in ["n1", "n2"] {
        let asked = json!({"device": "b", "node": node});
        let refused = json!({"device": "b", "node": node, "refused": true});
        story.begin(9, "final-use", asked).end(9, Type::Fail, refused);
    }
    check(&story.history())
}

#[test]
fn a_run_in_which_nobody_tried_behind_the_revocation_proves_nothing() {
    let verdict = |watches, reads, writes| {
        let mut story = revoked();
        tries_on(&mut story, watches, reads, writes);
        last(&mut story)
    };
    assert_eq!(verdict(true, true, true), Verdict::Pass);
    unknown(&verdict(true, false, true), "no weak read began");
    unknown(&verdict(false, true, true), "no watch was open");
    unknown(&verdict(true, true, false), "no watch was open");
    let mut story = Story::of("devices");
    let verdict = check(&story.ok(1, "push", "p", pushed(1)).history());
    unknown(&verdict, "no revocation was acknowledged");
}

#[test]
fn a_device_that_is_refused_after_its_revocation_is_accepted() {
    let mut story = revoked();
    let refused = json!({"device": "b", "kind": "push", "node": "n1", "refused": true});
    story.begin(2, "use", by("push")).end(2, Type::Fail, refused);
    assert_eq!(ends(&mut story), Verdict::Pass);
}

#[test]
fn every_strong_operation_after_the_revocation_is_refused() {
    for kind in ["push", "pull", "session"] {
        refused(&ends(revoked().ok(2, "use", by(kind), by(kind))), &["served"]);
    }
}

#[test]
fn an_operation_that_began_before_the_acknowledgement_may_be_served() {
    let mut story = Story::of("devices");
    story.begin(1, "revoke", "b").begin(2, "use", by("push"));
    story.end(1, Type::Ok, "b").end(2, Type::Ok, by("push"));
    assert_eq!(ends(&mut story), Verdict::Pass);
}

#[test]
fn a_pull_at_a_known_head_has_one_second_more() {
    let mut story = revoked();
    assert_eq!(ends(story.later(SECOND / 2).ok(2, "use", by("weak"), by("weak"))), Verdict::Pass);
    let mut story = revoked();
    refused(&ends(story.later(SECOND).ok(2, "use", by("weak"), by("weak"))), &["served"]);
    let mut story = revoked();
    story.begin(2, "use", by("weak")).later(2 * SECOND).end(2, Type::Ok, by("weak"));
    assert_eq!(ends(&mut story), Verdict::Pass, "it began in time");
}

#[test]
fn a_watch_shows_what_was_written_within_one_second_and_nothing_later() {
    let mut story = revoked();
    story.later(SECOND / 2).ok(1, "push", "p", pushed(50)).later(SECOND);
    assert_eq!(ends(story.notice(3, "use", shown("b", 50))), Verdict::Pass, "it is late to arrive");
    for seq in [51, 52] {
        let mut story = revoked();
        story.later(SECOND).ok(1, "push", "p", pushed(51));
        refused(&ends(story.notice(3, "use", shown("b", seq))), &["served"]);
    }
    let mut story = revoked();
    story.begin(1, "push", "p").later(2 * SECOND).end(1, Type::Ok, pushed(51));
    assert_eq!(ends(story.notice(3, "use", shown("b", 51))), Verdict::Pass, "it began in time");
}

#[test]
fn a_device_that_was_told_so_is_never_served_again() {
    let mut story = Story::of("devices");
    story.begin(1, "revoke", "b").end(1, Type::Info, "b");
    let told = json!({"device": "b", "kind": "push", "node": "n1", "refused": true});
    story.begin(2, "use", by("push")).end(2, Type::Fail, told);
    assert_eq!(ends(&mut story), Verdict::Pass);
    let mut story = Story::of("devices");
    story.begin(1, "revoke", "b").end(1, Type::Info, "b");
    let told = json!({"device": "b", "kind": "push", "node": "n1", "refused": true});
    story.begin(2, "use", by("push")).end(2, Type::Fail, told);
    refused(&ends(story.ok(2, "use", by("pull"), by("pull"))), &["served again"]);
}

#[test]
fn nobody_is_refused_as_revoked_whom_nobody_revoked() {
    let mut story = Story::of("devices");
    let told = json!({"device": "c", "kind": "push", "node": "n1", "refused": true});
    story.begin(2, "use", json!({"device": "c", "kind": "push", "node": "n1"}));
    story.end(2, Type::Fail, told).ok(1, "revoke", "b", "b");
    refused(&ends(&mut story), &["invented"]);
}

#[test]
fn a_node_that_serves_a_revoked_device_at_the_end_is_refused() {
    let mut story = revoked();
    let asked = json!({"device": "b", "node": "n3"});
    refused(&ends(story.ok(8, "final-use", asked.clone(), asked)), &["served"]);
}

#[test]
fn a_session_from_before_the_revocation_is_not_served_at_the_end_either() {
    for session in ["kept", "new"] {
        let mut story = revoked();
        let asked = json!({"device": "b", "node": "n1", "session": session});
        refused(&ends(story.ok(8, "final-use", asked.clone(), asked)), &["served"]);
    }
}

#[test]
fn a_session_from_before_the_revocation_has_to_be_tried_at_the_end() {
    let verdict = |session: &str, told: bool| {
        let mut story = revoked();
        tries_on(&mut story, true, true, true);
        let mut lacking = Story::of("devices");
        for (_, event) in
            story.history().events().filter(|(_, event)| event.value["session"].is_null())
        {
            lacking.tell(event);
        }
        at_the_end(&mut lacking, "b", session, told);
        last(&mut lacking)
    };
    assert_eq!(verdict("kept", true), Verdict::Pass);
    unknown(&verdict("kept", false), "by a session from before");
    unknown(&verdict("new", true), "by a session from before");
}

#[test]
fn a_push_that_is_told_that_the_head_has_moved_on_was_taken_for_a_members() {
    let mut moved_on = by("push");
    moved_on["conflict"] = true.into();
    refused(&ends(revoked().ok(2, "use", by("push"), moved_on)), &["served"]);
}

#[test]
fn every_node_of_the_run_is_asked_at_the_end() {
    let mut story = Story::of("devices");
    story.nemesis("run", json!({"nodes": ["n1", "n2", "n3"]}));
    unknown(&ends(story.ok(1, "revoke", "b", "b")), "n3");
    unknown(&check(&revoked().history()), "no node");
    let mut story = revoked();
    let asked = json!({"device": "b", "node": "n3"});
    story.begin(8, "final-use", asked.clone()).end(8, Type::Fail, asked);
    unknown(&ends(&mut story), "n3");
}

#[test]
fn a_value_of_another_shape_makes_the_verdict_unknown() {
    let other = json!({"device": "b", "kind": "shout", "node": "n1"});
    unknown(&ends(revoked().ok(2, "use", other.clone(), other)), "unknown variant");
}
