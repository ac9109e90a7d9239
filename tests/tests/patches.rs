//! Patches that take something away which a test or a checker must miss: the controls, under which a test of
//! durability or repair fails, and the mutants, which the chaos harness catches. `make controls` and
//! `make mutants` apply each to a copy, build it, and show that; here it is only held that each still fits the
//! code and says how it is noticed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

use clap::ValueEnum;
use jepsen::{nemesis::Nemesis, report, workload::Workload};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A mutant must be caught within three minutes, with everything around its run.
const SECONDS_MAX: u64 = 150;
/// A cluster that does not come to itself is waited for two of them.
const SECONDS_MAX_UNHEALED: u64 = 40;
#[test]
fn every_control_fits_the_code_and_names_its_test() {
    let patches = patches("tests/controls");
    assert!(patches.len() >= 3, "the controls are there");
    for patch in patches {
        let (file, test) = patch.says("Fails").split_once(' ').expect("a file and a test");
        let tests = fs::read_to_string(root().join(format!("tests/tests/{file}.rs"))).unwrap();
        assert!(tests.contains(&format!("fn {test}(")), "{}: no test {test}", patch.name());
        patch.fits();
    }
}

#[test]
fn every_mutant_fits_the_code_and_says_how_it_is_caught() {
    let patches = patches("jepsen/mutants");
    assert!(patches.len() >= 18, "the mutants are there");
    for patch in patches {
        says_how_it_is_caught(&patch);
        patch.fits();
    }
}

fn says_how_it_is_caught(patch: &Patch) {
    let name = patch.name();
    assert!(patch.text.starts_with("A mutant: "), "{name}");
    if let Some(seed) = patch.may_say("Simulation") {
        seed.parse::<u64>().unwrap();
        let invariant = patch.says("Checker").replace(' ', "_") + ".rs";
        let invariants = root().join("raft/src/simulation/invariants");
        assert!(invariants.join(&invariant).is_file(), "{name}: no {invariant}");
        return;
    }
    let words: Vec<&str> = patch.says("Run").split(' ').collect();
    let run: BTreeMap<&str, &str> = words.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    assert!(Nemesis::from_str(run["--nemesis"], false).is_ok(), "{name}");
    let all = Workload::ALL.map(Workload::name).join(",");
    let workloads = if run["--workload"] == "all" { &all } else { run["--workload"] };
    for workload in workloads.split(',') {
        assert!(Workload::from_str(workload, false).is_ok(), "{name}: {workload}");
    }
    let checkers: Vec<&str> = patch.says("Checker").split(' ').collect();
    let longest = if checkers.contains(&"itself") { SECONDS_MAX_UNHEALED } else { SECONDS_MAX };
    assert!(run["--seconds"].parse::<u64>().unwrap() <= longest, "{name}");
    run["--seed"].parse::<u64>().unwrap();
    assert!(["3", "5"].contains(&run["--nodes"]), "{name}");
    for checker in checkers {
        let known =
            report::WHOLE.contains(&checker) || workloads.split(',').any(|name| name == checker);
        assert!(known, "{name}: no checker {checker}");
    }
    // What clients do wrong is only done wrong by a harness that has the mistake.
    let clients = ["client/", "seal/"];
    let theirs = patch.text.lines().any(|line| {
        line.strip_prefix("+++ b/")
            .is_some_and(|path| clients.iter().any(|at| path.starts_with(at)))
    });
    let builds = patch.may_say("Builds").unwrap_or("cli");
    assert!(["cli", "cli jepsen"].contains(&builds), "{name}: {builds}");
    assert!(builds == "cli jepsen" || !theirs, "{name}: clients have it");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

struct Patch {
    path: PathBuf,
    text: String,
}

fn patches(directory: &str) -> Vec<Patch> {
    let listed = fs::read_dir(root().join(directory)).unwrap();
    let paths = listed.map(|entry| entry.unwrap().path());
    let patches = paths.filter(|path| path.extension().is_some_and(|end| end == "patch"));
    patches.map(|path| Patch { text: fs::read_to_string(&path).unwrap(), path }).collect()
}

impl Patch {
    fn name(&self) -> String {
        self.path.file_stem().unwrap().to_string_lossy().into_owned()
    }

    /// What a line in front of the changes says.
    fn says(&self, what: &str) -> &str {
        self.may_say(what).unwrap_or_else(|| panic!("{}: no {what}", self.name()))
    }

    fn may_say(&self, what: &str) -> Option<&str> {
        self.text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(": "))
    }

    fn fits(&self) {
        let mut checking = Command::new("git");
        checking.args(["apply", "--check"]).arg(&self.path).current_dir(root());
        match checking.output() {
            Ok(checked) => {
                let said = String::from_utf8_lossy(&checked.stderr);
                assert!(checked.status.success(), "{}: {said}", self.name());
            }
            Err(error) => eprintln!("SKIPPED: git cannot be started: {error}"),
        }
    }
}
