//! Running the binary.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_holdfast"))
}

/// Whether recorded outputs shall be written anew.
pub(crate) fn bless() -> bool {
    std::env::var_os("HOLDFAST_BLESS").is_some()
}

/// How a run ended.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// The last line of its output, as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let line = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {}{}", self.out, self.err))
    }

    /// The run, which must have succeeded.
    pub(crate) fn done(self) -> Run {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }
}

/// Runs the program to its end, without a terminal and with nothing of the caller's environment
/// that could change what it does.
pub(crate) fn holdfast<Arg: AsRef<OsStr>>(args: impl IntoIterator<Item = Arg>) -> Run {
    holdfast_with(&[], args)
}

/// The same with this in its environment.
pub(crate) fn holdfast_with<Arg: AsRef<OsStr>>(
    environment: &[(&str, &str)],
    args: impl IntoIterator<Item = Arg>,
) -> Run {
    let mut command = Command::new(binary());
    for name in ["PROFILE", "ENDPOINTS", "CA", "CERT", "KEY"] {
        command.env_remove(format!("HOLDFAST_{name}"));
    }
    command.args(args).stdin(Stdio::null()).envs(environment.iter().copied()).env("COLUMNS", "100");
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A local cluster of `holdfast dev`, which ends with this.
pub(crate) struct Dev {
    child: Child,
    out: BufReader<ChildStdout>,
    /// The first line that it said.
    pub(crate) described: serde_json::Value,
    /// Where it lives.
    pub(crate) dir: PathBuf,
}

impl Dev {
    /// Starts it in a directory and waits for its first line, which comes when it is formed.
    pub(crate) fn start(nodes: usize, dir: &Path) -> Dev {
        let mut child = Command::new(binary())
            .args(["dev", "--json", "--nodes", &nodes.to_string(), "--dir"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let described = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line:?}"));
        Dev { child, out, described, dir: dir.to_path_buf() }
    }

    /// What every wallet command needs to reach it.
    pub(crate) fn reach(&self) -> [String; 4] {
        let endpoints = self.described["endpoints"].as_array().unwrap();
        let endpoints: Vec<&str> = endpoints.iter().map(|url| url.as_str().unwrap()).collect();
        let ca = self.described["ca"].as_str().unwrap();
        ["--endpoints".into(), endpoints.join(","), "--ca".into(), ca.into()]
    }

    /// SIGTERM, and its exit code.
    pub(crate) fn stop(mut self) -> i32 {
        terminate(self.child.id());
        let mut rest = String::new();
        while self.out.read_line(&mut rest).unwrap() > 0 {}
        assert_eq!(rest, "", "nothing follows the description");
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Its nodes end with it: they notice that their starter is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that goes on until it is told to end.
pub(crate) struct Lasting {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Lasting {
    pub(crate) fn start<'a>(args: impl IntoIterator<Item = &'a str>) -> Lasting {
        let mut child = Command::new(binary())
            .args(args)
            .env_remove("HOLDFAST_PROFILE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Lasting { child, out }
    }

    /// What it says next, as JSON.
    pub(crate) fn next(&mut self) -> serde_json::Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line:?}"))
    }

    /// Ctrl-C, and its exit code.
    pub(crate) fn interrupt(mut self) -> i32 {
        signal("INT", self.child.id());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends SIGTERM.
pub(crate) fn terminate(pid: u32) {
    signal("TERM", pid);
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap();
    assert!(sent.success(), "kill -{name} {pid}");
}
