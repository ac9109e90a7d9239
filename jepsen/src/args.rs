//! The command line of the harness.

use clap::{Parser, Subcommand, ValueEnum};
use jepsen::{nemesis::Nemesis, workload::Workload};
use std::path::PathBuf;

/// Chaos for Holdfast: real node processes, faults from a seed, checkers.
///
/// Exit codes: 0 pass, 1 fail, 2 unknown, which is not a pass.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs workloads under faults on a new cluster, and judges what was seen.
    Run(RunArgs),
    /// Runs all workloads under one nemesis after the other, and adds it all up.
    Campaign(CampaignArgs),
    /// Writes the pages about runs that were: of one history, one run, or a campaign.
    Report {
        /// A history, or a directory that a run or a campaign left.
        of: PathBuf,
    },
    /// Judges a history that was written before.
    Check {
        /// A file of JSON lines, as history.md has them.
        history: PathBuf,
    },
}

#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// Workloads, with commas between them, or `all`.
    #[arg(long, value_name = "NAMES", default_value = "all", value_parser = workloads)]
    pub(crate) workload: Workloads,
    /// Faults.
    #[arg(long, value_name = "NAME", default_value = "none")]
    pub(crate) nemesis: Nemesis,
    /// How long clients work.
    #[arg(long, value_name = "S", default_value_t = 30)]
    pub(crate) seconds: u64,
    /// From which plan and workloads follow.
    #[arg(long, value_name = "X", default_value_t = 1)]
    pub(crate) seed: u64,
    /// A new directory for history, verdicts, and, of a run that did not pass, logs and data.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// 3 in three data centres, or 5 as two, two and one.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = nodes)]
    pub(crate) nodes: usize,
    /// How packets travel. `auto` takes the switch where it is to be had.
    #[arg(long, value_name = "KIND", default_value = "auto")]
    pub(crate) network: Network,
    /// A cluster that exists, in place of a new one: the directory of `holdfast dev --dir`, or the
    /// `cluster.json` in it. Nothing is injected then.
    #[arg(long, value_name = "CONFIG")]
    pub(crate) against: Option<PathBuf>,
    /// The `holdfast` to run; otherwise the one beside this program.
    #[arg(long, value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct CampaignArgs {
    /// Faults, with commas between them; otherwise every kind.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) nemesis: Vec<Nemesis>,
    /// How long clients work in each run.
    #[arg(long, value_name = "M", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    pub(crate) minutes: u64,
    /// The same in seconds, for runs of less than a minute.
    #[arg(long, value_name = "S", conflicts_with = "minutes", value_parser = clap::value_parser!(u64).range(10..=86_400))]
    pub(crate) seconds: Option<u64>,
    /// From which the seed of each run follows: the place of its nemesis is added.
    #[arg(long, value_name = "X")]
    pub(crate) seed: u64,
    /// A new directory for everything.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// 3 in three data centres, or 5 as two, two and one.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = nodes)]
    pub(crate) nodes: usize,
    /// How packets travel. `auto` takes the switch where it is to be had.
    #[arg(long, value_name = "KIND", default_value = "auto")]
    pub(crate) network: Network,
    /// A nemesis whose faults cannot be had on this machine is told and counted as skipped, and does not
    /// make the whole unknown.
    #[arg(long)]
    pub(crate) allow_skipped: bool,
    /// A file to which a row about the campaign is added.
    #[arg(long, value_name = "FILE")]
    pub(crate) runs_file: Option<PathBuf>,
    /// The `holdfast` to run; otherwise the one beside this program.
    #[arg(long, value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Network {
    /// The switch, or else the proxy.
    Auto,
    /// The proxy.
    Proxy,
}

/// Some of the workloads.
#[derive(Clone, Debug)]
pub(crate) struct Workloads(pub(crate) Vec<Workload>);

fn workloads(text: &str) -> Result<Workloads, String> {
    if text == "all" {
        return Ok(Workloads(Workload::ALL.to_vec()));
    }
    let each = text.split(',').map(|name| Workload::from_str(name.trim(), false));
    let mut chosen = each.collect::<Result<Vec<_>, _>>()?;
    chosen.sort_unstable();
    chosen.dedup();
    Ok(Workloads(chosen))
}

fn nodes(text: &str) -> Result<usize, String> {
    match text {
        "3" => Ok(3),
        "5" => Ok(5),
        _ => Err("3 or 5".to_owned()),
    }
}
