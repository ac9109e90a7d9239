//! The wall clock of a node: turned by libfaketime. Its monotonic clock runs on as it is, as the one of a
//! machine does whose wall clock is set.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Skipped;

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
