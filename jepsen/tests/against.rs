//! Workloads on a cluster that exists.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use server::cluster::{Cluster, Options, Scratch};
use std::{
    path::Path,
    process::{Command, Output},
};

fn against(config: &Path, out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jepsen"));
    command.args(["run", "--workload", "set,register", "--seconds", "5", "--seed", "3"]);
    command.arg("--against").arg(config).arg("--out").arg(out).output().unwrap()
}

#[test]
fn a_cluster_of_somebody_else_passes_and_is_asked_again_by_the_same_command() {
    let scratch = Scratch::new("holdfast-test").unwrap();
    let (dir, out) = (scratch.path().join("cluster"), scratch.path().join("out"));
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("holdfast");
    let options = Options::dev(3, program, dir.clone()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = runtime.block_on(Cluster::start(&options)).unwrap();

    let done = against(&dir, &out);
    let said = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let left = std::fs::read_to_string(out.join("verdict.json")).unwrap();
    let again = format!("--against {}", dir.display());
    assert!(left.contains("\"verdict\": \"pass\"") && left.contains(&again), "{left}");

    drop(cluster);
    let gone = against(&dir, &scratch.path().join("gone"));
    assert_eq!(gone.status.code(), Some(2), "{}", String::from_utf8_lossy(&gone.stdout));
}
