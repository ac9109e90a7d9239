//! A cluster on this machine, and devices that use it.

use client::{CreateOptions, Keep, Place, Protection, RecoverOptions, Settings, Wallet};
use proto::admin::{StatusReply, StatusRequest};
use seal::RecoveryCode;
use server::cluster::{Cluster, NodePlan, Options, Scratch};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a cluster may take to come to what is waited for, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What the cluster of a test shall be.
pub struct Plan {
    nodes: usize,
    /// Instead of the nodes of a development cluster, if there are any.
    layout: Vec<NodePlan>,
    wallet_groups: u32,
    settings: Vec<(&'static str, toml::Value)>,
}

impl Plan {
    /// A cluster of so many nodes, with one wallet group, so that every wallet is in group 2.
    pub fn of(nodes: usize) -> Plan {
        Plan { nodes, layout: Vec::new(), wallet_groups: 1, settings: Vec::new() }
    }

    /// A cluster of one node in each of these data centres.
    pub fn in_dcs(dcs: &[&str]) -> Plan {
        let plans = dcs
            .iter()
            .enumerate()
            .map(|(n, dc)| NodePlan::new(&format!("n{}", n + 1), dc, "127.0.0.1").expect("a name"));
        Plan { layout: plans.collect(), ..Plan::of(3) }
    }

    /// With so many wallet groups.
    pub fn wallet_groups(mut self, count: u32) -> Plan {
        self.wallet_groups = count;
        self
    }

    /// With a setting of all nodes, by dotted key.
    pub fn setting(mut self, key: &'static str, value: impl Into<toml::Value>) -> Plan {
        self.settings.push((key, value.into()));
        self
    }

    /// The options of the cluster in `dir`.
    pub fn options(self, dir: PathBuf) -> Options {
        let mut options = Options::dev(self.nodes, binary(), dir).expect("a layout");
        if !self.layout.is_empty() {
            options.nodes = self.layout;
        }
        options.wallet_groups = self.wallet_groups;
        for (key, value) in self.settings {
            options.overrides.insert(key.to_owned(), value);
        }
        options
    }

    /// Starts it and waits until every group is led.
    pub async fn start(self) -> Lab {
        let scratch = Scratch::new("holdfast-test").expect("a temporary directory");
        let options = self.options(scratch.path().join("cluster"));
        let cluster =
            Cluster::start(&options).await.unwrap_or_else(|error| panic!("start: {error}"));
        Lab { cluster, scratch }
    }
}

/// A running cluster. Everything ends and goes with it.
pub struct Lab {
    /// The nodes. Declared first, so that they end before their directory goes.
    pub cluster: Cluster,
    scratch: Scratch,
}

/// The first wallet group.
pub const GROUP: u32 = 2;

impl Lab {
    /// A lab around a cluster that the test made itself, in `scratch`.
    pub fn around(cluster: Cluster, scratch: Scratch) -> Lab {
        Lab { cluster, scratch }
    }

    /// A directory for what a test writes beside the cluster.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// How clients reach the cluster.
    pub fn settings(&self) -> Settings {
        self.settings_at(&self.cluster.endpoints())
    }

    /// How a client reaches these nodes only.
    pub fn settings_at(&self, endpoints: &[String]) -> Settings {
        let ca_pem = std::fs::read_to_string(self.cluster.ca()).expect("the CA certificate");
        Settings { endpoints: endpoints.to_vec(), ca_pem }
    }

    /// A new wallet in memory, and its recovery code.
    pub async fn wallet(&self, device: &str) -> (Wallet, RecoveryCode) {
        create(self.settings(), device).await
    }

    /// One device more of a wallet; the others stay.
    pub async fn device(&self, code: &RecoveryCode, name: &str) -> Wallet {
        self.recover(code, name, Keep::All).await
    }

    /// The same, of a device that knows these nodes only.
    pub async fn device_at(&self, code: &RecoveryCode, name: &str, endpoints: &[String]) -> Wallet {
        self.recover_by(self.settings_at(endpoints), code, name, Keep::All).await
    }

