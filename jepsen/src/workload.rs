//! What clients do in a run. Each workload works on wallets of its own, writes everything that it asked and
//! was told into the history, and looks once more at every wallet when the cluster has healed.
//!
//! What the operations mean, and which rules they are held to, is said in `history.md`.

use client::{
    ClientError, CreateOptions, Deadlines, Keep, Place, Protection, RecoverOptions, RecoveryCode,
    Refusal, Settings, Unavailable, Wallet,
};
use rand::{RngExt, rngs::StdRng};
use server::cluster::group_of;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::history::{Home, OF_THE_CLIENT, Open, Recorder};
pub use planted::Planted;

mod chain;
mod devices;
mod once;
mod planted;
mod register;
mod set;
mod watchers;

/// How long a client of a run waits: shorter than most faults last, so that outcomes become unknown.
pub const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(1),
    attempt: Duration::from_millis(1_500),
    overall: Duration::from_secs(3),
};
/// How long a client waits when the cluster has healed: what has to succeed may take its time.
const HEALED: Deadlines = Deadlines {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(5),
    overall: Duration::from_secs(30),
};
/// Records that one wallet of a run gets at most: a push costs time in proportion to them.
const RECORDS_MAX: usize = 300;
/// How long a client waits before it asks again for something that has to succeed.
const AGAIN: Duration = Duration::from_millis(200);

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Workload {
    /// Reads and conditional writes of one value: linearizable.
    Register,
    /// Many devices add: nothing is lost, doubled or invented.
    Set,
    /// What was not answered is sent again: one effect.
    Once,
    /// Heads form one line, and nobody goes back.
    Chain,
    /// Watchers see every commit once, in order.
    Watch,
    /// Revoked means revoked, on every node.
    Devices,
}

impl Workload {
    /// All, in the order of tables.
    pub const ALL: [Workload; 6] = [
        Workload::Register,
        Workload::Set,
        Workload::Once,
        Workload::Chain,
        Workload::Watch,
        Workload::Devices,
    ];

    /// Its name in histories and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Register => "register",
            Workload::Set => "set",
            Workload::Once => "once",
            Workload::Chain => "chain",
            Workload::Watch => "watch",
            Workload::Devices => "devices",
        }
    }

    /// Works until the arena is over, and then looks at everything once more when it has healed.
    ///
    /// # Errors
    /// The harness could not do its part: a wallet was not to be had although the cluster had healed.
    async fn run(self, arena: Arena) -> Result<(), ClientError> {
        match self {
            Workload::Register => register::run(arena).await,
            Workload::Set => set::run(arena).await,
            Workload::Once => once::run(arena).await,
            Workload::Chain => chain::run(arena).await,
            Workload::Watch => watchers::run(arena).await,
            Workload::Devices => devices::run(arena).await,
        }
    }
}

/// Starts workloads, each in tasks of its own. They end some time after `arena.healed` was said.
pub fn start(workloads: &[Workload], arena: &Arena) -> JoinSet<Result<(), ClientError>> {
    let mut running = JoinSet::new();
    for workload in workloads {
        running.spawn(workload.run(arena.of(*workload)));
    }
    running
}

/// Runs so many of something, and waits for all of them. One that panics takes the whole workload with it: what
/// the others saw would be half of a history.
async fn side_by_side<Run>(count: usize, run: impl Fn(usize) -> Run) -> Result<(), ClientError>
where
    Run: Future<Output = Result<(), ClientError>> + Send + 'static,
{
    let running: JoinSet<_> = (0..count).map(run).collect();
    running.join_all().await.into_iter().collect()
}

/// How the cluster is reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Public endpoints of all nodes that take part.
    pub endpoints: Vec<String>,
    /// Names of the nodes, in the same order.
    pub names: Vec<String>,
    /// The authority's certificate.
    pub ca_pem: String,
    /// How many groups have wallets, where that is known.
    pub wallet_groups: Option<u32>,
}

impl Access {
    /// All nodes, this one first.
    pub fn beginning_at(&self, node: usize) -> Settings {
        let mut endpoints = self.endpoints.clone();
        let count = endpoints.len().max(1);
        endpoints.rotate_left(node % count);
        Settings { endpoints, ca_pem: self.ca_pem.clone() }
    }

