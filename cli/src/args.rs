//! The command line as a whole. Each command's own arguments stand beside the command.

use crate::{bench::BenchArgs, command, demo::DemoArgs};
use clap::{Parser, Subcommand};

/// Keeps digital-identity wallets: sealed on the device, replicated across data centres, readable
/// by nobody else.
///
/// Exit codes: 0 done, 1 refused, 2 usage, 3 unavailable, 4 integrity violation detected.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Args {
    /// Write results as JSON, one object on each line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show everything at once: a cluster, real credentials, the death of a leader, recovery.
    Demo(DemoArgs),
    /// Run a whole cluster of node processes on this machine, until Ctrl-C.
    Dev(command::dev::DevArgs),
    /// Prepare a cluster on real hosts.
    Cluster(command::cluster::ClusterArgs),
    /// Run one node.
    Node(command::node::NodeArgs),
    /// Use a wallet from this device.
    Wallet(command::wallet::WalletArgs),
    /// Operate a cluster, with an operator's certificate.
    Admin(command::admin::AdminArgs),
    /// Measure a cluster.
    Bench(BenchArgs),
}
