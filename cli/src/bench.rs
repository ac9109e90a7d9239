//! `holdfast bench`: acknowledged pushes and verified pulls per second, and how long a new device
//! takes from nothing to a whole wallet.
//!
//! The clients are real ones: each seals, signs and verifies as a device does, with its local copy in
//! memory. They share this machine's processors with the nodes of the bench's own cluster, so both
//! sides' CPU time is reported.

mod load;
mod pull;
mod push;
mod report;
mod restore;
mod target;

use crate::{failure::Failure, output::Output};
use clap::Subcommand;
use load::Load;
use std::{path::PathBuf, time::Duration};
use target::Target;

/// Arguments of `holdfast bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    options: BenchOptions,
    #[command(subcommand)]
    workload: Workload,
}

/// What all workloads share.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Load and cluster")]
pub(crate) struct BenchOptions {
    /// Clients at once; each has a wallet of its own.
    #[arg(long, global = true, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    clients: u32,
    /// How long to measure, in seconds.
    #[arg(long, global = true, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Bytes of content in a record.
    #[arg(long, global = true, value_name = "B", default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..=250_000))]
    size: u64,
    /// Endpoints of a cluster to measure, with --ca; without both a cluster is started for this run.
    #[arg(long, global = true, value_name = "URL", value_delimiter = ',')]
    endpoints: Vec<String>,
    /// The authority of that cluster.
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Workload {
    /// Each client pushes one changed record after the other.
    Push,
    /// Each client pulls, linearizably, again and again.
    Pull,
    /// Each client recovers a wallet of 100 credentials from its code alone, and verifies all of it.
    Restore,
}

impl Workload {
    fn name(self) -> &'static str {
        match self {
            Workload::Push => "push",
            Workload::Pull => "pull",
            Workload::Restore => "restore",
        }
    }
}

pub(crate) async fn run(args: BenchArgs, output: &Output) -> Result<(), Failure> {
    let options = args.options;
    let name = args.workload.name();
    let mut target = Target::open(&options, output).await?;
    let load = Load {
        clients: usize::try_from(options.clients).unwrap_or(1),
        measure: Duration::from_secs(options.seconds),
        size: usize::try_from(options.size).unwrap_or(1_024),
    };
    output.say(format!(
        "{name}: {} clients, {} s, {} bytes",
        load.clients, options.seconds, load.size
    ));
    let measured = match args.workload {
        Workload::Push => push::run(&mut target, &load).await,
        Workload::Pull => pull::run(&mut target, &load).await,
        Workload::Restore => restore::run(&mut target, &load).await,
    };
    report::tell(name, &load, &measured?, output);
    Ok(())
}
