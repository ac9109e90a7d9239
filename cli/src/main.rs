//! The `holdfast` command: reads its arguments, runs one command, ends with an exit code that
//! scripts can rely on (0 done, 1 refused, 2 usage, 3 unavailable, 4 integrity violation).

mod args;
mod bench;
mod command;
mod demo;
mod failure;
mod output;
mod passphrase;

use args::{Args, Command};
use clap::Parser;
use failure::Failure;
use output::Output;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    let output = Output::new(args.json);
    match run(args, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.failure(&failure),
    }
}

fn run(args: Args, output: &Output) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match args.command {
            Command::Demo(args) => demo::run(args, output).await,
            Command::Dev(args) => command::dev::run(args, output).await,
            Command::Cluster(args) => command::cluster::run(args, output),
            Command::Node(args) => command::node::run(args).await,
            Command::Wallet(args) => command::wallet::run(args, output).await,
            Command::Admin(args) => command::admin::run(args, output).await,
            Command::Bench(args) => bench::run(args, output).await,
        }
    })
}
