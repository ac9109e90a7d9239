//! Checks of the workspace that cargo does not make: `cargo run -p xtask -- tidy`.

#![allow(clippy::print_stderr, reason = "a command line tool")]

mod tidy;

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => report(tidy::check(workspace())),
        _ => {
            eprintln!("usage: xtask tidy");
            ExitCode::from(2)
        }
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

fn report(result: anyhow::Result<Vec<String>>) -> ExitCode {
    match result {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in &findings {
                eprintln!("tidy: {finding}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("tidy: {error:#}");
            ExitCode::FAILURE
        }
    }
}
