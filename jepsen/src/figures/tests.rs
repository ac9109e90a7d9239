use super::*;
use crate::history::{Nemesis, Process};
use serde_json::{Value, json};

const MS: u64 = 1_000_000;

fn event(process: Process, kind: Type, workload: &str, op: &str, key: &str, at_ms: u64) -> Event {
    Event {
        process,
        kind,
        workload: workload.to_owned(),
        op: op.to_owned(),
        key: key.to_owned(),
        value: Value::Null,
        old: Value::Null,
        time: at_ms * MS,
        error: String::new(),
    }
}

fn harness(op: &str, at_ms: u64, value: Value) -> Event {
    let process = Process::Nemesis(Nemesis::Nemesis);
    Event { value, ..event(process, Type::Info, "nemesis", op, "", at_ms) }
}

fn fault(op: &str, at_ms: u64, phase: &str, targets: &[&str]) -> Event {
    harness(op, at_ms, json!({"phase": phase, "state": "installed", "targets": targets}))
}

/// A write of a client of its own.
fn push(client: u64, key: &str, from_ms: u64, to_ms: u64, kind: Type) -> [Event; 2] {
    let process = Process::Client(client);
    [(Type::Invoke, from_ms), (kind, to_ms)]
        .map(|(kind, at)| event(process, kind, "set", "add", key, at))
}

fn figures(plan: Value, mut events: Vec<Event>) -> Figures {
    let run = json!({
        "seed": 7, "nemesis": "kill", "network": "switch", "commit": "0", "plan": plan,
        "nodes": ["n1", "n2", "n3"], "workloads": ["set"],
    });
    events.push(harness("run", 0, run));
    events.sort_by_key(|event| event.time);
    Figures::of(&History::from_events(events).unwrap())
}

fn killed_leader() -> Value {
    json!([{"fault": "kill", "act": {"kill": "leader"}}])
}

/// Two wallets are written before, n1 is killed from 1,000 ms to 3,000 ms.
fn around_a_kill(behind: &[[Event; 2]]) -> Figures {
    let mut events = vec![
        fault("kill", 1_000, "start", &["n1"]),
        fault("kill", 3_000, "stop", &["n1"]),
        fault("heal", 9_000, "heal", &[]),
    ];
    events[1].value["felt"] = json!({"killed": 1});
    events.extend(push(1, "set-0", 100, 200, Type::Ok));
    events.extend(push(2, "set-1", 100, 300, Type::Ok));
    events.extend(behind.iter().flatten().cloned());
    figures(killed_leader(), events)
}

#[test]
fn time_without_writes_ends_with_a_write_that_was_begun_behind_the_fault() {
    let figures = around_a_kill(&[
        // Begun before: it may have been on its way already.
        push(3, "set-0", 900, 1_100, Type::Ok),
        // In doubt, or never before written: they end nothing.
        push(4, "set-1", 1_050, 1_150, Type::Info),
        push(5, "set-0", 1_200, 1_400, Type::Ok),
        push(6, "set-2", 4_000, 5_000, Type::Ok),
        push(7, "set-1", 1_500, 2_750, Type::Ok),
        push(8, "set-1", 2_800, 2_900, Type::Ok),
    ]);
    let expected = Outage {
        fault: "kill".to_owned(),
        role: Role::Leader,
        first_ns: Some(400 * MS),
        every_ns: Some(1_750 * MS),
    };
    assert_eq!(figures.outages, [expected]);
    assert_eq!(figures.longest, Some((5_000 * MS, 4_000 * MS)), "nothing from there to the end");
}

#[test]
fn of_wallets_whose_group_is_known_the_first_one_ends_the_time_without_writes() {
    let mut events = vec![
        fault("kill", 1_000, "start", &["n1"]),
        harness("wallet", 10, json!({"key": "set-0", "group": 2})),
        harness("wallet", 10, json!({"key": "set-1", "group": 3})),
        harness("wallet", 10, json!({"key": "set-2", "group": 2})),
    ];
    for (client, key) in [(1, "set-0"), (2, "set-1"), (3, "set-2")] {
        events.extend(push(client, key, 100, 200, Type::Ok));
    }
    events.extend(push(4, "set-1", 1_010, 1_020, Type::Ok));
    events.extend(push(5, "set-2", 1_100, 1_800, Type::Ok));
    events.extend(push(6, "set-0", 3_100, 3_800, Type::Ok));
    let outage = &figures(killed_leader(), events).outages[0];
    assert_eq!((outage.first_ns, outage.every_ns), (Some(20 * MS), Some(800 * MS)));
}

