//! The unit file is sound and tight, the node keeps to what it allows, and tells systemd how it is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use server::cluster::{NodePlan, RealHosts, Scratch, ports::ReservedPort, prepare};
use tests::lab::{PATIENCE, binary};

/// Exposure in tenths, from 0 to 100, as `systemd-analyze security` counts it.
const EXPOSURE_MAX: &str = "15";

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd").join(file)
}

/// What a program says, or why this machine cannot say it.
fn said(program: &str, arguments: &[&str]) -> Option<(bool, String)> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            let both = [output.stdout, output.stderr].concat();
            Some((output.status.success(), String::from_utf8_lossy(&both).into_owned()))
        }
        Err(error) => {
            eprintln!("SKIPPED {program} {}: {error}", arguments.join(" "));
            None
        }
    }
}

#[test]
fn the_unit_is_sound_and_leaves_little_to_attack() {
    let scratch = Scratch::new("holdfast-systemd").unwrap();
    // The program stands elsewhere on this machine, and systemd looks whether it is there.
    let unit = fs::read_to_string(deploy("holdfast.service")).unwrap();
    let unit = unit.replace("/usr/bin/holdfast", binary().to_str().unwrap());
    let file = scratch.path().join("holdfast.service");
    fs::write(&file, unit).unwrap();
    let file = file.to_str().unwrap();

    let Some((passed, text)) = said("systemd-analyze", &["verify", file]) else { return };
    assert!(passed && text.is_empty(), "systemd-analyze verify: {text}");
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let (passed, text) =
        said("systemd-analyze", &["security", "--offline=true", &threshold, file]).unwrap();
    if text.contains("unrecognized option") {
        eprintln!("SKIPPED systemd-analyze security: this systemd cannot judge a file");
        return;
    }
    assert!(passed, "more exposed than {EXPOSURE_MAX} tenths:\n{text}");
}

/// One node of its own, in front of which `wrapper` may stand.
struct Alone {
    child: Child,
    _port: [ReservedPort; 2],
    scratch: Scratch,
}

impl Alone {
    fn start(wrapper: &[&str], environment: &[(&str, &str)]) -> Alone {
        let scratch = Scratch::new("holdfast-systemd").unwrap();
        let host = "127.0.0.1".parse().unwrap();
        let ports = [(); 2].map(|()| ReservedPort::any(host).unwrap());
        let dir = scratch.path().join("cluster");
        let hosts = RealHosts {
            cluster: "test.example",
            nodes: &[NodePlan::new("a", "north", "127.0.0.1").unwrap()],
            allow_single_dc: true,
            public_port: ports[0].address().port(),
            peer_port: ports[1].address().port(),
            open_registration: true,
            passphrase: None,
            data_dir: None,
        };
        let written = prepare(&dir, &hosts).unwrap();
        let program = binary();
        let words: Vec<&str> = wrapper
            .iter()
            .copied()
            .chain([program.to_str().unwrap(), "node", "--config"])
            .collect();
        let child = Command::new(words[0])
            .args(&words[1..])
            .arg(&written[0].config)
            .arg("--with-parent")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stderr(fs::File::create(scratch.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        Alone { child, _port: ports, scratch }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap()
    }

    fn wait_for(&mut self, line: &str) {
        let begun = Instant::now();
        while !self.log().contains(line) {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended:\n{}", self.log());
            assert!(begun.elapsed() < PATIENCE, "not {line:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Alone {
    /// Standard input stays open meanwhile: its end would be another reason to end.
    fn wait_for_end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it did not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn systemd_is_told_of_readiness_of_life_and_of_the_end() {
    let scratch = Scratch::new("holdfast-notify").unwrap();
    let path = scratch.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).expect("something to be told");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")];
    let mut node = Alone::start(&[], &environment);
    // The first sign of life may come before the ports are announced.
    let mut first: Vec<String> = (0..4).map(|_| heard()).collect();
    first.retain(|said| said != "WATCHDOG=1");
    assert_eq!(first, ["READY=1"]);
    let pid = node.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    while heard() != "STOPPING=1" {}
    let ended = node.wait_for_end();
    assert!(ended.success(), "{}", node.log());
}

/// The system calls that the unit allows: what it lists, without what it lists behind `~`.
fn allowed() -> Option<BTreeSet<String>> {
    let unit = fs::read_to_string(deploy("holdfast.service")).unwrap();
    let (mut allowed, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for list in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (set, list) = match list.strip_prefix('~') {
            Some(list) => (&mut refused, list),
            None => (&mut allowed, list),
        };
        for name in list.split(' ') {
            set.append(&mut expanded(name)?);
        }
    }
    // Allowed in every filter, so that a process can run at all.
    allowed.append(&mut expanded("@default")?);
    Some(allowed.difference(&refused).cloned().collect())
}

/// A set of system calls with all sets in it.
fn expanded(name: &str) -> Option<BTreeSet<String>> {
    let (passed, text) = said("systemd-analyze", &["syscall-filter", name])?;
    assert!(passed, "{text}");
    let mut calls = BTreeSet::new();
    for word in text.lines().skip(1).map(str::trim).filter(|word| !word.starts_with('#')) {
        match word.starts_with('@') {
            true => calls.append(&mut expanded(word)?),
            false => drop(calls.insert(word.to_owned())),
        }
    }
    Some(calls)
}

/// A node that starts, forms a cluster and ends makes no system call that the unit refuses it.
#[test]
fn a_node_makes_no_system_call_that_the_unit_refuses() {
    let Some(allowed) = allowed() else { return };
    let Some((true, _)) = said("strace", &["-f", "-o", "/dev/null", "true"]) else {
        eprintln!("SKIPPED: this machine lets nobody trace system calls");
        return;
    };
    let scratch = Scratch::new("holdfast-strace").unwrap();
    let traced = scratch.path().join("calls");
    let mut node = Alone::start(&["strace", "-f", "-qq", "-o", traced.to_str().unwrap()], &[]);
    node.wait_for("serving");
    let cluster = node.scratch.path().join("cluster");
    let address = |n: usize| node._port[n].address().to_string();
    let formed = Command::new(binary())
        .args(["admin", "bootstrap", &address(1), "--allow-single-dc", "--wallet-groups", "1"])
        .args(["--endpoints", &format!("https://{}", address(0))])
        .args(["--ca", cluster.join("ca.pem").to_str().unwrap()])
        .args(["--cert", cluster.join("operator.pem").to_str().unwrap()])
        .args(["--key", cluster.join("operator.key").to_str().unwrap()])
        .output()
        .unwrap();
    assert!(formed.status.success(), "{}", String::from_utf8_lossy(&formed.stderr));
    // The node is the first that strace saw.
    let text = fs::read_to_string(&traced).unwrap();
    let pid = text.split(' ').next().unwrap();
    assert!(Command::new("kill").args(["-TERM", pid]).status().unwrap().success());
    node.wait_for_end();

    let text = fs::read_to_string(&traced).unwrap();
    let calls: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(_pid, rest)| rest.trim_start().split_once('('))
        .map(|(name, _)| name.to_owned())
        .filter(|name| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
        .collect();
    assert!(calls.contains("fdatasync") && calls.contains("accept4"), "it worked: {calls:?}");
    let refused: Vec<_> = calls.difference(&allowed).collect();
    assert!(refused.is_empty(), "the unit refuses {refused:?}");
}
