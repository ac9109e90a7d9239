//! Faults that need tools or rights: where the system does not allow one, the test says so and is skipped.

#![allow(clippy::print_stderr, reason = "a test that cannot run here says why")]

pub use jepsen::inject::{
    Skipped,
    calls::{Injected, SYNCS},
    disk::{LossyDisk, SmallDisk},
};

/// The fault, or none, with the reason printed.
pub fn or_skip<T>(fault: Result<T, Skipped>) -> Option<T> {
    fault.map_err(|reason| eprintln!("SKIPPED: {reason}")).ok()
}
