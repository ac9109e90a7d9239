use super::{Service, check};
use crate::{
    check::story::{Story, refused},
    history::Type,
    verdict::Verdict,
};
use serde_json::{Value, json};

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// A wallet of group 2 that is written, by a process.
struct Told {
    story: Story,
    pushes: u64,
}

impl Told {
    fn begin(nodes: &[&str]) -> Told {
        let mut story = Story::of("once");
        let run = json!({
            "seed": 1, "nemesis": "mix", "plan": [], "network": "switch", "commit": "c", "nodes": nodes,
            "workloads": ["once"],
        });
        story.nemesis("run", run);
        story.nemesis("wallet", json!({"key": "once-1", "group": 2}));
        let mut told = Told { story, pushes: 0 };
        told.served(2 * SECOND);
        told
    }

    fn start(&mut self, fault: &str, targets: &[&str]) -> &mut Told {
        self.phase(fault, json!({"phase": "start", "state": "installed", "targets": targets}))
    }

    fn stop(&mut self, fault: &str, targets: &[&str]) -> &mut Told {
        self.phase(fault, json!({"phase": "stop", "state": "installed", "targets": targets}))
    }

    fn phase(&mut self, fault: &str, value: Value) -> &mut Told {
        self.story.nemesis(fault, value);
        self
    }

    /// Writes are acknowledged all that time.
    fn served(&mut self, ns: u64) -> &mut Told {
        for _ in 0..ns / (100 * MS) {
            self.pushes += 1;
            let answer = json!({"id": "p", "seq": self.pushes});
            self.story.later(100 * MS).ok(1, "push", "p", answer);
        }
        self
    }

    /// Writes are asked for, and none is acknowledged.
    fn unserved(&mut self, ns: u64) -> &mut Told {
        for _ in 0..ns / SECOND {
            let process = self.story.fresh();
            self.story.begin(process, "push", "p").later(SECOND);
            self.story.end(process, Type::Fail, "p");
            // Whoever asks twice as long is asking at every time.
            let other = self.story.fresh();
            self.story.begin(other, "retry", "p").later(2 * SECOND).end(other, Type::Info, "p");
        }
        self
    }

    fn end(&mut self) -> Service {
        self.served(SECOND);
        self.story.nemesis("heal", json!({"phase": "heal", "state": "installed"}));
        check(&self.story.history())
    }
}

const THREE: [&str; 3] = ["n1", "n2", "n3"];
const ISOLATED: [&str; 4] = ["n1>n2", "n1>n3", "n2>n1", "n3>n1"];

/// One fault that lasts, and for how long nobody was served in it.
fn fault(fault: &str, targets: &[&str], without_s: u64) -> Service {
    let mut told = Told::begin(&THREE);
    told.start(fault, targets).unserved(without_s / 3 * SECOND);
    told.served(6 * SECOND).stop(fault, targets).served(8 * SECOND).end()
}

fn passes(judged: usize, faults: usize) -> Service {
    Service { verdict: Verdict::Pass, judged, faults }
}

#[test]
fn a_group_that_is_written_again_within_the_bound_is_served() {
    assert_eq!(fault("cut", &ISOLATED, 3), passes(1, 1));
    assert_eq!(fault("kill", &["n3"], 0), passes(1, 1));
}

#[test]
fn a_majority_that_is_left_and_elects_nobody_is_found() {
    for (kind, targets) in [
        ("cut", &ISOLATED[..]),
        ("cut", &["n1>n3", "n3>n1"]),
        ("cut", &["n2>n1", "n3>n1"]),
        ("kill", &["n1"]),
        ("behind", &["n1"]),
        ("pause", &["n1"]),
        ("power", &["n1"]),
        ("flap", &["n1"]),
        ("filter", &["n1"]),
        ("boot", &["n1"]),
        ("corrupt", &["n1", "Cut of 000011.log"]),
        ("disk-full", &["n1"]),
        ("slow-sync", &["n1"]),
        ("fail-sync", &["n1"]),
        ("processor", &["n1"]),
        ("memory", &["n1"]),
        ("files", &["n1"]),
        ("transfer", &["n1", "n2", "n3"]),
    ] {
        refused(&fault(kind, targets, 9).verdict, &["not served"]);
    }
}

#[test]
fn a_group_that_is_lost_again_later_is_found() {
    let mut told = Told::begin(&THREE);
    told.start("kill", &["n1"]).served(SECOND).unserved(9 * SECOND).served(SECOND);
    refused(&told.stop("kill", &["n1"]).end().verdict, &["not served"]);
}

#[test]
fn every_group_is_judged_by_itself() {
    let mut told = Told::begin(&THREE);
    let homes = json!({"key": "other-1", "group": 3});
    told.phase("wallet", homes);
    // Nobody had written there before.
    told.start("kill", &["n1"]).served(9 * SECOND).stop("kill", &["n1"]);
    assert_eq!(told.end(), passes(1, 1));
}

#[test]
fn where_no_connected_majority_is_left_nobody_has_to_be_served() {
    let ring = ["n1>n2", "n2>n3", "n3>n1"];
    for (kind, targets) in [
        ("kill", &THREE[..]),
        ("power-in-sync", &THREE),
        ("pause", &["n1", "n2"]),
        ("slow-sync", &["n1", "n2"]),
        ("disk-full", &["n1", "n2"]),
        ("cut", &ring),
    ] {
        assert_eq!(fault(kind, targets, 9), passes(0, 1), "{kind}");
    }
}

