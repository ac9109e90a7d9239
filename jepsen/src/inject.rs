//! What is done to single nodes: their disks, their system calls, the bytes of their files, their clocks, and
//! what the machine gives them. Each says why it is not to be had where it is not.

pub mod bytes;
pub mod calls;
pub mod clock;
pub mod disk;
pub mod rations;

use std::{fmt, io, process::Command};

/// Why a fault cannot be had here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped(pub String);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// Runs a program of the system to its end.
fn run(command: &mut Command) -> Result<(), Skipped> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.output().map_err(|error| cannot_start(&name, &error))?;
    if done.status.success() {
        return Ok(());
    }
    Err(Skipped(format!("{name}: {}", String::from_utf8_lossy(&done.stderr).trim())))
}

fn cannot_start(name: &str, error: &io::Error) -> Skipped {
    Skipped(format!("{name} cannot be started: {error}"))
}
