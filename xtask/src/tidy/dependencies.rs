//! Dependencies point down only: the table of ARCHITECTURE.md against `cargo metadata`.

use anyhow::{Context, Result};
use serde_json::Value;
use std::{path::Path, process::Command};

/// What each crate of the house may use of the house. Test-only dependencies are judged alike, but
/// for `tests`, which is a user of everything.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("types", &[]),
    ("seal", &["types"]),
    ("proto", &["types"]),
    ("store", &["types"]),
    ("raft", &["types", "store", "proto"]),
    ("api", &["types", "seal", "proto", "store", "raft"]),
    ("client", &["types", "seal", "proto"]),
    ("server", &["types", "seal", "proto", "store", "raft", "api"]),
    ("cli", &["types", "seal", "proto", "client", "server"]),
    ("jepsen", &["types", "proto", "client", "server"]),
    (
        "tests",
        &["types", "seal", "proto", "store", "raft", "api", "client", "server", "cli", "jepsen"],
    ),
    ("fuzz", &["types", "seal", "proto", "store", "raft", "api", "client", "server"]),
    ("xtask", &[]),
];

/// Libraries that one crate alone may name, because their types or risks must not spread.
const CONFINED: [(&str, &str); 6] = [
    ("openraft", "raft"),
    ("rocksdb", "store"),
    ("bincode", "store"),
    ("aws-lc-rs", "seal"),
    ("aes-gcm", "seal"),
    ("redb", "client"),
];

pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--locked", "--offline"])
        .current_dir(root)
        .output()
        .context("run cargo metadata")?;
    anyhow::ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).context("read cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    Ok(packages.iter().flat_map(package).collect())
}

fn package(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
        return vec![format!(
            "{name}: not in the table of xtask/src/tidy/dependencies.rs; add its row"
        )];
    };
    let mut findings = Vec::new();
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let used = dependency["name"].as_str().unwrap_or_default();
        let for_tests = dependency["kind"] == "dev";
        if MAY_USE.iter().any(|(known, _)| *known == used) && !allowed.contains(&used) {
            findings.push(format!("{name} uses {used}: dependencies point down only"));
        }
        if let Some((_, home)) = CONFINED.iter().find(|(library, _)| *library == used)
            && name != *home
            && !for_tests
            && name != "tests"
        {
            findings.push(format!("{name} uses {used}, which stays inside {home}"));
        }
    }
    findings
}
