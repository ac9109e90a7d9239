//! The `jepsen` command. Exit codes: 0 pass, 1 fail, 2 unknown; what cannot be read is unknown.

use clap::{Parser, Subcommand};
use jepsen::{
    check::{self, Check},
    history::History,
    verdict::Verdict,
};
use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Chaos for Holdfast.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Judges a history that was written before.
    Check {
        /// A file of JSON lines, as history.md has them.
        history: PathBuf,
    },
}

fn main() -> ExitCode {
    let verdict = match Args::parse().command {
        Command::Check { history } => judge(&history),
    };
    match verdict {
        Ok(verdict) => ExitCode::from(verdict.exit_code()),
        Err(error) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "jepsen: {}", chain(error.as_ref()));
            ExitCode::from(Verdict::Unknown(Vec::new()).exit_code())
        }
    }
}

fn judge(path: &std::path::Path) -> Result<Verdict, Box<dyn Error>> {
    let history = History::read(path)?;
    let checks = check::history(&history);
    let mut out = io::stdout().lock();
    for Check { name, verdict, wallets, operations, acknowledged } in &checks {
        writeln!(
            out,
            "{name}: {}, {wallets} wallets, {operations} operations, {acknowledged} acknowledged",
            verdict.word()
        )?;
        for reason in verdict.reasons() {
            writeln!(out, "  {reason}")?;
        }
    }
    let verdict = check::together(&checks);
    writeln!(out, "{}", verdict.word())?;
    Ok(verdict)
}

/// An error and its causes on one line.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
