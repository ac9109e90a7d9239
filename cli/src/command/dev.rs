//! `holdfast dev`: a real cluster of node processes on loopback, until Ctrl-C.

use crate::{failure::Failure, output::Output};
use server::cluster::{Cluster, Description, Options, Scratch};
use std::{path::PathBuf, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// How long a node may take to drain when the cluster stops.
const STOP_WITHIN: Duration = Duration::from_secs(15);
/// Between two looks at whether all nodes still run.
const LOOK: Duration = Duration::from_millis(500);

/// Arguments of `holdfast dev`.
#[derive(Debug, clap::Args)]
pub(crate) struct DevArgs {
    /// Nodes: 1; 3 in three data centres; or 5 as two, two and one.
    #[arg(long, value_name = "N", default_value = "3", value_parser = ["1", "3", "5"])]
    nodes: String,
    /// Where the cluster lives. It stays there, and starts again from there. Without this it lives
    /// in a temporary directory and is gone at the end.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) async fn run(args: DevArgs, output: &Output) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let nodes = args.nodes.parse().unwrap_or(3);
    let program = std::env::current_exe()?;
    // Declared before the cluster, so that it goes after the nodes that live in it.
    let (dir, _scratch) = match &args.dir {
        Some(dir) => (dir.clone(), None),
        None => {
            let scratch = Scratch::new("holdfast-dev")?;
            (scratch.path().join("cluster"), Some(scratch))
        }
    };

    let mut cluster = tokio::select! {
        started = start(nodes, program, dir) => started?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    announce(&cluster.description(), output);

    let mut down = Vec::new();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = tokio::time::sleep(LOOK) => tell_ended(&mut cluster, &mut down, output)?,
        }
    }
    output.note("stopping: every node drains first; a second Ctrl-C ends them at once");
    let stopped = tokio::select! {
        stopped = cluster.stop(STOP_WITHIN) => stopped.map_err(Failure::from),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    if args.dir.is_some() {
        cluster.kill_all()?;
        cluster.keep();
    }
    stopped
}

async fn start(nodes: usize, program: PathBuf, dir: PathBuf) -> Result<Cluster, Failure> {
    if Description::load(&dir).is_ok() {
        return Ok(Cluster::reopen(&dir, program).await?);
    }
    Ok(Cluster::start(&Options::dev(nodes, program, dir)?).await?)
}

fn announce(cluster: &Description, output: &Output) {
    if output.is_json() {
        output.value(cluster);
        return;
    }
    for node in &cluster.nodes {
        output.line(format!(
            "{:<4} {:<4} {}  peer {}  pid {}  {}",
            node.name,
            node.dc,
            node.endpoint,
            node.peer,
            node.pid.unwrap_or_default(),
            node.dir.display()
        ));
    }
    let endpoints = cluster.endpoints.join(",");
    output.line(format!(
        "\nA wallet:    holdfast wallet create --profile ./phone --endpoints {endpoints} --ca {}\n\
         The cluster: holdfast admin status --dev {}\n\
         Ctrl-C ends it.",
        cluster.ca.display(),
        cluster.ca.parent().unwrap_or(&cluster.ca).display(),
    ));
}

/// Says once for each node that it has ended. It stays down: whoever killed it wants to see that.
fn tell_ended(
    cluster: &mut Cluster,
    down: &mut Vec<usize>,
    output: &Output,
) -> Result<(), Failure> {
    for n in cluster.running() {
        let Some(process) = cluster.node(n)?.process() else { continue };
        if let (Err(ended), false) = (process.check_running(), down.contains(&n)) {
            output.note(ended);
            down.push(n);
        }
    }
    Ok(())
}
