//! `jepsen check`: what it says and how it ends.

#![allow(clippy::unwrap_used, reason = "tests")]

use jepsen::history::{Client, Fault, Phase, Planned, Recorder, Run};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A run of all workloads in which a process was killed, as clients would have written it.
fn recorded(path: &Path, last_read: &str) {
    let recorder = Recorder::create(path).unwrap();
    let workloads = ["register", "set", "once", "chain", "watch", "devices"];
    recorder.run(&Run {
        seed: 7,
        nemesis: "kill".to_owned(),
        plan: vec![Planned { fault: "kill".to_owned(), more: Default::default() }],
        network: "proxy".to_owned(),
        commit: "0".to_owned(),
        nodes: vec!["n1".to_owned()],
        workloads: workloads.map(str::to_owned).to_vec(),
    });
    let mut clients = workloads.map(|workload| recorder.client(workload));
    let opens = json!({"watcher": "w", "node": "n1", "seq": 0});
    recorder.client("watch").notice("open", "watch-1", opens);
    rounds(&mut clients, 1..=9);
    recorder.fault("kill", &fault(Phase::Start, 0));
    let [register, ..] = &mut clients;
    register.cas("register-1", "v9", "lost").info("no answer");
    rounds(&mut clients, 10..=19);
    recorder.fault("kill", &fault(Phase::Stop, 1));
    recorder.fault("heal", &fault(Phase::Heal, 0));
    recorder.fault("heal", &fault(Phase::Healed, 0));
    rounds(&mut clients, 20..=20);

    let elements: Vec<String> = (1..=20).map(|n| format!("v{n}")).collect();
    let [register, set, once, chain, watch, devices] = &mut clients;
    register.invoke("final", "register-1", Value::Null).ok(last_read);
    set.invoke("final", "set-1", Value::Null).ok(json!({"elements": elements, "commits": 20}));
    once.invoke("final", "once-1", Value::Null)
        .ok(json!({"elements": elements, "seq": 20, "first": 0}));
    chain.invoke("final", "chain-1", json!({"device": "d"})).ok(json!({"seq": 20, "head": "h20"}));
    watch.invoke("final", "watch-1", Value::Null).ok(json!({"seq": 20}));
    watch.notice("close", "watch-1", json!({"watcher": "w"}));
    watch.notice("final", "watch-1", json!({"watcher": "w", "seq": 20}));
    revoked(devices, &recorder);
    recorder.finish().unwrap();
}

/// A device is revoked, and tries on for more than a second while the owner writes.
fn revoked(devices: &mut Client, recorder: &Recorder) {
    let at = json!({"device": "b", "node": "n1"});
    let mut watching = recorder.client("devices");
    let watch = watching.invoke("watch", "devices-1", at.clone());
    let shown = json!({"device": "b", "kind": "watch", "node": "n1", "seq": 1});
    recorder.client("devices").notice("use", "devices-1", shown);
    devices.invoke("revoke", "devices-1", "b").done();
    std::thread::sleep(std::time::Duration::from_millis(1_010));
    devices.invoke("push", "devices-1", "late").ok(json!({"id": "late", "seq": 2}));
    let weak = json!({"device": "b", "kind": "weak", "node": "n1"});
    devices.invoke("use", "devices-1", weak).refused("revoked");
    watch.refused("revoked");
    for session in ["kept", "new"] {
        let mut asked = at.clone();
        asked["session"] = session.into();
        devices.invoke("final-use", "devices-1", asked).refused("revoked");
    }
}

fn rounds(clients: &mut [Client; 6], numbers: std::ops::RangeInclusive<u64>) {
    let [register, set, once, chain, watch, devices] = clients;
    for n in numbers {
        let id = format!("v{n}");
        let old = if n == 1 { Value::Null } else { json!(format!("v{}", n - 1)) };
        register.cas("register-1", old, id.as_str()).done();
        set.invoke("add", "set-1", id.as_str()).done();
        let pushed = json!({"id": id, "seq": n});
        once.invoke("push", "once-1", id.as_str()).ok(pushed.clone());
        chain
            .invoke("push", "chain-1", json!({"device": "d"}))
            .ok(json!({"seq": n, "head": format!("h{n}")}));
        watch.invoke("push", "watch-1", id.as_str()).ok(pushed);
        watch.notice(
            "see",
            "watch-1",
            json!({"watcher": "w", "seq": n, "ids": [id], "live": true}),
        );
        let asked = json!({"device": "b", "kind": "push", "node": "n1"});
        devices.invoke("use", "devices-1", asked).done();
    }
}

fn fault(phase: Phase, gone: u64) -> Fault {
    let felt = [("killed".to_owned(), gone)].into();
    Fault { targets: vec!["n1".to_owned()], felt, ..Fault::of_phase(phase) }
}

fn check(path: &Path) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_jepsen")).arg("check").arg(path).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn place() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("history.jsonl");
    (dir, path)
}

#[test]
fn a_good_history_passes_with_one_line_for_each_checker() {
    let (_dir, path) = place();
    recorded(&path, "v20");
    let (code, said, _) = check(&path);
    assert_eq!(code, Some(0), "{said}");
    let words: Vec<_> =
        said.lines().map(|line| line.split(',').next().unwrap_or_default()).collect();
    assert_eq!(
        words,
        [
            "register: pass",
            "set: pass",
            "once: pass",
            "chain: pass",
            "watch: pass",
            "devices: pass",
            "coverage: pass",
            "healing: pass",
            "integrity: pass",
            "nemesis: pass",
            "service: pass",
            "pass",
        ]
    );
    let service = said.lines().find(|line| line.starts_with("service"));
    assert!(service.is_some_and(|line| line.ends_with(", 0 of 1 faults judged")), "{said}");
}

#[test]
fn a_bad_history_fails_and_says_where() {
    let (_dir, path) = place();
    recorded(&path, "v19");
    let (code, said, _) = check(&path);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("register: fail, 1 wallets"), "{said}");
    assert!(said.contains("no order of single steps explains read of \"v19\""), "{said}");
    assert!(said.ends_with("\nfail\n"), "{said}");
}

#[test]
fn what_cannot_be_read_or_proves_nothing_is_unknown() {
    let (_dir, path) = place();
    let (code, _, why) = check(&path);
    assert_eq!(code, Some(2));
    assert!(why.starts_with("jepsen: open history ") && why.lines().count() == 1, "{why}");
    fs::write(&path, "{}\n").unwrap();
    let (code, _, why) = check(&path);
    assert_eq!(code, Some(2));
    assert!(why.starts_with("jepsen: line 1: no event at column 2"), "{why}");
    fs::write(&path, "").unwrap();
    let (code, said, _) = check(&path);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.ends_with("\nunknown\n"), "{said}");
}
