//! System calls of a node that runs, made slow or made to fail: by strace.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use super::{Skipped, cannot_start};

/// The calls by which a database makes bytes durable.
pub const SYNCS: &str = "fsync,fdatasync";

/// strace on a running process, which injects something into its system calls. Ends when dropped.
#[derive(Debug)]
pub struct Injected(Child);

impl Injected {
    /// Attaches to every thread of a process. `calls` and `what` as strace's `inject` has them, for example
    /// `error=EIO` or `delay_enter=200000`.
    ///
    /// # Errors
    /// strace is not there, or may not attach.
    pub fn into(pid: u32, calls: &str, what: &str) -> Result<Injected, Skipped> {
        let mut child = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}")])
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
        Ok(Injected(child))
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        // SIGTERM, so that it lets go of the process; SIGKILL would leave its threads stopped.
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").arg(&pid).status();
        let _ = self.0.wait();
    }
}
