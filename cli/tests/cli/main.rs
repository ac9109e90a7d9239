//! The program as a person or a script meets it: arguments, output, exit codes, files, signals.
//!
//! Everything here runs the binary itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod arguments;
mod device;
mod operator;
mod program;
mod real_hosts;
