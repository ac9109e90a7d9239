//! System calls of a node that runs, made slow or made to fail: by strace.

use server::cluster::Scratch;
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use super::{Skipped, cannot_start};

/// The calls by which a database makes bytes durable.
pub const SYNCS: &str = "fsync,fdatasync";

/// strace on a running process, which injects something into its system calls. Ends when dropped.
pub struct Injected {
    strace: Child,
    scratch: Scratch,
}

/// What strace writes there about each call.
const CALLS: &str = "calls";
/// How it marks a call that it changed.
const MARKS: [&str; 2] = ["(INJECTED)", "(DELAYED)"];

impl Injected {
    /// Attaches to every thread of a process. `calls` and `what` as strace's `inject` has them, for example
    /// `error=EIO` or `delay_enter=200000`.
    ///
    /// # Errors
    /// strace is not there, or may not attach.
    pub fn into(pid: u32, calls: &str, what: &str) -> Result<Injected, Skipped> {
        let scratch = Scratch::new("holdfast-strace");
        let scratch = scratch.map_err(|error| Skipped(format!("a directory: {error}")))?;
        let mut child = Command::new("strace")
            .args(["-f", "-e", "signal=none", "-e", &format!("trace={calls}"), "-o"])
            .arg(scratch.path().join(CALLS))
            .args(["-e", &format!("inject={calls}:{what}"), "-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| cannot_start("strace", &error))?;
        // It says one line once it holds the process, or why it cannot.
        let mut said = String::new();
        let told = child.stderr.take().map(|stderr| {
            let mut lines = BufReader::new(stderr);
            let read = lines.read_line(&mut said);
            // Whatever else it says must not fill the pipe.
            std::thread::spawn(move || lines.lines().for_each(drop));
            read.is_ok()
        });
        if told != Some(true) || !said.contains("attached") {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Skipped(format!("strace cannot attach: {}", said.trim())));
        }
        Ok(Injected { strace: child, scratch })
    }

    /// Lets go of the process, and says how many calls were changed.
    pub fn taken_back(mut self) -> u64 {
        self.end();
        let calls = fs::read_to_string(self.scratch.path().join(CALLS)).unwrap_or_default();
        let changed = |line: &&str| MARKS.iter().any(|mark| line.contains(mark));
        calls.lines().filter(changed).count() as u64
    }

    fn end(&mut self) {
        // SIGTERM, so that it lets go of the process; SIGKILL would leave its threads stopped.
        let pid = self.strace.id().to_string();
        if let Ok(None) = self.strace.try_wait() {
            let _ = Command::new("kill").arg(&pid).status();
        }
        let _ = self.strace.wait();
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        self.end();
    }
}