#[test]
fn what_leaves_nobody_knows_whom_is_not_judged() {
    for kind in
        ["packets", "rolling", "jump", "drift", "replace", "replace-in-trouble", "drain", "new"]
    {
        assert_eq!(fault(kind, &["n1"], 9), passes(0, 1), "{kind}");
    }
    assert_eq!(fault("cut", &["n1"], 9), passes(0, 1), "no link");
}

#[test]
fn of_five_voters_three_that_hear_each_other_are_a_majority() {
    let five = ["n1", "n2", "n3", "n4", "n5"];
    let run = |fault: &str, targets: &[&str]| {
        let mut told = Told::begin(&five);
        told.start(fault, targets).unserved(3 * SECOND).served(6 * SECOND);
        told.stop(fault, targets).end()
    };
    refused(&run("kill", &["n1", "n2"]).verdict, &["not served"]);
    assert_eq!(run("kill", &["n1", "n2", "n3"]), passes(0, 1));
    // Two and two with one between them that hears all.
    let bridge = ["n1>n3", "n1>n4", "n2>n3", "n2>n4", "n3>n1", "n3>n2", "n4>n1", "n4>n2"];
    refused(&run("cut", &bridge).verdict, &["not served"]);
    // Each hears its two neighbours, who do not hear each other.
    let ring = ["n1>n3", "n1>n4", "n2>n4", "n2>n5", "n3>n5", "n3>n1", "n4>n1", "n4>n2", "n5>n2"];
    assert_eq!(run("cut", &[&ring[..], &["n5>n3"]].concat()), passes(0, 1));
}

#[test]
fn two_faults_at_a_time_are_judged_by_what_both_leave() {
    let both = |other: &str| {
        let mut told = Told::begin(&THREE);
        told.start("cut", &ISOLATED).served(SECOND).start("kill", &[other]);
        told.unserved(9 * SECOND).stop("cut", &ISOLATED).stop("kill", &[other]).end()
    };
    assert_eq!(both("n2"), passes(0, 2));
    refused(&both("n1").verdict, &["not served"]);
}

#[test]
fn a_node_that_is_just_back_is_not_counted_on_yet() {
    let back = |fault: &str, after: u64| {
        let mut told = Told::begin(&THREE);
        told.start(fault, &["n1"]).served(SECOND).stop(fault, &["n1"]);
        told.served(after).start("kill", &["n2"]).unserved(2 * SECOND).served(SECOND);
        told.stop("kill", &["n2"]).end()
    };
    assert_eq!(back("kill", 2 * SECOND).verdict, Verdict::Pass);
    refused(&back("kill", 6 * SECOND).verdict, &["not served"]);
    for repaired in ["disk-full", "fail-sync"] {
        assert_eq!(back(repaired, 7 * SECOND).verdict, Verdict::Pass);
        refused(&back(repaired, 11 * SECOND).verdict, &["not served"]);
    }
}

#[test]
fn a_fault_that_is_over_within_the_bound_or_was_not_there_is_not_judged() {
    let mut told = Told::begin(&THREE);
    told.start("kill", &["n1"]).unserved(SECOND).stop("kill", &["n1"]).unserved(SECOND);
    told.phase("pause", json!({"phase": "start", "state": "skipped"}));
    told.phase("power", json!({"phase": "start", "state": "unclear"}));
    told.phase("power", json!({"phase": "stop", "state": "installed"}));
    assert_eq!(told.unserved(6 * SECOND).end(), passes(0, 1));
}

#[test]
fn what_comes_before_the_power_goes_belongs_to_the_fault() {
    let mut told = Told::begin(&THREE);
    told.start("cut", &ISOLATED).unserved(3 * SECOND);
    let start = json!({
        "phase": "start", "state": "installed", "targets": THREE, "from": 2 * SECOND,
    });
    told.phase("power-in-sync", start).served(SECOND).stop("power-in-sync", &THREE);
    assert_eq!(told.stop("cut", &ISOLATED).end(), passes(0, 2));
}

#[test]
fn a_harness_that_asks_nobody_or_stands_still_has_seen_nothing() {
    let mut nobody = Told::begin(&THREE);
    nobody.start("kill", &["n1"]);
    for _ in 0..10 {
        nobody.story.later(SECOND).ok(2, "final", Value::Null, Value::Null);
    }
    assert_eq!(nobody.stop("kill", &["n1"]).end(), passes(1, 1));
    // One that waits for its answer much longer than it would, and others that say nothing.
    for late in [true, false] {
        let mut still = Told::begin(&THREE);
        still.start("kill", &["n1"]).unserved(SECOND);
        if late {
            still.story.begin(5, "push", "p");
            for _ in 0..5 {
                still.story.later(SECOND).ok(2, "final", Value::Null, Value::Null);
            }
            still.story.end(5, Type::Info, "p");
        } else {
            still.story.later(5 * SECOND);
        }
        assert_eq!(still.stop("kill", &["n1"]).end(), passes(1, 1), "{late}");
    }
}
