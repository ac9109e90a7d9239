//! Workloads on a cluster that somebody else runs: nothing is injected, and nothing is known of its disks.

use server::cluster::{ClusterError, Description, admin::OperatorFiles};
use std::{fs, path::Path, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Judgement, Left, Nemesis, Operator, Options, Outcome, Phase, Recorder, RunError, Verdict,
    WorldError, fail, last_look, left, read, say, watch_leaders, workload,
};
use crate::{
    history::Run,
    workload::{Access, Arena},
    world::HEALS_WITHIN,
};

/// A cluster that exists, and how it is reached.
pub struct Existing {
    access: Access,
    operator: Operator,
}

impl Existing {
    /// By the directory of `holdfast dev --dir`, or the `cluster.json` in it.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn load(config: &Path) -> Result<Existing, WorldError> {
        let dir = match config.is_dir() {
            true => config,
            false => config.parent().unwrap_or(Path::new(".")),
        };
        let description = Description::load(dir).map_err(ClusterError::from)?;
        let unreadable = |source| WorldError::File { file: description.ca.clone(), source };
        let ca_pem = fs::read_to_string(&description.ca).map_err(unreadable)?;
        let files = OperatorFiles {
            ca: description.ca.clone(),
            cert: description.operator_cert,
            key: description.operator_key,
        };
        let operator = Operator::of(&files, description.endpoints.clone())?;
        let names = description.nodes.into_iter().map(|node| node.name).collect();
        let endpoints = description.endpoints;
        Ok(Existing { access: Access { endpoints, names, ca_pem, wallet_groups: None }, operator })
    }
}

/// Runs workloads on it, without any fault, until `stop` is said at most: then what was seen is unknown.
///
/// # Errors
/// The harness could not even begin.
pub fn against(
    options: &Options,
    existing: Existing,
    stop: &CancellationToken,
) -> Result<Outcome, RunError> {
    let out = |source| RunError::Out { dir: options.out.clone(), source };
    fs::create_dir_all(&options.out).map_err(out)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(beside(options, existing, stop))
}

async fn beside(
    options: &Options,
    Existing { access, operator }: Existing,
    stop: &CancellationToken,
) -> Result<Outcome, RunError> {
    let begun = Left::of(options);
    let history = options.out.join(left::HISTORY);
    let recorder = Recorder::create(&history)?;
    recorder.run(&Run {
        seed: options.seed,
        nemesis: Nemesis::None.name().to_owned(),
        plan: Vec::new(),
        network: "none".to_owned(),
        commit: begun.commit.clone(),
        nodes: access.names.clone(),
        workloads: options.workloads.iter().map(|kind| kind.name().to_owned()).collect(),
    });
    let canary = format!("{:032x}", rand::random::<u128>());
    let (_same, reached) = watch::channel(Arc::new(access));
    let arena = Arena::new(recorder.clone(), reached, &canary, options.seed);
    let serving = tokio::select! {
        verdict = work(options, &arena, operator) => verdict,
        () = stop.cancelled() => Verdict::unknown("interrupted"),
    };
    recorder.finish()?;
    let mut judgements = vec![Judgement::new("itself", serving)];
    judgements.extend(read(&history));
    let verdict =
        judgements.iter().fold(Verdict::Pass, |all, judgement| all.and(judgement.verdict.clone()));
    let left = begun.judged("none", &judgements);
    left.write(&options.out)
        .map_err(|source| RunError::Out { dir: options.out.clone(), source })?;
    Ok(Outcome { judgements, verdict, network: "none".to_owned(), note: None, history })
}

/// From the first client to the last look: no fault is there to be taken back.
async fn work(options: &Options, arena: &Arena, operator: Operator) -> Verdict {
    let mut clients = workload::start(&options.workloads, arena);
    let leaders = CancellationToken::new();
    let watching =
        tokio::spawn(watch_leaders(operator.clone(), arena.recorder.clone(), leaders.clone()));
    tokio::time::sleep(options.length).await;
    arena.over.cancel();
    say(&arena.recorder, Phase::Heal, Vec::new());
    tokio::time::sleep(workload::DEADLINES.overall.min(super::CLIENTS_END_WITHIN)).await;
    arena.healed.cancel();
    let looked = last_look(&mut clients).await;
    leaders.cancel();
    let _ = watching.await;
    clients.shutdown().await;
    if looked != Verdict::Pass {
        return looked;
    }
    // Others may write there.
    match operator.agree(HEALS_WITHIN.min(Duration::from_secs(60))).await {
        Ok(()) => {
            say(&arena.recorder, Phase::Healed, Vec::new());
            Verdict::Pass
        }
        Err(differ) => fail("the replicas do not agree", &differ),
    }
}
