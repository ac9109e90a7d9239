//! One run: a world, clients, faults, healing, a last look, judgement.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    check,
    history::{Fault, History, Phase, Recorder},
    judge::{self, Judgement},
    left::{self, Left},
    nemesis::{self, Nemesis, Plan},
    net::{End, Layout, Net},
    program::Program,
    verdict::Verdict,
    workload::{self, Arena, Workload},
    world::{HEALS_WITHIN, Operator, Wanted, World, WorldError},
};

/// From data centre to data centre and back, at least and at most.
const ROUND_TRIP: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(3));
/// How long the last look at all wallets may take.
const LAST_LOOK_WITHIN: Duration = Duration::from_secs(180);
/// How long clients may take to end what they do.
const CLIENTS_END_WITHIN: Duration = Duration::from_secs(30);

mod beside;

pub use beside::{Existing, against};

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which workloads.
    pub workloads: Vec<Workload>,
    /// Which faults.
    pub nemesis: Nemesis,
    /// How long clients work.
    pub length: Duration,
    /// From which plan and workloads follow.
    pub seed: u64,
    /// 3 or 5.
    pub nodes: usize,
    /// The network is the proxy, although the switch is to be had.
    pub proxy: bool,
    /// The binary that has the `node` command.
    pub program: Program,
    /// A cluster that exists, in place of a new one.
    pub against: Option<PathBuf>,
    /// A new directory for everything that the run leaves.
    pub out: PathBuf,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// What each checker says.
    pub judgements: Vec<Judgement>,
    /// All together.
    pub verdict: Verdict,
    /// How packets travelled.
    pub network: String,
    /// Why not through the switch, if it was not to be had.
    pub note: Option<String>,
    /// The history.
    pub history: PathBuf,
}

