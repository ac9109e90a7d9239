//! `holdfast node`: one node, until a signal ends it.

use crate::failure::Failure;
use clap::ValueEnum;
use server::{
    config::Config,
    run::{self, Ending},
    settings::LogFormat,
    telemetry,
};
use std::{os::unix::process::CommandExt, path::PathBuf, process::Command};

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

/// Becomes this program anew, in the same process, with the same arguments: nothing of this run is left.
/// Comes back only with the reason why that cannot be done.
fn begin_anew(error: run::RunError) -> Failure {
    let refused = match std::env::current_exe() {
        Ok(program) => Command::new(program).args(std::env::args_os().skip(1)).exec(),
        Err(refused) => refused,
    };
    Failure::unavailable(error).context(format!("cannot start itself: {refused}"))
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
    let ended = run::run(config).await;
    telemetry.end().await;
    ended.map_err(|error| match error.ending() {
        Ending::Again => begin_anew(error),
        Ending::Usage => Failure::usage(error),
        Ending::Refused => Failure::refused(error),
        Ending::Damaged => Failure::integrity(error),
        Ending::Unavailable => Failure::unavailable(error),
    })
}
