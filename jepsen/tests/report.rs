//! `jepsen report` and `jepsen campaign`: what they write, and what they refuse.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

fn jepsen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jepsen")).args(arguments).output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report")
}

/// A campaign of two runs, of which one was skipped, as it was left.
fn campaign() -> TempDir {
    let dir = TempDir::new().unwrap();
    for (run, files) in
        [("kill-7", &["history.jsonl", "verdict.json"][..]), ("power-9", &["verdict.json"])]
    {
        fs::create_dir(dir.path().join(run)).unwrap();
        for file in files {
            fs::copy(fixture().join(run).join(file), dir.path().join(run).join(file)).unwrap();
        }
    }
    dir
}

#[test]
fn the_summary_of_a_recorded_campaign_is_as_it_was() {
    let dir = campaign();
    let done = jepsen(&["report", dir.path().to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(1), "one run of it failed: {}", said(&done.stderr));
    let golden = fixture().join("summary.md");
    let summary = fs::read_to_string(dir.path().join("summary.md")).unwrap();
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        fs::write(&golden, &summary).unwrap();
    }
    assert_eq!(summary, fs::read_to_string(golden).unwrap());
}

#[test]
fn pages_need_nothing_from_elsewhere_and_no_script() {
    let dir = campaign();
    jepsen(&["report", dir.path().to_str().unwrap()]);
    for page in ["index.html", "kill-7/index.html"] {
        let text = fs::read_to_string(dir.path().join(page)).unwrap();
        for foreign in ["<script", "http://", "https://", "src=", "@import", "url("] {
            assert!(!text.contains(foreign), "{page} has {foreign}");
        }
        assert!(text.contains("prefers-color-scheme:dark"), "{page}");
    }
    let run = fs::read_to_string(dir.path().join("kill-7/index.html")).unwrap();
    for shown in ["<title>kill n1 n2 n3, 9000 ms to 12.2 s</title>", "group 2: n1 in term 2"] {
        assert!(run.contains(shown), "{shown}");
    }
    let all = fs::read_to_string(dir.path().join("index.html")).unwrap();
    assert!(all.contains("<a href=\"kill-7/index.html\">kill</a>"), "{all}");
    assert!(all.contains("mkfs.ext4 cannot be started"), "{all}");
}

#[test]
fn a_history_alone_gets_its_page_beside_it() {
    let dir = TempDir::new().unwrap();
    let history = dir.path().join("some.jsonl");
    fs::copy(fixture().join("kill-7/history.jsonl"), &history).unwrap();
    let done = jepsen(&["report", history.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done.stderr));
    let page = fs::read_to_string(dir.path().join("some.html")).unwrap();
    assert!(page.contains("<h1>kill, seed 7: pass</h1>"), "{page}");
}

#[test]
fn what_holds_no_run_is_said_to() {
    let dir = TempDir::new().unwrap();
    let done = jepsen(&["report", dir.path().to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(2));
    assert!(said(&done.stderr).contains("holds no run and no campaign"), "{done:?}");
    let done = jepsen(&["report", dir.path().join("absent").to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(2));
    assert!(said(&done.stderr).starts_with("jepsen: open history "), "{done:?}");
    fs::write(dir.path().join("verdict.json"), "{}").unwrap();
    let done = jepsen(&["report", dir.path().to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(2));
    assert!(said(&done.stderr).contains("is no verdict of a run"), "{done:?}");
}

#[test]
fn a_campaign_refuses_what_it_cannot_run_before_it_runs_anything() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_jepsen");
    let refused = |more: &[&str]| {
        let all = [&["campaign", "--program", program, "--out", out][..], more].concat();
        let done = jepsen(&all);
        assert_eq!(done.status.code(), Some(2), "{more:?}");
        said(&done.stderr)
    };
    assert!(refused(&[]).contains("--seed <X>"));
    assert!(refused(&["--seed", "1", "--nemesis", "kill,rain"]).contains("'rain'"));
    assert!(refused(&["--seed", "1", "--minutes", "0"]).contains("0 is not in 1..=1440"));
    assert!(refused(&["--seed", "1", "--seconds", "9"]).contains("9 is not in 10..=86400"));
    assert!(
        refused(&["--seed", "1", "--seconds", "15", "--minutes", "1"]).contains("cannot be used")
    );
    assert!(refused(&["--seed", "1", "--nodes", "4"]).contains("3 or 5"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

    fs::write(dir.path().join("before"), "").unwrap();
    let why = refused(&["--seed", "1", "--nemesis", "none", "--seconds", "10"]);
    assert!(why.contains("is not empty; name a new directory with --out"), "{why}");
    let absent = jepsen(&["campaign", "--seed", "1", "--out", out, "--program", "/absent"]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(said(&absent.stderr).contains("/absent is missing; build it first"), "{absent:?}");
}