/// Why there is no outcome at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The directory for what the run leaves.
    #[error("{}: {source}; name a new directory with --out", dir.display())]
    Out {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The runtime.
    #[error("start the runtime of the clients: {0}")]
    Runtime(io::Error),
    /// The network.
    #[error(transparent)]
    Net(#[from] crate::net::NetError),
    /// What makes no layout.
    #[error(transparent)]
    Layout(#[from] crate::net::LayoutError),
    /// The history cannot be written.
    #[error(transparent)]
    Record(#[from] crate::history::RecordError),
    /// The cluster.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The plan.
    #[error("{}: {source}", file.display())]
    Plan {
        /// Its file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Ctrl-C.
    #[error("interrupted before the cluster served")]
    Interrupted,
}

/// Runs, until `stop` is said at most: then what was seen is unknown. The calling thread must not be one of a
/// runtime: the clients get a runtime of their own, inside the network.
///
/// # Errors
/// The harness could not even begin.
pub fn run(options: &Options, stop: &CancellationToken) -> Result<Outcome, RunError> {
    let out = |source| RunError::Out { dir: options.out.clone(), source };
    fs::create_dir_all(&options.out).map_err(out)?;
    let layout = layout(options)?;
    let net = Arc::new(match options.proxy {
        true => Net::proxy(&layout, options.seed)?,
        false => Net::start(&layout, options.seed)?,
    });
    let inside = net.clone();
    net.inside(End::Clients, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(RunError::Runtime)?;
        runtime.block_on(within(options, inside, stop))
    })?
}

/// One machine more than members, in the data centre of the last one, when members are to change.
fn layout(options: &Options) -> Result<Layout, crate::net::LayoutError> {
    let plain = Layout::of(options.nodes, ROUND_TRIP.0, ROUND_TRIP.1)?;
    if options.nemesis != Nemesis::Membership {
        return Ok(plain);
    }
    let last = plain.nodes().last().map(|place| place.dc.clone()).unwrap_or_default();
    let line = plain.to_string();
    let (places, distance) = line.split_once(',').unwrap_or((&line, ""));
    format!("{places} {last}:n{},{distance}", options.nodes + 1).parse()
}

async fn within(
    options: &Options,
    net: Arc<Net>,
    stop: &CancellationToken,
) -> Result<Outcome, RunError> {
    let begun = Left::of(options);
    let history = options.out.join(left::HISTORY);
    let recorder = Recorder::create(&history)?;
    let plan = Plan::of(options.nemesis, options.seed, options.length, options.nodes);
    write_plan(options, &plan)?;
    let network = net.kind().to_owned();
    let note = net.note().map(str::to_owned);
    let wanted = Wanted {
        program: options.program.file().to_path_buf(),
        dir: options.out.join("cluster"),
        members: options.nodes,
        disks: matches!(options.nemesis, Nemesis::Power | Nemesis::Disk | Nemesis::Mix),
        clocks: matches!(options.nemesis, Nemesis::Clock | Nemesis::Mix),
    };
    let started = tokio::select! {
        started = World::start(net, &wanted) => started,
        () = stop.cancelled() => return Err(RunError::Interrupted),
    };
    let mut world = started?;
    recorder.run(&crate::history::Run {
        seed: options.seed,
        nemesis: options.nemesis.name().to_owned(),
        plan: plan.written(),
        network: network.clone(),
        commit: begun.commit.clone(),
        nodes: (0..world.count()).map(|node| world.name(node)).collect(),
        workloads: options.workloads.iter().map(|kind| kind.name().to_owned()).collect(),
    });
    let canary = format!("{:032x}", rand::random::<u128>());
    let arena = Arena::new(recorder.clone(), world.reached(), &canary, options.seed);
    let mut judgements = tokio::select! {
        judgements = go_through(options, &plan, &mut world, &arena) => judgements,
        () = stop.cancelled() => vec![harness("interrupted")],
    };
    // What is on disks is looked at when nobody writes there any more.
    world.cluster.kill_all().map_err(WorldError::from)?;
    world.restore_disks();
    judgements.extend(judge::nodes(&world, &plan, &arena.planted));
    recorder.finish()?;
    judgements.extend(read(&history));
    let verdict =
        judgements.iter().fold(Verdict::Pass, |all, judgement| all.and(judgement.verdict.clone()));
    let outcome = Outcome { judgements, verdict, network, note, history };
    let left = judge::leave(options, begun, &world, &outcome);
    // Its disks are unmounted first: what is removed then are files of this run only.
    drop(world);
    if left {
        let _ = fs::remove_dir_all(&wanted.dir);
    }
    Ok(outcome)
}

/// The plan in a file of its own: what was to happen, also if nothing came of it.
fn write_plan(options: &Options, plan: &Plan) -> Result<(), RunError> {
    let file = options.out.join("plan.json");
    let text = serde_json::json!({
        "nemesis": options.nemesis,
        "seed": options.seed,
        "seconds": options.length.as_secs(),
        "nodes": options.nodes,
        "faults": plan.written(),
    });
    fs::write(&file, format!("{text:#}\n")).map_err(|source| RunError::Plan { file, source })
}

/// From the first client to the last look.
async fn go_through(
    options: &Options,
    plan: &Plan,
    world: &mut World,
    arena: &Arena,
) -> Vec<Judgement> {
    let recorder = arena.recorder.clone();
    let mut clients = workload::start(&options.workloads, arena);
    let leaders = CancellationToken::new();
    let everybody: Vec<usize> = (0..world.count()).collect();
    let watching = match world.operator(&everybody) {
        Ok(operator) => tokio::spawn(watch_leaders(operator, recorder.clone(), leaders.clone())),
        Err(error) => return vec![harness(error)],
    };
    let driven = work(options, plan, world, &recorder).await;
    arena.over.cancel();
    let judgement = match driven {
        // Of a cluster that the harness has left in whatever state it does not say how it heals.
        Err(error) => harness(error),
        Ok(()) => {
            let serving = world.members().into_iter().map(|node| world.name(node)).collect();
            say(&recorder, Phase::Heal, serving);
            heal(world, arena, &mut clients).await
        }
    };
    leaders.cancel();
    let _ = watching.await;
    clients.shutdown().await;
    vec![judgement]
}

/// As long as clients work.
async fn work(
    options: &Options,
    plan: &Plan,
    world: &mut World,
    recorder: &Recorder,
) -> Result<(), WorldError> {
    let began = Instant::now();
    nemesis::drive(world, plan, recorder, began).await?;
    while began.elapsed() < options.length {
        world.supervise()?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn harness(error: impl ToString) -> Judgement {
    Judgement::new("harness", Verdict::unknown(error.to_string()))
}

fn say(recorder: &Recorder, phase: Phase, targets: Vec<String>) {
    recorder.fault("heal", &Fault { targets, ..Fault::of_phase(phase) });
}

fn fail(what: &str, error: &dyn std::fmt::Display) -> Verdict {
    Verdict::fail(format!("after all faults were taken back, {what}: {error}"))
}

/// Every client looks at its wallets once more, and ends.
async fn last_look(clients: &mut JoinSet<Result<(), client::ClientError>>) -> Verdict {
    let looked = async {
        while let Some(ended) = clients.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return fail("a wallet is not served", &error),
                Err(error) => return Verdict::unknown(format!("a client ended: {error}")),
            }
        }
        Verdict::Pass
    };
    let looked = timeout(LAST_LOOK_WITHIN, looked).await;
    looked.unwrap_or_else(|_| fail("the last look at all wallets did not end", &"too slow"))
}

/// Everything is taken back: the cluster has to come to itself, serve every wallet, and agree.
async fn heal(
    world: &mut World,
    arena: &Arena,
    clients: &mut JoinSet<Result<(), client::ClientError>>,
) -> Judgement {
    if let Err(error) = world.net.heal() {
        return harness(error);
    }
    let itself = match world.settle().await {
        Ok(()) => agree(world, arena, clients).await,
        Err(error @ WorldError::Cluster(_)) => fail("the cluster did not come to itself", &error),
        Err(error) => return harness(error),
    };
    Judgement::new("itself", itself)
}

/// Every wallet is served, and the replicas agree.
async fn agree(
    world: &mut World,
    arena: &Arena,
    clients: &mut JoinSet<Result<(), client::ClientError>>,
) -> Verdict {
    // A client that is in the middle of something ends it first.
    tokio::time::sleep(workload::DEADLINES.overall.min(CLIENTS_END_WITHIN)).await;
    arena.healed.cancel();
    match last_look(clients).await {
        Verdict::Pass => {}
        verdict => return verdict,
    }
    match world.cluster.wait_equal(HEALS_WITHIN).await {
        Ok(_) => {
            say(&arena.recorder, Phase::Healed, Vec::new());
            Verdict::Pass
        }
        Err(error) => fail("the replicas do not agree", &error),
    }
}

/// Writes down who leads, whenever that changes.
async fn watch_leaders(operator: Operator, recorder: Recorder, end: CancellationToken) {
    let mut known = BTreeSet::new();
    while !end.is_cancelled() {
        for leader in operator.leaders().await {
            let seen = (leader.group, leader.node.clone(), leader.term);
            if !known.contains(&seen) {
                known.retain(|(group, _, _)| *group != seen.0);
                known.insert(seen);
                recorder.leader(&leader);
            }
        }
        let _ = timeout(Duration::from_millis(200), end.cancelled()).await;
    }
}

/// What the history proves.
fn read(file: &Path) -> Vec<Judgement> {
    match History::read(file) {
        Ok(history) => check::history(&history)
            .into_iter()
            .map(|check| Judgement::new(check.name, check.verdict))
            .collect(),
        Err(error) => vec![Judgement::new("history", Verdict::unknown(error.to_string()))],
    }
}

/// The commit of the sources, where there are any; with a `+` if something else than a text was changed since.
pub fn commit() -> String {
    let git = |args: &[&str]| {
        let output = std::process::Command::new("git").args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let same = git(&["diff", "--quiet", "HEAD", "--", ":/", ":(top,exclude)*.md"]).is_some();
    if same { commit } else { commit + "+" }
}

/// Where a run of a campaign leaves what it leaves.
pub fn directory(out: &Path, nemesis: Nemesis, seed: u64) -> PathBuf {
    out.join(format!("{}-{seed}", nemesis.name()))
}