#[test]
fn a_fault_about_one_group_is_felt_by_writes_to_that_one() {
    let mut handed = fault("kill", 1_000, "start", &["n1"]);
    handed.value["group"] = json!(3);
    let mut events = vec![handed];
    for (client, key, group) in [(1, "set-0", 2), (2, "set-1", 3)] {
        events.push(harness("wallet", 10, json!({"key": key, "group": group})));
        events.extend(push(client, key, 100, 200, Type::Ok));
    }
    events.extend(push(4, "set-0", 1_010, 1_020, Type::Ok));
    events.extend(push(5, "set-1", 1_015, 1_040, Type::Ok));
    let outage = &figures(killed_leader(), events).outages[0];
    assert_eq!((outage.first_ns, outage.every_ns), (Some(40 * MS), Some(40 * MS)));
}

#[test]
fn a_group_that_is_not_written_again_keeps_the_time_open() {
    let mut events = vec![fault("kill", 1_000, "start", &["n1"])];
    for (client, key, group) in [(1, "set-0", 2), (2, "set-1", 3)] {
        events.push(harness("wallet", 10, json!({"key": key, "group": group})));
        events.extend(push(client, key, 100, 200, Type::Ok));
    }
    events.extend(push(4, "set-1", 1_010, 1_020, Type::Ok));
    let outage = &figures(killed_leader(), events).outages[0];
    assert_eq!((outage.first_ns, outage.every_ns), (Some(20 * MS), None));
}

#[test]
fn a_fault_behind_which_nobody_writes_has_no_end() {
    let figures = around_a_kill(&[push(3, "set-0", 900, 1_100, Type::Ok)]);
    assert_eq!(figures.outages[0].first_ns, None);
    assert_eq!(figures.outages[0].every_ns, None);
}

#[test]
fn operations_are_counted_by_their_ends_and_under_faults() {
    let mut refused = push(5, "set-0", 3_100, 3_200, Type::Fail);
    refused[1].value = json!({"asked": "x", "refused": true});
    let figures = around_a_kill(&[
        push(3, "set-0", 900, 1_100, Type::Ok),
        push(4, "set-1", 2_900, 3_050, Type::Ok),
        refused,
        push(6, "set-0", 3_001, 3_100, Type::Ok),
        push(7, "set-0", 1_500, 1_600, Type::Fail),
        push(8, "set-0", 1_500, 1_600, Type::Info),
    ]);
    let count = Count { operations: 8, ok: 5, refused: 1, fail: 1, info: 1 };
    assert_eq!(figures.all, count);
    assert_eq!(figures.workloads["set"], count);
    assert_eq!(figures.under_fault, 2, "two were acknowledged while n1 was down");
    assert_eq!(figures.length_ns, 9_000 * MS);
}

#[test]
fn a_fault_that_nothing_felt_or_that_is_unclear_counts_no_operation() {
    for (felt, state, under) in [(1, "installed", 1), (0, "installed", 0), (1, "unclear", 0)] {
        let mut stop = fault("kill", 3_000, "stop", &["n1"]);
        stop.value["felt"] = json!({"killed": felt});
        stop.value["state"] = json!(state);
        let mut events = vec![fault("kill", 1_000, "start", &["n1"]), stop];
        events.extend(push(1, "set-0", 1_100, 1_200, Type::Ok));
        let figures = figures(killed_leader(), events);
        assert_eq!(figures.under_fault, under, "{felt} {state}");
        let kind = Kind { planned: 1, installed: usize::from(state == "installed"), felt: under };
        assert_eq!(figures.kinds, BTreeMap::from([("kill (leader)".to_owned(), kind)]));
    }
}

#[test]
fn a_kind_that_is_more_than_another_is_felt_by_what_only_it_leaves_behind() {
    for (felt, of_kind) in
        [(json!({"lost_power": 2}), 0), (json!({"lost_power": 2, "elected": 1}), 1)]
    {
        let mut stop = fault("power-in-sync", 3_000, "stop", &["n1"]);
        stop.value["felt"] = felt;
        let figures = figures(
            json!([{"fault": "power-in-sync", "act": "power-in-sync"}]),
            vec![fault("power-in-sync", 1_000, "start", &["n1"]), stop],
        );
        let span = &figures.faults[0];
        assert!(span.felt >= 2 && span.of_kind == of_kind, "{span:?}");
        assert_eq!(figures.kinds["power-in-sync"].felt, usize::from(of_kind > 0));
    }
}

