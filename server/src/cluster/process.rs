//! One `holdfast node` process: started, watched, killed, stopped.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::OpenOptions,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Between two looks at a process that is about to end.
const LOOK: Duration = Duration::from_millis(5);

/// How a node process is tied to the one that started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// The node ends when its starter does, however that ended.
    EndsWithStarter,
    /// The node goes on.
    Outlives,
}

/// What could not be done to a node process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program could not be started.
    #[error("{} cannot be started: {source}", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log file could not be opened.
    #[error("{} cannot be written: {source}", file.display())]
    NoLog {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It ended although nobody asked it to.
    #[error("node {name} ended by itself ({status}); the end of its log {} is: {tail}", log.display())]
    Ended {
        /// The node.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// It did not end in time.
    #[error("node {name} (pid {pid}) did not end within {} s; it was killed", waited.as_secs())]
    Stuck {
        /// The node.
        name: String,
        /// Its process.
        pid: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The system refused to signal or to wait.
    #[error("node {name} (pid {pid}) cannot be signalled: {source}")]
    NoSignal {
        /// The node.
        name: String,
        /// Its process.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

/// A running node. Dropping it kills the process, unless it was started to outlive its starter.
pub struct NodeProcess {
    name: String,
    child: Child,
    log: PathBuf,
    tie: Tie,
}

impl NodeProcess {
    /// Starts `program node --config FILE`, with everything it says appended to `log`.
    ///
    /// # Errors
    /// The program or the log file cannot be opened.
    pub fn start(
        program: &Path,
        name: &str,
        config: &Path,
        log: &Path,
        tie: Tie,
    ) -> Result<NodeProcess, ProcessError> {
        let open = || OpenOptions::new().create(true).append(true).open(log);
        let no_log = |source| ProcessError::NoLog { file: log.to_path_buf(), source };
        let out = open().map_err(no_log)?;
        let err = out.try_clone().map_err(no_log)?;
        let mut command = Command::new(program);
        command.arg("node").arg("--config").arg(config).stdout(out).stderr(err);
        // A group of its own: Ctrl-C on the terminal reaches the starter only, which then decides.
        command.process_group(0);
        match tie {
            // Nothing is ever written to this pipe. Its end is how the node learns that the
            // starter is gone, also when that was killed and could not say so.
            Tie::EndsWithStarter => command.arg("--with-parent").stdin(Stdio::piped()),
            Tie::Outlives => command.stdin(Stdio::null()),
        };
        let child = command.spawn().map_err(|source| ProcessError::NotStarted {
            program: program.to_path_buf(),
            source,
        })?;
        Ok(NodeProcess { name: name.to_owned(), child, log: log.to_path_buf(), tie })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file with everything the process said.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// An error if the process has ended, with the end of its log.
    ///
    /// # Errors
    /// It has ended.
    pub fn check_running(&mut self) -> Result<(), ProcessError> {
        match self.exited()? {
            None => Ok(()),
            Some(status) => Err(ProcessError::Ended {
                name: self.name.clone(),
                status,
                log: self.log.clone(),
                tail: tail(&self.log),
            }),
        }
    }

    /// How the process ended, if it has.
    ///
    /// # Errors
    /// The system refuses to say.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>, ProcessError> {
        self.child.try_wait().map_err(|source| self.no_signal(source))
    }

    /// SIGKILL, and waits until the process is gone.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(&mut self) -> Result<(), ProcessError> {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .map_err(|source| self.no_signal(source))?;
        Ok(())
    }

    /// Sends SIGKILL without waiting, so that several processes can be killed at one moment.
    ///
    /// # Errors
    /// The system refuses.
    pub fn send_kill(&mut self) -> Result<(), ProcessError> {
        self.child.kill().map_err(|source| self.no_signal(source))
    }

    /// Sends a signal, for example to stop a process and let it go on.
    ///
    /// # Errors
    /// The system refuses, or the process has ended.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let sent = match pid {
            Some(pid) => kill_process(pid, signal).map_err(io::Error::from),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        sent.map_err(|source| self.no_signal(source))
    }

    /// SIGTERM, and waits for the node to drain and end.
    ///
    /// # Errors
    /// It did not end in time, and was killed.
    pub async fn stop(&mut self, within: Duration) -> Result<ExitStatus, ProcessError> {
        if let Some(status) = self.exited()? {
            return Ok(status);
        }
        self.signal(Signal::TERM)?;
        let since = Instant::now();
        loop {
            if let Some(status) = self.exited()? {
                return Ok(status);
            }
            if since.elapsed() > within {
                self.kill()?;
                let (name, pid) = (self.name.clone(), self.pid());
                return Err(ProcessError::Stuck { name, pid, waited: within });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// CPU time that the process has used so far, in user and in system mode together.
    ///
    /// # Errors
    /// The process is gone, or this system has no `/proc`.
    pub fn cpu(&self) -> io::Result<Duration> {
        cpu_of(self.child.id())
    }

    fn no_signal(&self, source: io::Error) -> ProcessError {
        ProcessError::NoSignal { name: self.name.clone(), pid: self.child.id(), source }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        if self.tie == Tie::EndsWithStarter {
            // Already gone is as good as killed; nobody is left to tell about anything else.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// CPU time of a process, from `/proc/PID/stat` (proc(5): fields 14 and 15, in clock ticks).
///
/// # Errors
/// There is no such process, or this system has no `/proc`.
pub fn cpu_of(pid: u32) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let unreadable =
        || io::Error::new(io::ErrorKind::InvalidData, "/proc/PID/stat is not as proc(5) says");
    // The second field is the program's name in brackets, and may contain anything.
    let (_, rest) = stat.rsplit_once(')').ok_or_else(unreadable)?;
    let ticks = |n: usize| -> io::Result<u64> {
        let field = rest.split_ascii_whitespace().nth(n - 3).ok_or_else(unreadable)?;
        field.parse().map_err(|_| unreadable())
    };
    let total = ticks(14)? + ticks(15)?;
    Ok(Duration::from_millis(total * 1_000 / rustix::param::clock_ticks_per_second()))
}

/// The last lines of a log, in one line.
fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
