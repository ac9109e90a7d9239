//! The `jepsen` command. Exit codes: 0 pass, 1 fail, 2 unknown; what cannot be read is unknown.

mod args;

use args::{Args, Command, Network, RunArgs};
use clap::Parser;
use jepsen::{
    check::{self, Check},
    history::History,
    judge,
    nemesis::Nemesis,
    run::{self, Options, Outcome},
    verdict::Verdict,
    workload::Access,
};
use server::cluster::Description;
use std::{
    error::Error,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    let verdict = match Args::parse().command {
        Command::Run(args) => run(&args),
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

fn run(args: &RunArgs) -> Result<Verdict, Failure> {
    let options = Options {
        workloads: args.workload.0.clone(),
        nemesis: args.nemesis,
        length: Duration::from_secs(args.seconds),
        seed: args.seed,
        nodes: args.nodes,
        proxy: args.network == Network::Proxy,
        program: program(args.program.as_deref())?,
        out: std::path::absolute(&args.out)?,
    };
    let outcome = match &args.against {
        None => run::run(&options)?,
        Some(_) if args.nemesis != Nemesis::None => {
            return Err("a cluster that exists is not harmed: leave --nemesis away".into());
        }
        Some(config) => run::against(&options, existing(config)?)?,
    };
    show(&options, &outcome)?;
    Ok(outcome.verdict)
}

fn show(options: &Options, outcome: &Outcome) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for judgement in &outcome.judgements {
        writeln!(out, "{:<10} {}", judgement.name, judgement.verdict.word())?;
        for reason in judgement.verdict.reasons() {
            writeln!(out, "           {reason}")?;
        }
    }
    writeln!(
        out,
        "{}: nemesis {}, {} s, seed {}, network {}; {}",
        outcome.verdict.word(),
        options.nemesis.name(),
        options.length.as_secs(),
        options.seed,
        outcome.network,
        outcome.history.display(),
    )?;
    if outcome.verdict != Verdict::Pass {
        writeln!(
            out,
            "everything is in {}; again: {}",
            options.out.display(),
            judge::repeat(options)
        )?;
    }
    Ok(())
}

/// The `holdfast` that is named, or the one beside this program.
fn program(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let found = match named {
        Some(named) => std::path::absolute(named)?,
        None => std::env::current_exe()?.with_file_name("holdfast"),
    };
    match found.is_file() {
        true => Ok(found),
        false => Err(format!(
            "{} is missing; build it first: cargo build --release -p cli",
            found.display()
        )
        .into()),
    }
}

/// How a cluster that exists is reached.
fn existing(config: &Path) -> Result<Access, Failure> {
    let dir = match config.is_dir() {
        true => config,
        false => config.parent().unwrap_or(Path::new(".")),
    };
    let description = Description::load(dir)?;
    Ok(Access {
        ca_pem: fs::read_to_string(&description.ca)?,
        names: description.nodes.into_iter().map(|node| node.name).collect(),
        endpoints: description.endpoints,
    })
}

fn judge(path: &Path) -> Result<Verdict, Failure> {
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
