//! What the walk needs all along: the cluster, the devices, and what every byte should be. The first
//! steps: the cluster, the credentials, the wallet, the first push.

use super::{
    issuer::{Issued, Issuer},
    stage::{Kept, Shown},
};
use crate::{command::wallet::travels, failure::Failure};
use anyhow::{Context, anyhow};
use client::{
    Codes, CreateOptions, Place, Protection, RecoveryCode, Secret, Settings, Wallet,
    credential::{Credential, Filing, Thumbprint},
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use serde_json::json;
use server::cluster::{
    Cluster, Options, Scratch,
    files::{make_dir, write_secret},
    process::Tie,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};
use types::MemberId;

/// How many wallet groups the demo's cluster has.
pub(super) const WALLET_GROUPS: u32 = 4;

/// Everything that the walk is about.
pub(super) struct Theatre {
    pub(super) cluster: Cluster,
    pub(super) settings: Settings,
    pub(super) scratch: Scratch,
    keep: bool,
    issued: Vec<Issued>,
    /// What every record of the wallet must hold, by name.
    pub(super) expected: BTreeMap<String, Vec<u8>>,
    pub(super) code: Option<RecoveryCode>,
    pub(super) one: Option<Wallet>,
    pub(super) two: Option<Wallet>,
    /// The node that was killed.
    pub(super) killed: Option<usize>,
    /// The digest of each group on all nodes, once they were found equal.
    pub(super) digests: Vec<(u32, Vec<u8>)>,
}

impl Theatre {
    /// Three node processes, labelled as three data centres, formed into a cluster.
    pub(super) async fn open(keep: bool) -> Result<Shown<Theatre>, Failure> {
        let scratch = Scratch::new("holdfast-demo")?;
        let mut options =
            Options::dev(3, std::env::current_exe()?, scratch.path().join("cluster"))?;
        options.wallet_groups = WALLET_GROUPS;
        options.tie = if keep { Tie::Outlives } else { Tie::EndsWithStarter };
        let cluster = Cluster::start(&options).await?;
        let ca_pem = std::fs::read_to_string(cluster.ca())?;
        let settings = Settings { endpoints: cluster.endpoints(), ca_pem };
        let lines = cluster.nodes().iter().map(|node| {
            let pid = node.pid().unwrap_or_default();
            format!("{} in {}: {} (pid {pid})", node.plan.name, node.plan.dc, node.endpoint)
        });
        let (lines, facts) = (lines.collect(), json!({ "nodes": cluster.description().nodes }));
        let says = "three node processes in three data centres form a cluster, over mutual TLS";
        let theatre = Theatre {
            cluster,
            settings,
            scratch,
            keep,
            issued: Vec::new(),
            expected: BTreeMap::new(),
            code: None,
            one: None,
            two: None,
            killed: None,
            digests: Vec::new(),
        };
        Ok(Shown::new(theatre, says, facts).with(lines))
    }

    /// Real credentials from an issuer made for this walk.
    pub(super) async fn issue(&mut self) -> Result<Shown<()>, Failure> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut rng = UnwrapErr(SysRng);
        let issuer = Issuer::new(&mut rng, i64::try_from(now_s).unwrap_or_default())
            .map_err(Failure::refused)?;
        self.issued = issuer.issue_all(&mut rng).map_err(Failure::refused)?;
        self.write_issued()?;
        let lines = self
            .issued
            .iter()
            .map(|file| format!("{} ({} bytes): {}", file.file_name, file.bytes.len(), file.title));
        let facts: Vec<_> = self
            .issued
            .iter()
            .map(|file| json!({ "file": file.file_name, "what": file.title, "bytes": file.bytes.len() }))
            .collect();
        let says = format!("a test issuer signed {} files for the holder", self.issued.len());
        Ok(Shown::new((), says, json!({ "files": facts })).with(lines.collect()))
    }

    /// The files as their holder would have them, for whoever wants to import them with `--keep`.
    fn write_issued(&self) -> Result<(), Failure> {
        let dir = self.credentials();
        make_dir(&dir).map_err(Failure::unavailable)?;
        for file in &self.issued {
            write_secret(&dir.join(file.file_name), &file.bytes).map_err(Failure::unavailable)?;
        }
        Ok(())
    }

    fn credentials(&self) -> PathBuf {
        self.scratch.path().join("credentials")
    }

    /// A wallet on device one, with a recovery code that only its owner sees.
    pub(super) async fn create_wallet(&mut self) -> Result<Shown<()>, Failure> {
        let mut code = None;
        let announce = |codes: &Codes| {
            let text = codes.recovery.as_ref().map(RecoveryCode::reveal);
            code = text.and_then(|text| RecoveryCode::parse(text.as_str()).ok());
        };
        let options = CreateOptions::new("device one", passphrase());
        let wallet =
            Wallet::create(self.device("one"), self.settings.clone(), options, announce).await?;
        let says = format!("device one made wallet {}…", short(&wallet.id().to_string()));
        let facts = json!({
            "wallet": wallet.id().to_string(), "device": wallet.device().to_string(),
        });
        self.code = Some(code.context("no recovery code was announced").map_err(Failure::refused)?);
        self.one = Some(wallet);
        Ok(Shown::new((), says, facts))
    }

    /// Every file read, checked, filed, sealed and pushed.
    pub(super) async fn push_credentials(&mut self) -> Result<Shown<()>, Failure> {
        let issued = std::mem::take(&mut self.issued);
        let mut read = Vec::with_capacity(issued.len());
        let mut held = BTreeSet::new();
        for file in &issued {
            let credential = Credential::read(&file.bytes)
                .with_context(|| format!("reading {}", file.file_name))
                .map_err(Failure::integrity)?;
            if let Credential::HolderKey(key) = &credential {
                held.insert(key.thumbprint().to_string());
            }
            read.push((file, credential));
        }
        let (mut lines, mut facts) = (Vec::new(), Vec::new());
        for (file, credential) in read {
            let holds = |key: &Thumbprint| held.contains(&key.to_string());
            let filing = Filing::new(file.file_name, &file.bytes, &credential, holds);
            let record = &filing.record;
            lines.push(format!("{}: {}, {}", record.name, record.kind, travels(&record.policy)));
            facts.push(json!({
                "name": record.name, "kind": record.kind, "policy": record.policy,
                "fields": record.fields,
            }));
            self.expected.insert(record.name.clone(), record.body.to_vec());
            self.device_one()?.file(filing)?;
        }
        let report = self.device_one()?.push().await?;
        let says = format!(
            "{} records sealed on device one and acknowledged by a majority",
            report.written
        );
        Ok(Shown::new((), says, json!({ "records": facts, "seq": report.seq })).with(lines))
    }

    pub(super) fn device(&self, name: &str) -> Place {
        Place::Directory(self.scratch.path().join(format!("device-{name}")))
    }

    pub(super) fn device_one(&mut self) -> Result<&mut Wallet, Failure> {
        self.one.as_mut().ok_or_else(|| out_of_order("device one"))
    }

    pub(super) fn device_two(&mut self) -> Result<&mut Wallet, Failure> {
        self.two.as_mut().ok_or_else(|| out_of_order("device two"))
    }

    pub(super) fn recovery_code(&self) -> Result<&RecoveryCode, Failure> {
        self.code.as_ref().ok_or_else(|| out_of_order("the recovery code"))
    }

    pub(super) fn device_one_id(&mut self) -> Result<MemberId, Failure> {
        Ok(self.device_one()?.device())
    }

    /// Ends the walk: nothing is left, or the cluster goes on.
    pub(super) fn close(self) -> Result<Option<Kept>, Failure> {
        if !self.keep {
            return Ok(None);
        }
        self.cluster.write_description().map_err(Failure::unavailable)?;
        let description = self.cluster.description();
        let credentials = self.credentials();
        let dir = self.cluster.keep();
        let home = self.scratch.keep();
        let pids: Vec<String> = description
            .nodes
            .iter()
            .filter_map(|node| node.pid)
            .map(|pid| pid.to_string())
            .collect();
        let how = vec![
            String::new(),
            format!("the cluster goes on in {}", dir.display()),
            format!("  look at it:  holdfast admin status --dev {}", dir.display()),
            format!(
                "  a wallet:    holdfast wallet create --profile ./phone --endpoints {} --ca {}",
                description.endpoints.join(","),
                description.ca.display()
            ),
            format!(
                "  credentials: holdfast wallet import --profile ./phone {}/*",
                credentials.display()
            ),
            format!("  end it:      kill {}; rm -r {}", pids.join(" "), home.display()),
        ];
        let facts = serde_json::to_value(&description).map_err(Failure::unavailable)?;
        Ok(Some(Kept { how, facts }))
    }
}

/// A passphrase that nobody has to remember: the walk never opens a profile twice.
pub(super) fn passphrase() -> Protection {
    let bytes: [u8; 16] = rand::random();
    Protection::Passphrase(Secret::new(hex::encode(bytes).into_bytes()))
}

pub(super) fn short(id: &str) -> &str {
    id.get(..16).unwrap_or(id)
}

fn out_of_order(what: &str) -> Failure {
    Failure::refused(anyhow!("{what} is not there yet: the steps are out of order"))
}
