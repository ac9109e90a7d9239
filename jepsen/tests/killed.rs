//! The end of a harness that had no chance to clean up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use jepsen::net::{End, Layout, Net, NetError};
use std::{
    collections::BTreeSet,
    io::Read,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const AS_HARNESS: &str = "JEPSEN_TEST_AS_HARNESS";

/// The test runs itself once more as the harness that is killed.
#[test]
fn a_killed_harness_leaves_no_namespace_device_or_process() {
    let layout = Layout::of(3, Duration::ZERO, Duration::ZERO).unwrap();
    if std::env::var_os(AS_HARNESS).is_some() {
        let net = Net::switch(&layout, 12).unwrap();
        let child = net.inside(End::Node(0), || {
            // As a node does, this one ends with the pipe from its starter.
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
        });
        let mut child = child.unwrap();
        let _held = child.stdin.take();
        let id = |end| net.inside(end, || std::fs::read_link("/proc/thread-self/ns/net").unwrap());
        println!("child {}", child.id());
        for end in net.layout().ends() {
            println!("space {}", id(end).unwrap().display());
        }
        println!("ready");
        let status = child.wait().unwrap();
        unreachable!("the harness lives, and what hangs on it ended: {status}");
    }
    match Net::switch(&layout, 13) {
        Ok(_) => {}
        Err(NetError::Lacking(what)) => return println!("SKIPPED: {what}"),
        Err(error) => panic!("{error}"),
    }
    let mut harness = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "a_killed_harness_leaves_no_namespace_device_or_process"])
        .env(AS_HARNESS, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut out = harness.stdout.take().unwrap();
    while !said.contains("ready") {
        let mut piece = [0; 1024];
        let read = out.read(&mut piece).unwrap();
        assert!(read > 0, "the harness ended: {said}");
        said += std::str::from_utf8(&piece[..read]).unwrap();
    }
    let after = |word: &str| -> Vec<String> {
        let lines =
            said.lines().filter_map(|line| Some(line.split_once(word)?.1.trim().to_owned()));
        lines.collect()
    };
    let (child, spaces) = (after("child "), after("space "));
    assert_eq!((child.len(), spaces.len()), (1, 4), "{said}");
    let held: BTreeSet<String> = holders(&spaces).into_iter().map(|(space, _)| space).collect();
    assert_eq!(held.len(), 4, "the harness holds them open");
    harness.kill().unwrap();
    harness.wait().unwrap();
    let child = format!("/proc/{}", child[0]);
    let left = || {
        // One that has ended may still wait for its new parent to notice.
        let state = std::fs::read_to_string(format!("{child}/stat")).ok();
        let child = state.filter(|state| !state.contains(") Z "));
        let spaces = holders(&spaces);
        (child.is_some() || !spaces.is_empty()).then_some((child, spaces))
    };
    let since = Instant::now();
    while let Some(left) = left() {
        assert!(since.elapsed() < Duration::from_secs(20), "{left:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Which processes are in these namespaces or hold them open, by namespace. The TUN device goes with its
/// namespace and with the file of its owner.
fn holders(spaces: &[String]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        for part in ["ns", "fd"] {
            for file in std::fs::read_dir(process.path().join(part)).into_iter().flatten().flatten()
            {
                let link =
                    std::fs::read_link(file.path()).unwrap_or_default().display().to_string();
                if spaces.contains(&link) {
                    found.insert((link, file.path().display().to_string()));
                }
            }
        }
    }
    found
}
