//! `holdfast demo`: the whole of it in one walk, on a real cluster of node processes.
//!
//! Each step shows one thing and fails if it does not hold. Nothing is left behind, unless `--keep`
//! leaves the cluster running.

mod compare;
mod failover;
mod issuer;
mod outage;
mod second_device;
mod stage;
mod theatre;

use crate::{failure::Failure, output::Output};
use anyhow::anyhow;
use stage::Stage;
use theatre::Theatre;
use tokio::signal::unix::{SignalKind, signal};

/// Arguments of `holdfast demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Leave the cluster running at the end, and say how to use it.
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn run(args: DemoArgs, output: &Output) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut stage = Stage::new(*output);
    let walked = tokio::select! {
        walked = walk(&mut stage, args.keep) => walked,
        _ = terminate.recv() => Err(Failure::refused(anyhow!("interrupted by SIGTERM"))),
        _ = interrupt.recv() => Err(Failure::refused(anyhow!("interrupted by Ctrl-C"))),
    };
    match walked {
        Ok(theatre) => {
            let kept = theatre.close()?;
            stage.succeeded(kept.as_ref());
            Ok(())
        }
        Err(failure) => {
            stage.failed(&failure);
            Err(failure)
        }
    }
}

async fn walk(stage: &mut Stage, keep: bool) -> Result<Theatre, Failure> {
    let mut theatre = stage.step("cluster", Theatre::open(keep)).await?;
    stage.step("credentials", theatre.issue()).await?;
    stage.step("wallet", theatre.create_wallet()).await?;
    stage.step("push", theatre.push_credentials()).await?;
    stage.step("failover", theatre.kill_leader_while_pushing()).await?;
    stage.step("recovery", theatre.recover_on_device_two()).await?;
    stage.step("revocation", theatre.revoke_device_one()).await?;
    stage.step("catch-up", theatre.restart_killed_node()).await?;
    stage.step("revoked there too", theatre.ask_restarted_node()).await?;
    stage.step("outage", theatre.kill_all_and_restart()).await?;
    stage.step("comparison", theatre.compare_again()).await?;
    Ok(theatre)
}
