//! A node of the release after this one, as far as a cluster sees it: it knows one format level more, and
//! what it does anew from that level on is to drain nodes.
//!
//! It is built from the product, which has no switch for this: the level is what the program that runs a
//! node says of itself.

use std::{path::PathBuf, process::ExitCode};

use server::{config::Config, run, telemetry};
use store::{
    Command,
    command::SystemCommand,
    formats::{FIRST_LEVEL, LEVEL, Levels},
};
use types::NodeState;

fn since(command: &Command) -> u8 {
    let drains = matches!(command, Command::System(_, act)
        if matches!(**act, SystemCommand::SetNodeState { state: NodeState::Draining, .. }));
    if drains { LEVEL + 1 } else { FIRST_LEVEL }
}

fn main() -> ExitCode {
    // `node --config FILE --with-parent`, as nodes of tests are started.
    let config = std::env::args().skip_while(|word| word != "--config").nth(1).map(PathBuf::from);
    let runtime = tokio::runtime::Runtime::new();
    let (Some(config), Ok(runtime)) = (config, runtime) else { return ExitCode::from(2) };
    runtime.block_on(async {
        let Ok(config) = Config::load(&config) else { return ExitCode::from(2) };
        let Ok(telemetry) = telemetry::init(&config) else { return ExitCode::from(2) };
        server::drain::end_with_parent();
        let ended = run::run_with(config, Levels { known: LEVEL + 1, since }).await;
        telemetry.end().await;
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "ended");
                ExitCode::FAILURE
            }
        }
    })
}
