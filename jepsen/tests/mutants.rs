//! The mutants: mistakes that the harness must catch. `make mutants` builds each and shows it; here it is only
//! held that each still fits the code and says how it is caught.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

use clap::ValueEnum;
use jepsen::{nemesis::Nemesis, workload::Workload};
use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// A mutant must be caught within three minutes, and healing alone may take two of them.
const SECONDS_MAX: u64 = 150;
/// Checkers that are no workload's.
const OTHERS: [&str; 10] = [
    "itself",
    "ends",
    "panics",
    "promise",
    "repairs",
    "votes",
    "leak",
    "coverage",
    "healing",
    "integrity",
];

#[test]
fn every_mutant_fits_the_code_and_says_how_it_is_caught() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let listed = fs::read_dir(root.join("jepsen/mutants")).unwrap();
    let patches: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
    assert!(patches.len() >= 8, "the mutants are there");
    for patch in patches {
        let text = fs::read_to_string(&patch).unwrap();
        says_how_it_is_caught(&patch, &text);
        let checked = Command::new("git")
            .args(["apply", "--check"])
            .arg(patch.canonicalize().unwrap())
            .current_dir(&root)
            .output();
        let checked = match checked {
            Ok(checked) => checked,
            Err(error) => {
                eprintln!("SKIPPED: git cannot be started: {error}");
                return;
            }
        };
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success(), "{}: {said}", patch.display());
    }
}

fn says_how_it_is_caught(patch: &Path, text: &str) {
    let patch = patch.display();
    let line = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("{patch}: no {name}"))
    };
    assert!(text.starts_with("A mutant: "), "{patch}");
    let words: Vec<&str> = line("Run").split(' ').collect();
    let run: BTreeMap<&str, &str> = words.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    assert!(Nemesis::from_str(run["--nemesis"], false).is_ok(), "{patch}");
    let all = Workload::ALL.map(Workload::name).join(",");
    let workloads = if run["--workload"] == "all" { &all } else { run["--workload"] };
    for workload in workloads.split(',') {
        assert!(Workload::from_str(workload, false).is_ok(), "{patch}: {workload}");
    }
    assert!(run["--seconds"].parse::<u64>().unwrap() <= SECONDS_MAX, "{patch}");
    run["--seed"].parse::<u64>().unwrap();
    assert!(["3", "5"].contains(&run["--nodes"]), "{patch}");
    let checker = line("Checker");
    let known = OTHERS.contains(&checker) || workloads.split(',').any(|name| name == checker);
    assert!(known, "{patch}: no checker {checker}");
}