    /// The wallet on a new device, from its code alone.
    pub async fn recover(&self, code: &RecoveryCode, name: &str, keep: Keep) -> Wallet {
        self.recover_by(self.settings(), code, name, keep).await
    }

    async fn recover_by(
        &self,
        settings: Settings,
        code: &RecoveryCode,
        name: &str,
        keep: Keep,
    ) -> Wallet {
        let options = RecoverOptions {
            device_name: name.to_owned(),
            protection: Protection::FileMode,
            keep,
            wallet: None,
        };
        let (wallet, _) = Wallet::recover(Place::Memory, settings, code, options)
            .await
            .unwrap_or_else(|error| panic!("recover: {error}"));
        wallet
    }

    /// The number of the node that leads a group.
    pub async fn leader(&self, group: u32) -> usize {
        let name = self
            .cluster
            .wait_leader(group, PATIENCE)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        self.cluster.find(&name).expect("a leader that is a node")
    }

    /// Waits until every running node has the same state of every group.
    pub async fn equal(&self) {
        self.cluster.wait_equal(PATIENCE).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Starts a node that is down, and waits until it answers.
    pub async fn restart(&mut self, node: usize) {
        self.cluster.start_node(node).unwrap_or_else(|error| panic!("{error}"));
        self.cluster.wait_answering(node, PATIENCE).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// The directory of a node's log and state.
    pub fn data(&self, node: usize) -> PathBuf {
        self.cluster.nodes()[node].dir.join("data")
    }

    /// Starts a node that will end by itself, and gives its exit code and what it said.
    pub async fn ends(&mut self, node: usize) -> (i32, String) {
        let before = self.log(node).len();
        self.cluster.start_node(node).unwrap_or_else(|error| panic!("{error}"));
        self.end(node, before).await
    }

    /// Waits until a running node has ended by itself, and gives its exit code and what it said from
    /// byte `before` of its log on.
    pub async fn end(&mut self, node: usize, before: usize) -> (i32, String) {
        let status = until("the node ends", PATIENCE, async || {
            let process = self.cluster.node(node).expect("a node").process().expect("a process");
            process.exited().expect("whether it has ended")
        })
        .await;
        self.cluster.kill(node).expect("a process that has ended is forgotten");
        (status.code().unwrap_or(-1), self.log(node).split_off(before))
    }

    /// What a node that runs says of the cluster.
    pub async fn status(&self, node: usize) -> Option<StatusReply> {
        let mut admin = self.cluster.admin(node).await.ok()?;
        Some(admin.status(StatusRequest { local: false }).await.ok()?.into_inner())
    }

    /// What a node has said so far.
    pub fn log(&self, node: usize) -> String {
        std::fs::read_to_string(self.cluster.nodes()[node].log()).expect("a node's log")
    }
}

/// A new wallet in memory, and its recovery code.
pub async fn create(settings: Settings, device: &str) -> (Wallet, RecoveryCode) {
    let mut code = None;
    let options = CreateOptions::new(device, Protection::FileMode);
    let wallet = Wallet::create(Place::Memory, settings, options, |codes| {
        let text = codes.recovery.as_ref().expect("a recovery code").reveal();
        code = Some(RecoveryCode::parse(text.as_str()).expect("a code as shown"));
    })
    .await
    .unwrap_or_else(|error| panic!("create: {error}"));
    (wallet, code.expect("codes are announced"))
}

/// Where a node keeps its database below its data directory.
pub fn database(data: &Path) -> PathBuf {
    data.join("db")
}

/// The `holdfast` of this build.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let binary = profile.join("holdfast");
    assert!(
        binary.is_file(),
        "{} is missing; build it first: cargo build --release --package cli",
        binary.display()
    );
    binary
}

/// Waits until `look` finds something, or says at the end what it waited for.
pub async fn until<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