#[test]
fn each_time_that_a_fault_strikes_has_a_time_without_writes() {
    let mut stop = fault("transfer", 4_000, "stop", &["n1"]);
    stop.value["moments"] = json!([
        {"since": 1_000 * MS, "group": 2}, {"since": 2_000 * MS, "group": 3},
    ]);
    let mut events = vec![fault("transfer", 1_000, "start", &["n1"]), stop];
    for (client, key, group) in [(1, "set-0", 2), (2, "set-1", 3)] {
        events.push(harness("wallet", 10, json!({"key": key, "group": group})));
        events.extend(push(client, key, 100, 200, Type::Ok));
    }
    events.extend(push(3, "set-0", 1_010, 1_030, Type::Ok));
    events.extend(push(4, "set-0", 2_005, 2_006, Type::Ok));
    events.extend(push(5, "set-1", 2_010, 2_050, Type::Ok));
    let outages = figures(json!([{"fault": "transfer", "act": "transfer"}]), events).outages;
    let times: Vec<_> = outages.iter().map(|outage| outage.every_ns).collect();
    assert_eq!(times, [Some(30 * MS), Some(50 * MS)]);
}

#[test]
fn before_the_first_write_no_time_without_writes_begins() {
    let figures = figures(killed_leader(), vec![fault("kill", 1_000, "start", &["n1"])]);
    assert_eq!(figures.outages, []);
}

#[test]
fn a_fault_knows_from_its_place_in_the_plan_whom_it_meant() {
    let plan = json!([
        {"fault": "cut", "act": {"cut": "data-centre"}},
        {"fault": "cut", "act": {"cut": "bridge"}},
        {"fault": "power", "act": {"power": "all"}},
        {"fault": "power", "act": {"power": {"one": 1}}},
        {"fault": "transfer", "act": "transfer"},
        {"fault": "power-in-sync", "act": "power-in-sync"},
    ]);
    let mut skipped = fault("cut", 20, "start", &[]);
    skipped.value["state"] = json!("skipped");
    let figures = figures(
        plan,
        vec![
            fault("cut", 10, "start", &["n1>n2"]),
            skipped,
            fault("power", 30, "start", &["n1", "n2", "n3"]),
            fault("power", 40, "stop", &["n1", "n2", "n3"]),
            fault("power", 50, "start", &["n2"]),
            fault("cut", 60, "stop", &["n1>n2"]),
            fault("transfer", 70, "start", &["n1"]),
            fault("power-in-sync", 80, "start", &["n1", "n2", "n3"]),
            fault("heal", 90, "heal", &[]),
        ],
    );
    let roles: Vec<_> = figures.faults.iter().map(|fault| fault.role).collect();
    let (leader, all) = (Some(Role::Leader), Some(Role::All));
    assert_eq!(roles, [Some(Role::DataCentre), None, all, None, leader, all]);
    let spans: Vec<_> =
        figures.faults.iter().map(|fault| (fault.start_ns / MS, fault.stop_ns / MS)).collect();
    assert_eq!(spans, [(10, 60), (20, 20), (30, 40), (50, 90), (70, 90), (80, 90)]);
    assert_eq!(figures.all_lost_power, 2);
}

#[test]
fn each_later_term_of_a_group_is_a_change_of_leaders() {
    let leader = |group: u64, node: Option<&str>, term: u64| {
        harness("leader", 10, json!({"group": group, "node": node, "term": term}))
    };
    let figures = figures(
        json!([]),
        vec![
            leader(2, Some("n1"), 3),
            leader(3, Some("n2"), 1),
            leader(2, None, 4),
            leader(2, Some("n1"), 5),
            leader(2, Some("n1"), 3),
        ],
    );
    assert_eq!(figures.leader_changes, 1);
}

#[test]
fn a_percentile_is_one_of_the_values() {
    let values: Vec<u64> = (1..=200).collect();
    assert_eq!(percentile(&values, 50), Some(100));
    assert_eq!(percentile(&values, 99), Some(198));
    assert_eq!(percentile(&values, 100), Some(200));
    assert_eq!(percentile(&[7], 50), Some(7));
    assert_eq!(percentile(&[], 50), None);
}
