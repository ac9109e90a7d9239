//! The cluster that is measured: its own, started for the run, or one that is there.

use super::BenchOptions;
use crate::{failure::Failure, output::Output};
use anyhow::{Context, anyhow};
use client::{CreateOptions, Place, Protection, RecoveryCode, Settings, Wallet};
use proto::admin::StatusRequest;
use server::cluster::{Cluster, Options, Scratch, process::cpu_of};
use std::{collections::BTreeMap, time::Duration};

/// What is measured.
pub(super) struct Target {
    pub(super) settings: Settings,
    /// The bench's own cluster; none when another one is measured.
    cluster: Option<Cluster>,
    _scratch: Option<Scratch>,
}

impl Target {
    pub(super) async fn open(options: &BenchOptions, output: &Output) -> Result<Target, Failure> {
        match (&options.ca, options.endpoints.is_empty()) {
            (Some(ca), false) => {
                let ca_pem = std::fs::read_to_string(ca)
                    .with_context(|| format!("{} cannot be read", ca.display()))
                    .map_err(Failure::usage)?;
                let settings = Settings { endpoints: options.endpoints.clone(), ca_pem };
                Ok(Target { settings, cluster: None, _scratch: None })
            }
            (None, true) => Target::start(output).await,
            _ => Err(Failure::usage(anyhow!(
                "--endpoints and --ca belong together; give both, or none to have a cluster started"
            ))),
        }
    }

    async fn start(output: &Output) -> Result<Target, Failure> {
        output.say("starting three nodes in three data centres on this machine");
        let scratch = Scratch::new("holdfast-bench")?;
        let program = std::env::current_exe()?;
        let mut plan = Options::dev(3, program, scratch.path().join("cluster"))?;
        // What is measured is how fast recovery is, not how it is rationed.
        for key in ["limits.recoveries_per_second", "limits.recoveries_per_code"] {
            plan.overrides.insert(key.into(), 1_000_000.into());
        }
        let cluster = Cluster::start(&plan).await?;
        let ca_pem = std::fs::read_to_string(cluster.ca())?;
        let settings = Settings { endpoints: cluster.endpoints(), ca_pem };
        Ok(Target { settings, cluster: Some(cluster), _scratch: Some(scratch) })
    }

    /// A new wallet in memory, with its recovery code.
    pub(super) async fn wallet(
        settings: Settings,
        name: String,
    ) -> Result<(Wallet, Option<RecoveryCode>), Failure> {
        let mut code = None;
        let options = CreateOptions::new(name, Protection::FileMode);
        let wallet = Wallet::create(Place::Memory, settings, options, |codes| {
            let text = codes.recovery.as_ref().map(RecoveryCode::reveal);
            code = text.and_then(|text| RecoveryCode::parse(text.as_str()).ok());
        })
        .await?;
        Ok((wallet, code))
    }

    /// CPU time of all nodes so far; none when they are not this bench's.
    pub(super) fn cpu_nodes(&self) -> Option<Duration> {
        let cluster = self.cluster.as_ref()?;
        cluster.nodes().iter().map(|node| cpu_of(node.pid()?).ok()).sum()
    }

    /// How many terms all groups have seen so far: each election begins one. None of a cluster that is not this
    /// bench's, or that does not say.
    pub(super) async fn terms(&self) -> Option<u64> {
        let cluster = self.cluster.as_ref()?;
        let mut terms = BTreeMap::<u32, u64>::new();
        for node in 0..cluster.nodes().len() {
            let mut admin = cluster.admin(node).await.ok()?;
            let status = admin.status(StatusRequest { local: true }).await.ok()?.into_inner();
            for group in status.groups {
                let term = terms.entry(group.id).or_default();
                *term = group.term.max(*term);
            }
        }
        Some(terms.values().sum())
    }

    /// CPU time of this process so far.
    pub(super) fn cpu_client() -> Option<Duration> {
        cpu_of(std::process::id()).ok()
    }
}
