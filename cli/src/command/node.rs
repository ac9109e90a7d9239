//! `holdfast node`: one node, until a signal ends it.

use crate::failure::Failure;
use server::{
    config::Config,
    run::{self, Ending},
};
use std::path::PathBuf;

/// Arguments of `holdfast node`.
#[derive(Debug, clap::Args)]
pub(crate) struct NodeArgs {
    /// The configuration file; `deploy/config.example.toml` explains every setting.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// End at once when standard input does, which is when the process that started this one ends.
    #[arg(long, hide = true)]
    with_parent: bool,
}

pub(crate) async fn run(args: NodeArgs) -> Result<(), Failure> {
    let config = Config::load(&args.config)?;
    server::telemetry::init(&config.log);
    if args.with_parent {
        server::drain::end_with_parent();
    }
    run::run(config).await.map_err(|error| match error.ending() {
        Ending::Usage => Failure::usage(error),
        Ending::Refused => Failure::refused(error),
        Ending::Damaged => Failure::integrity(error),
        Ending::Unavailable => Failure::unavailable(error),
    })
}
