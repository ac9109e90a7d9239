//! `holdfast node`: one node, until a signal ends it.

use crate::failure::Failure;
use clap::ValueEnum;
use server::{
    config::Config,
    run::{self, Ending},
    settings::LogFormat,
    telemetry,
};
use std::path::PathBuf;

/// Arguments of `holdfast node`.
#[derive(Debug, clap::Args)]
pub(crate) struct NodeArgs {
    /// The configuration file; `deploy/config.example.toml` explains every setting.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How log lines look, whatever the configuration says: for people, or one JSON object (Elastic
    /// Common Schema) on each line.
    #[arg(long, value_name = "FORMAT")]
    log: Option<Lines>,
    /// End at once when standard input does, which is when the process that started this one ends.
    #[arg(long, hide = true)]
    with_parent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lines {
    Plain,
    Json,
}

pub(crate) async fn run(args: NodeArgs) -> Result<(), Failure> {
    let mut json = args.log == Some(Lines::Json);
    let mut name = String::new();
    let ended = serve(args, &mut json, &mut name).await;
    ended.map_err(|failure| {
        if !json {
            return failure;
        }
        telemetry::say_end(&name, &failure.message());
        failure.told()
    })
}

async fn serve(args: NodeArgs, json: &mut bool, name: &mut String) -> Result<(), Failure> {
    let mut config = Config::load(&args.config)?;
    match args.log {
        Some(Lines::Plain) => config.log.format = LogFormat::Plain,
        Some(Lines::Json) => config.log.format = LogFormat::Json,
        None => *json = config.log.format == LogFormat::Json,
    }
    name.clone_from(&config.identity.name);
    let telemetry = telemetry::init(&config).map_err(Failure::usage)?;
    if args.with_parent {
        server::drain::end_with_parent();
    }
    let ended = run::run(config).await.map_err(|error| match error.ending() {
        Ending::Usage => Failure::usage(error),
        Ending::Refused => Failure::refused(error),
        Ending::Damaged => Failure::integrity(error),
        Ending::Unavailable => Failure::unavailable(error),
    });
    telemetry.end().await;
    ended
}
