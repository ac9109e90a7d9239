//! P10: what others wrote speaks to a cluster by its documents alone: Python's grpcio, `@grpc/grpc-js`,
//! curl; and schemathesis finds nothing in the HTTP interface that its description does not say.
//!
//! `xtask/setup.sh test` installs them in the user's cache and names the place in `HOLDFAST_INTEROP`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use client::{CreateOptions, Place, Protection, Record, Wallet};
use tests::{Lab, Plan};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

/// Where the others are installed; without them there is nothing to test.
fn installed() -> Option<PathBuf> {
    let found = std::env::var_os("HOLDFAST_INTEROP").map(PathBuf::from);
    let there = found.filter(|dir| dir.join("whole").exists());
    if there.is_none() {
        println!("SKIPPED: xtask/setup.sh could not install what tests/interop/ names");
    }
    there
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop").join(name)
}

/// Another's client at work. It says a line for what it pulled, and one for every change it watched.
struct Other {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(mut command: Command) -> Other {
        command.stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Other { process, lines }
    }

    async fn says(&mut self, expected: &str) {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect(expected).unwrap();
        let line = line.unwrap_or_else(|| panic!("it ended before it said {expected}"));
        assert_eq!(line.replace(' ', ""), expected);
    }
}

/// A device opens a session, pulls, watches, and sees the next push.
async fn works(lab: &Lab, name: &str, command: Command) {
    let profile = lab.dir().join(name);
    let place = Place::Directory(profile.clone());
    let options = CreateOptions::new(name, Protection::FileMode);
    let mut wallet = Wallet::create(place, lab.settings(), options, |_| {}).await.unwrap();
    wallet.put(Record::new("opaque", "first", "one")).unwrap();
    let seq = wallet.push().await.unwrap().seq;

    let mut command = command;
    command.arg(&lab.cluster.endpoints()[0]).arg(ca(lab)).arg(profile.join("device.keys"));
    let summary = wallet.summary().unwrap();
    command.args([summary.wallet.to_string(), summary.device.to_string()]);
    let mut other = Other::start(command);
    other.says(&format!(r#"{{"pulled":{seq},"envelopes":2}}"#)).await;
    other.says(&format!(r#"{{"watched":{seq}}}"#)).await;
    wallet.put(Record::new("opaque", "second", "two")).unwrap();
    let next = wallet.push().await.unwrap().seq;
    other.says(&format!(r#"{{"watched":{next}}}"#)).await;
    let ended = timeout(PATIENCE, other.process.wait()).await.expect("it ends").unwrap();
    assert!(ended.success(), "{name}: {ended}");
}

fn ca(lab: &Lab) -> PathBuf {
    let path = lab.dir().join("trust.pem");
    std::fs::write(&path, lab.settings().ca_pem).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_others_do_a_session_a_pull_and_a_watch() {
    let Some(dir) = installed() else { return };
    let lab = Plan::of(3).start().await;
    for name in ["grpcio.py", "curl.py"] {
        let mut python = Command::new(dir.join("venv/bin/python"));
        python.arg(script(name));
        works(&lab, name, python).await;
    }
    let mut node = Command::new("node");
    node.arg("--no-deprecation").arg(script("grpc-js.js"));
    node.env("NODE_PATH", dir.join("node_modules"));
    works(&lab, "grpc-js.js", node).await;
}

/// Requests are made from the description, right ones and wrong ones, as a stranger and as an operator.
/// `positive_data_acceptance` cannot hold: no schema says what a signature or a running cluster accepts.
#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_nothing() {
    let Some(dir) = installed() else { return };
    // Thousands of requests are to be refused, all of one address.
    let lab = Plan::of(1).setting("limits.refusals_per_second", 1_000_000).start().await;
    let endpoint = lab.cluster.endpoints()[0].clone();
    for operator in [false, true] {
        let mut run = Command::new(dir.join("venv/bin/schemathesis"));
        run.current_dir(lab.dir()).arg("run").arg(format!("{endpoint}/openapi.json"));
        run.args(["--url", &endpoint]).arg("--tls-verify").arg(ca(&lab));
        run.args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"]);
        run.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "20"]);
        run.args(["--generation-deterministic", "--seed", "7", "--no-color"]);
        if operator {
            let paths = lab.cluster.operator();
            run.arg("--request-cert").arg(&paths.cert).arg("--request-cert-key").arg(&paths.key);
        }
        let output = timeout(PATIENCE * 3, run.stdin(Stdio::null()).output()).await;
        let output = output.expect("schemathesis ends").unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("Selected: 23/23") && said.contains("Tested: 23"), "{said}");
    }
}
