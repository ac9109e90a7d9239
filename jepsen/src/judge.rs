//! What the nodes themselves show after a run, and what is left of it.

use std::{fs, path::Path};

use crate::{
    inject::disk,
    left::Left,
    nemesis::Plan,
    run::{Options, Outcome},
    verdict::Verdict,
    workload::Planted,
    world::{Ended, World},
};

mod leaks;
mod lines;
mod promise;
mod repairs;
mod votes;

/// What one checker says.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Its name.
    pub name: String,
    /// What it says.
    pub verdict: Verdict,
}

impl Judgement {
    /// A checker's word.
    pub fn new(name: &str, verdict: Verdict) -> Judgement {
        Judgement { name: name.to_owned(), verdict }
    }
}

/// Judges what nodes left: their ends, their logs, their disks, their records of what was durable when.
///
/// What nodes forget or have to repair tells only where no fault of the plan harms bytes.
pub fn nodes(world: &World, plan: &Plan, planted: &Planted) -> Vec<Judgement> {
    let logs: Vec<(String, String, std::path::PathBuf)> = (0..world.count())
        .map(|node| {
            let of = &world.cluster.nodes()[node];
            (of.plan.name.clone(), of.plan.dc.clone(), of.log())
        })
        .filter(|(_, _, log)| log.exists())
        .collect();
    let mut judgements = vec![
        Judgement::new("ends", ends(world)),
        Judgement::new("panics", panics(&logs)),
        Judgement::new("promise", promised(&logs, planted)),
        Judgement::new("leak", leaks::check(world, planted)),
    ];
    if plan.leaves_bytes_alone() {
        judgements.push(Judgement::new("repairs", repairs::check(&logs)));
        judgements.push(Judgement::new("votes", votes::check(&logs)));
    }
    judgements
}

/// What was answered was durable, and what clients were told was answered.
fn promised(logs: &[(String, String, std::path::PathBuf)], planted: &Planted) -> Verdict {
    match planted.recorder().map(promise::all).transpose() {
        Ok(told) => promise::check(logs, &told.unwrap_or_default()),
        Err(unread) => unread.and(promise::check(logs, &[])),
    }
}

/// No node ended without a reason that was injected.
fn ends(world: &World) -> Verdict {
    let unexpected = world.ended.iter().filter(|ended| !ended.expected);
    Verdict::of(
        unexpected
            .map(|Ended { node, status, said, .. }| {
                format!("{node} ended, {status}, with no fault that may do that: {said}")
            })
            .collect(),
    )
}

fn panics(logs: &[(String, String, std::path::PathBuf)]) -> Verdict {
    let mut found = Vec::new();
    for (node, _, log) in logs {
        let read = lines::each(log, |line| {
            if line.contains("panicked at") {
                found.push(format!("{node}: {line}"));
            }
        });
        if let Err(unread) = read {
            return unread;
        }
    }
    Verdict::of(found)
}

/// Leaves the verdicts beside the history, and of a run that did not pass what the nodes left too: their logs,
/// settings and data. Says whether all of that is there, so that the cluster itself can go.
pub fn leave(options: &Options, begun: Left, world: &World, outcome: &Outcome) -> bool {
    let left = begun.judged(&outcome.network, &outcome.judgements);
    // What cannot be left is missing there, and the verdict is printed anyway.
    let written = left.write(&options.out).is_ok();
    if outcome.verdict == Verdict::Pass {
        return written;
    }
    let each = world.cluster.nodes().iter().map(|node| {
        let to = options.out.join("nodes").join(&node.plan.name);
        copy(&node.dir, &to)
    });
    each.fold(written, |all, copied| all & copied.is_ok())
}

/// The one command that makes the same run again.
pub fn repeat(options: &Options) -> String {
    let workloads: Vec<&str> = options.workloads.iter().map(|kind| kind.name()).collect();
    let all = workloads.len() == crate::workload::Workload::ALL.len();
    let workloads = if all { "all".to_owned() } else { workloads.join(",") };
    let mut command = format!(
        "cargo run --release -p jepsen -- run --workload {workloads} --seconds {} --seed {}",
        options.length.as_secs(),
        options.seed,
    );
    match &options.against {
        Some(config) => command += &format!(" --against {}", config.display()),
        None => {
            let nemesis = options.nemesis.name();
            command += &format!(" --nemesis {nemesis} --nodes {}", options.nodes);
            if options.proxy {
                command += " --network proxy";
            }
            if let Some(program) = options.program.named() {
                command += &format!(" --program {}", program.display());
            }
        }
    }
    command + " --out again"
}

/// Copies a directory and everything that is in it and mounted there, but for images of disks: what is on those
/// is copied from where they are mounted.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() && !disk::is_image(&entry.path()) {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
