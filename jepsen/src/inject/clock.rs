//! The clocks of a node. Its wall clock is turned by libfaketime, while its monotonic clock runs on as it is, as
//! the one of a machine does whose wall clock is set. A monotonic clock that begins elsewhere, as after a restart
//! of the machine, is that of a time namespace.

use std::{
    fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{Skipped, cannot_start};

/// The clock of one node.
#[derive(Clone, Debug)]
pub struct Clock(PathBuf);

impl Clock {
    /// A clock that is right, by a file that says how it is turned.
    ///
    /// # Errors
    /// libfaketime is not there, or the file cannot be written.
    pub fn right(file: PathBuf) -> Result<Clock, Skipped> {
        if library().is_none() {
            return Err(Skipped("there is no libfaketime (Debian: faketime)".to_owned()));
        }
        let clock = Clock(file);
        clock.set_right().map_err(|error| Skipped(format!("{}: {error}", clock.0.display())))?;
        Ok(clock)
    }

    /// It is right again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_right(&self) -> io::Result<()> {
        self.turn(0)
    }

    /// Turns it by so many milliseconds. A clock that drifts is turned a little every moment: libfaketime has
    /// speeds too, but changes how long the process sleeps with them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn turn(&self, ms: i64) -> io::Result<()> {
        let sign = if ms < 0 { '-' } else { '+' };
        let by = format!("{sign}{}.{:03}", ms.unsigned_abs() / 1_000, ms.unsigned_abs() % 1_000);
        // As a whole: the node reads it at any moment.
        let new = self.0.with_extension("new");
        fs::write(&new, by)?;
        fs::rename(new, &self.0)
    }

    /// What stands before a program in a shell, so that it reads this clock.
    pub fn environment(&self) -> String {
        let library = library().unwrap_or_default();
        format!(
            "LD_PRELOAD={} FAKETIME_TIMESTAMP_FILE={} FAKETIME_NO_CACHE=1 \
             FAKETIME_DONT_FAKE_MONOTONIC=1",
            library.display(),
            self.0.display(),
        )
    }
}

/// Where Debian puts it, for whichever machine.
fn library() -> Option<PathBuf> {
    let machines = fs::read_dir("/usr/lib").ok()?.flatten();
    let in_each = machines.map(|dir| dir.path().join("faketime/libfaketime.so.1"));
    in_each.into_iter().find(|path: &PathBuf| Path::exists(path))
}

/// How far monotonic clocks are ahead in a [`Boot`]: ten years, for which no machine has run.
pub const AHEAD: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Another boot: programs that are started in it read monotonic clocks that are [`AHEAD`]. A process that is in
/// it when this is dropped stays there.
pub struct Boot {
    holder: Child,
}

impl Boot {
    /// Makes one.
    ///
    /// # Errors
    /// Time namespaces are not to be had.
    pub fn new() -> Result<Boot, Skipped> {
        let ahead = AHEAD.as_secs().to_string();
        let mut command = Command::new("unshare");
        command.args(["--time", "--monotonic", &ahead, "--boottime", &ahead]);
        command.args(["sh", "-c", "echo made; exec sleep 3600"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let holder = command.spawn().map_err(|error| cannot_start("unshare", &error))?;
        let mut boot = Boot { holder };
        let mut said = String::new();
        let out = boot.holder.stdout.take().map(BufReader::new);
        let read = out.map(|mut out| out.read_line(&mut said));
        match (read, said.as_str()) {
            (Some(Ok(_)), "made\n") => Ok(boot),
            _ => Err(Skipped("unshare makes no time namespace here; as root it may".to_owned())),
        }
    }

    /// What stands before a program, so that it starts in it.
    pub fn enter(&self) -> String {
        format!("nsenter --time=/proc/{}/ns/time_for_children", self.holder.id())
    }

    /// Whether a process is in another boot than this one of the harness.
    pub fn is_elsewhere(pid: u32) -> bool {
        let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/time")).ok();
        of(&pid.to_string()).is_some_and(|namespace| of("self") != Some(namespace))
    }
}

impl Drop for Boot {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
