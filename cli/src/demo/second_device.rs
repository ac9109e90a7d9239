//! A second device, from the recovery code alone; and the end of the first one.

use super::{
    compare::compare,
    stage::Shown,
    theatre::{Theatre, passphrase},
};
use crate::failure::Failure;
use anyhow::anyhow;
use client::{
    Class, ClientError, Keep, Record, RecoverOptions, Settings, Wallet, credential::Format,
};
use serde_json::json;
use std::time::Duration;

/// How long a restarted node may take to answer and to catch up.
const BACK_WITHIN: Duration = Duration::from_secs(30);

impl Theatre {
    /// The wallet on a device that has never seen it, with nothing but the code.
    pub(super) async fn recover_on_device_two(&mut self) -> Result<Shown<()>, Failure> {
        let options = RecoverOptions {
            device_name: "device two".into(),
            protection: passphrase(),
            // Device one is revoked later, by device two.
            keep: Keep::All,
            wallet: None,
        };
        let (place, settings) = (self.device("two"), self.settings.clone());
        let (wallet, report) =
            Wallet::recover(place, settings, self.recovery_code()?, options).await?;
        let bytes = compare(&wallet, &self.expected)?;
        self.two = Some(wallet);
        let records = self.expected.len();
        let says = format!(
            "device two has all {records} records from the recovery code alone: {bytes} bytes, every one compared"
        );
        let facts = json!({
            "records": records, "bytes": bytes, "changes": report.changes, "freshness": "unproven",
        });
        Ok(Shown::new((), says, facts))
    }

    /// Device two puts device one out. Every node that runs refuses device one from then on.
    pub(super) async fn revoke_device_one(&mut self) -> Result<Shown<()>, Failure> {
        let one = self.device_one_id()?;
        self.device_two()?.revoke(one).await?;
        let name = "from-device-one";
        let record = Record::new(Format::Opaque.kind(), name, b"too late".to_vec());
        self.device_one()?.put(record)?;
        let mut lines = Vec::new();
        for n in self.cluster.running() {
            lines.push(self.refused_by(n).await?);
        }
        let says =
            "device one is revoked: its push and its pull are refused by every node that runs";
        Ok(Shown::new((), says, json!({ "revoked": one.to_string(), "refusals": lines }))
            .with(lines))
    }

    /// The node that was down while device one was revoked refuses it too.
    pub(super) async fn ask_restarted_node(&mut self) -> Result<Shown<()>, Failure> {
        let killed = self.killed.ok_or_else(|| Failure::refused(anyhow!("no node was killed")))?;
        let line = self.refused_by(killed).await?;
        let says = "the node that was down when device one was revoked refuses it as well";
        Ok(Shown::new((), says, json!({ "refusal": line.clone() })).with(vec![line]))
    }

    /// Asks one node, and no other, on behalf of device one: both answers must be no.
    async fn refused_by(&mut self, n: usize) -> Result<String, Failure> {
        let node = self.cluster.node(n)?;
        let (name, endpoint) = (node.plan.name.clone(), node.endpoint.clone());
        let all = self.settings.clone();
        let only = Settings { endpoints: vec![endpoint], ca_pem: all.ca_pem.clone() };
        let wallet = self.device_one()?;
        wallet.reconnect(only)?;
        let push = no(&name, "push", wallet.push().await.map(drop))?;
        let pull = no(&name, "pull", wallet.pull().await.map(drop))?;
        wallet.reconnect(all)?;
        Ok(match push == pull {
            true => format!("{name}, asked to push and to pull: {push}"),
            false => format!("{name}, asked to push: {push}; asked to pull: {pull}"),
        })
    }

    /// The killed node again, until its replicas are the same as everyone's.
    pub(super) async fn restart_killed_node(&mut self) -> Result<Shown<()>, Failure> {
        let killed = self.killed.ok_or_else(|| Failure::refused(anyhow!("no node was killed")))?;
        self.cluster.start_node(killed)?;
        self.cluster.wait_answering(killed, BACK_WITHIN).await?;
        self.cluster.wait_settled(BACK_WITHIN).await?;
        self.digests = self.cluster.wait_equal(BACK_WITHIN).await?;
        let name = self.cluster.node(killed)?.plan.name.clone();
        let digests: Vec<_> = self
            .digests
            .iter()
            .map(|(group, digest)| json!({ "group": group, "digest": hex::encode(digest) }))
            .collect();
        let says = format!(
            "{name} is back and caught up: the state digests of all {} groups are the same on all three nodes",
            digests.len()
        );
        Ok(Shown::new((), says, json!({ "node": name, "groups": digests })))
    }
}

/// A refusal is what is wanted; success or silence are not.
fn no(node: &str, act: &str, outcome: Result<(), ClientError>) -> Result<String, Failure> {
    match outcome {
        Err(error) if error.class() == Class::Refused => Ok(error.to_string()),
        Err(error) => Err(Failure::from(error).context(format!("{act} of device one at {node}"))),
        Ok(()) => {
            Err(Failure::integrity(anyhow!("{node} accepted a {act} of the revoked device one")))
        }
    }
}
