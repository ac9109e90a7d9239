//! The programs that show what Holdfast does, as a newcomer runs them: the demo holds all that it shows,
//! a benchmark measures, and neither leaves anything behind. Nothing runs beside them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tests::lab::binary;

/// Runs `holdfast` and gives what it said, a JSON object a line.
fn said(scratch: &Path, arguments: &[&str]) -> Vec<Value> {
    let mut program = Command::new(binary());
    program.args(arguments).arg("--json").env("TMPDIR", scratch).stdin(Stdio::null());
    let output = program.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0, "{arguments:?} left something");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_demo_holds_and_the_benchmarks_measure_and_nothing_is_left() {
    let scratch = tempfile::tempdir().unwrap();
    let steps = said(scratch.path(), &["demo"]);
    let (last, steps) = steps.split_last().unwrap();
    assert_eq!((&last["ok"], &last["steps"]), (&true.into(), &steps.len().into()));
    let nodes = steps[0]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        let running = Path::new("/proc").join(node["pid"].to_string());
        assert!(!running.exists(), "{node} still runs");
    }

    for workload in ["push", "pull", "restore"] {
        let arguments = ["bench", workload, "--clients", "2", "--seconds", "1", "--size", "512"];
        let measured = said(scratch.path(), &arguments).pop().unwrap();
        assert_eq!(measured["workload"], workload);
        assert!(measured["operations"].as_u64().unwrap() > 0, "{measured}");
        for figure in ["per_second", "p50_ms", "p99_ms", "max_ms"] {
            assert!(measured[figure].as_f64().unwrap() > 0.0, "{figure} of {measured}");
        }
        assert!(measured["elections"].is_u64(), "{measured}");
    }
}