    /// The name of a node.
    fn name(&self, node: usize) -> String {
        self.names.get(node % self.names.len().max(1)).cloned().unwrap_or_default()
    }

    /// This node only.
    pub fn only(&self, node: usize) -> Settings {
        let endpoint = self.endpoints[node % self.endpoints.len()].clone();
        Settings { endpoints: vec![endpoint], ca_pem: self.ca_pem.clone() }
    }
}

/// Where a workload works.
#[derive(Clone)]
pub struct Arena {
    /// Where everything is written down.
    pub recorder: Recorder,
    /// How the cluster is reached, now and whenever other nodes take part.
    pub reached: watch::Receiver<Arc<Access>>,
    /// What must not be found where it is in clear.
    pub planted: Arc<Planted>,
    /// What randomness follows from.
    pub seed: u64,
    /// Clients end what they do.
    pub over: CancellationToken,
    /// The cluster has healed: time for a last look.
    pub healed: CancellationToken,
    workload: &'static str,
    keys: Arc<AtomicUsize>,
}

impl Arena {
    /// A place for all workloads of a run.
    pub fn new(
        recorder: Recorder,
        reached: watch::Receiver<Arc<Access>>,
        canary: &str,
        seed: u64,
    ) -> Arena {
        Arena {
            planted: Arc::new(Planted::new(canary).told_in(recorder.clone())),
            recorder,
            reached,
            seed,
            over: CancellationToken::new(),
            healed: CancellationToken::new(),
            workload: "",
            keys: Arc::default(),
        }
    }

    fn of(&self, workload: Workload) -> Arena {
        let workload = workload.name();
        Arena { workload, keys: Arc::default(), ..self.clone() }
    }

    /// How the cluster is reached now.
    fn access(&self) -> Arc<Access> {
        self.reached.borrow().clone()
    }

    /// Waits until the cluster has healed. Says how it is reached then.
    async fn at_the_end(&self) -> Arc<Access> {
        self.healed.cancelled().await;
        self.access()
    }

    fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// The key of one wallet more.
    fn key(&self) -> String {
        format!("{}-{}", self.workload, self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// Randomness of one client.
    fn random(&self, client: &str) -> StdRng {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_be_bytes());
        let own = spread(self.workload) ^ spread(client).rotate_left(17);
        seed[8..16].copy_from_slice(&own.to_be_bytes());
        rand::SeedableRng::from_seed(seed)
    }

    /// A value that no other client writes.
    fn value(&self, client: &str, number: usize) -> String {
        format!("{}-{client}-{number}", self.planted.canary())
    }

    /// What a client writes when the cluster has healed.
    fn last_value(&self, client: &str) -> String {
        format!("{}-{client}-last", self.planted.canary())
    }

    /// So many clients, and no fewer than there are nodes: each node has one that begins there.
    fn clients(&self, least: usize) -> usize {
        least.max(self.access().endpoints.len())
    }

    /// Waits a little, as people do; not longer than the run lasts.
    async fn think(&self, random: &mut StdRng, up_to_ms: u64) {
        let pause = Duration::from_millis(random.random_range(0..=up_to_ms));
        let _ = tokio::time::timeout(pause, self.over.cancelled()).await;
    }

    /// A new wallet whose device begins at a node, and its recovery code. None once the run is over.
    async fn wallet(&self, node: usize) -> Option<(Wallet, RecoveryCode)> {
        while !self.is_over() {
            let mut shown = None;
            let name = format!("first of {}", self.planted.canary());
            let options = CreateOptions::new(name, Protection::FileMode);
            let settings = self.access().beginning_at(node);
            let made = Wallet::create(Place::Memory, settings, options, |codes| {
                shown = codes.recovery.as_ref().map(|code| code.reveal().as_str().to_owned());
            });
            let code = |text: String| {
                self.planted.code(&text);
                RecoveryCode::parse(&text).ok()
            };
            if let (Ok(mut wallet), Some(code)) = (made.await, shown.and_then(code))
                && wallet.set_deadlines(DEADLINES).is_ok()
            {
                self.planted.wallet(&wallet.id());
                return Some((wallet, code));
            }
            tokio::time::sleep(AGAIN).await;
        }
        None
    }

    /// Writes down where a wallet lives.
    fn home(&self, key: &str, wallet: &Wallet) {
        if let Some(groups) = self.access().wallet_groups {
            let group = group_of(&wallet.id(), groups).into();
            self.recorder.wallet(&Home { key: key.to_owned(), group });
        }
    }

    /// One device more of a wallet. None once the run is over.
    async fn device(&self, code: &RecoveryCode, settings: Settings) -> Option<Wallet> {
        while !self.is_over() {
            if let Ok(mut wallet) = recover(Place::Memory, settings.clone(), code).await
                && wallet.set_deadlines(DEADLINES).is_ok()
            {
                return Some(wallet);
            }
            tokio::time::sleep(AGAIN).await;
        }
        None
    }

    /// The wallet on a new device, when everything has healed.
    async fn last_look(&self, code: &RecoveryCode) -> Result<Wallet, ClientError> {
        let access = self.at_the_end().await;
        recover(Place::Memory, access.beginning_at(0), code).await
    }
}

async fn recover(
    place: Place,
    settings: Settings,
    code: &RecoveryCode,
) -> Result<Wallet, ClientError> {
    let options = RecoverOptions {
        device_name: "one more".to_owned(),
        protection: Protection::FileMode,
        keep: Keep::All,
        wallet: None,
    };
    Ok(Wallet::recover(place, settings, code, options).await?.0)
}

/// How the cluster is reached, if other nodes take part than when it was asked last.
fn news(reached: &mut watch::Receiver<Arc<Access>>) -> Option<Arc<Access>> {
    reached.has_changed().unwrap_or(false).then(|| reached.borrow_and_update().clone())
}

/// Has a device go to other nodes.
fn moved(wallet: &mut Wallet, settings: Settings) -> Result<(), ClientError> {
    wallet.reconnect(settings)?;
    wallet.set_deadlines(DEADLINES)
}

/// Has a device go to nodes of a cluster that has healed.
fn settled(wallet: &mut Wallet, settings: Settings) -> Result<(), ClientError> {
    wallet.reconnect(settings)?;
    wallet.set_deadlines(HEALED)
}

/// Ends an operation that did not succeed. A refusal that the workload counts on is no case of it.
fn ended(open: Open<'_>, error: &ClientError) {
    match error {
        ClientError::Unavailable(Unavailable::Unknown { .. }) => open.info(error),
        ClientError::Unavailable(_) => open.fail(error),
        ClientError::Refused(refusal) => open.denied(code(refusal), error),
        ClientError::Integrity(_) => open.broken(error),
        _ => open.denied(OF_THE_CLIENT, error),
    }
}

/// The code of a refusal by the cluster, or of what the client has made of it.
fn code(refusal: &Refusal) -> &str {
    match refusal {
        Refusal::Cluster { code, .. } => code,
        Refusal::NotActive(_) => "member_inactive",
        Refusal::Erased => "erased",
        Refusal::Link(_) => "link_refused",
        Refusal::NoWalletForCode => "not_found",
        Refusal::NoSuchRecord(_) | Refusal::NoSuchConflict { .. } | Refusal::WrongPassphrase => {
            OF_THE_CLIENT
        }
    }
}

/// Whether an outcome is in doubt.
fn in_doubt(error: &ClientError) -> bool {
    matches!(error, ClientError::Unavailable(Unavailable::Unknown { .. }))
}

/// A number for a name. Only its spread matters.
fn spread(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_once_that_other_nodes_take_part() {
        let of =
            |name: &str| Arc::new(Access { names: vec![name.to_owned()], ..Access::default() });
        let (told, mut reached) = watch::channel(of("n1"));
        assert!(news(&mut reached).is_none(), "nothing has changed");
        told.send_replace(of("n4"));
        assert_eq!(news(&mut reached).map(|access| access.name(0)).as_deref(), Some("n4"));
        assert!(news(&mut reached).is_none(), "it was told already");
        drop(told);
        assert!(news(&mut reached).is_none(), "a cluster that exists stays as it is");
    }
}
