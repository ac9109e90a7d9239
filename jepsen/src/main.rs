//! The `jepsen` command. Exit codes: 0 pass, 1 fail, 2 unknown; what cannot be read is unknown.

mod args;

use args::{Args, CampaignArgs, Command, Network, RunArgs};
use clap::Parser;
use jepsen::{
    campaign::Campaign,
    check::{self, Check},
    history::History,
    inject::rations,
    judge,
    nemesis::Nemesis,
    program::Program,
    report::{self, Entry},
    run::{self, Existing, Options, Outcome},
    stop::{self, Stop},
    verdict::Verdict,
};
use std::{
    error::Error,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    let command = Args::parse().command;
    if matches!(command, Command::Run(_) | Command::Campaign(_)) {
        stop::own_mounts();
        rations::sweep();
    }
    let verdict = match command {
        Command::Run(args) => run(&args),
        Command::Campaign(args) => campaign(args),
        Command::Report { of } => report(&of),
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
        program: Program::find(args.program.as_deref())?,
        against: args.against.as_deref().map(std::path::absolute).transpose()?,
        out: std::path::absolute(&args.out)?,
    };
    let stop = Stop::by_signal(false)?;
    let outcome = match &options.against {
        None => run::run(&options, &stop.now)?,
        Some(_) if args.nemesis != Nemesis::None => {
            return Err("a cluster that exists is not harmed: leave --nemesis away".into());
        }
        Some(config) => run::against(&options, Existing::load(config)?, &stop.now)?,
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
    if let Some(note) = &outcome.note {
        writeln!(out, "the network was the proxy: {note}")?;
    }
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

fn campaign(args: CampaignArgs) -> Result<Verdict, Failure> {
    let mut nemeses = args.nemesis;
    if nemeses.is_empty() {
        nemeses = Nemesis::ALL.to_vec();
    }
    nemeses.sort_unstable();
    nemeses.dedup();
    let campaign = Campaign {
        nemeses,
        length: Duration::from_secs(args.seconds.unwrap_or(args.minutes * 60)),
        seed: args.seed,
        nodes: args.nodes,
        proxy: args.network == Network::Proxy,
        program: Program::find(args.program.as_deref())?,
        out: std::path::absolute(&args.out)?,
        allow_skipped: args.allow_skipped,
        runs_file: args.runs_file,
    };
    // Whoever cannot be told goes on all the same.
    let verdict = campaign.run(&Stop::by_signal(true)?, |entry| drop(tell(&campaign, entry)))?;
    let mut out = io::stdout().lock();
    for reason in verdict.reasons().iter().filter(|reason| reason.starts_with("Ended early")) {
        writeln!(out, "{reason}")?;
    }
    writeln!(out, "{}: {}", verdict.word(), campaign.out.join("summary.md").display())?;
    Ok(verdict)
}

/// A line about a run of a campaign, and all about one that did not pass.
fn tell(campaign: &Campaign, entry: &Entry) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let left = &entry.left;
    let count = entry.figures.as_ref().map(|figures| figures.all).unwrap_or_default();
    writeln!(
        out,
        "{:<11} {:<8} seed {}, network {}, {} operations, {} acknowledged",
        left.nemesis, left.verdict, left.seed, left.network, count.operations, count.ok
    )?;
    for reason in &left.skipped {
        writeln!(out, "            not to be had here: {reason}")?;
    }
    for (name, verdict) in left.checkers.iter().filter(|(_, verdict)| **verdict != Verdict::Pass) {
        writeln!(out, "            {name}: {}", verdict.word())?;
        for reason in verdict.reasons() {
            writeln!(out, "              {reason}")?;
        }
    }
    if left.verdict != "pass" && left.skipped.is_empty() {
        let dir = campaign.out.join(&entry.dir);
        writeln!(out, "            everything is in {}; again: {}", dir.display(), left.repeat)?;
    }
    Ok(())
}

fn report(of: &Path) -> Result<Verdict, Failure> {
    let mut out = io::stdout().lock();
    if of.is_dir() {
        let entries = report::directory(of)?;
        if entries.is_empty() {
            return Err(format!("{} holds no run and no campaign", of.display()).into());
        }
        writeln!(out, "{}", of.join("index.html").display())?;
        return Ok(report::together(&entries));
    }
    writeln!(out, "{}", report::history(of)?.display())?;
    Ok(Verdict::Pass)
}

fn judge(path: &Path) -> Result<Verdict, Failure> {
    let history = History::read(path)?;
    let checks = check::history(&history);
    let mut out = io::stdout().lock();
    for Check { name, verdict, wallets, operations, acknowledged, note } in &checks {
        let word = verdict.word();
        let note = note.as_ref().map(|note| format!(", {note}")).unwrap_or_default();
        writeln!(
            out,
            "{name}: {word}, {wallets} wallets, {operations} operations, {acknowledged} acknowledged{note}"
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
