//! The death of everything at once, and what is there afterwards.

use super::{
    compare::compare,
    stage::Shown,
    theatre::{Theatre, passphrase},
};
use crate::failure::Failure;
use anyhow::anyhow;
use client::{Keep, RecoverOptions, Wallet};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long the cluster may take to serve again.
const BACK_WITHIN: Duration = Duration::from_secs(60);

impl Theatre {
    /// SIGKILL to all nodes at one moment, and all of them again.
    pub(super) async fn kill_all_and_restart(&mut self) -> Result<Shown<()>, Failure> {
        self.cluster.kill_all()?;
        let began = Instant::now();
        for n in 0..self.cluster.nodes().len() {
            self.cluster.start_node(n)?;
        }
        for n in 0..self.cluster.nodes().len() {
            self.cluster.wait_answering(n, BACK_WITHIN).await?;
        }
        self.cluster.wait_settled(BACK_WITHIN).await?;
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let says =
            format!("all three nodes were killed at once; all groups are led again after {ms} ms");
        Ok(Shown::new((), says, json!({ "back_ms": ms })))
    }

    /// Everything that was acknowledged is there: as device two left it, and once more from the
    /// recovery code, read from the nodes anew.
    pub(super) async fn compare_again(&mut self) -> Result<Shown<()>, Failure> {
        let report = self.device_two()?.pull().await?;
        if !report.unchanged {
            return Err(Failure::integrity(anyhow!("device two finds another head than it left")));
        }
        let bytes = compare(
            self.two.as_ref().ok_or_else(|| Failure::refused(anyhow!("no device two")))?,
            &self.expected,
        )?;
        let options = RecoverOptions {
            device_name: "device three".into(),
            protection: passphrase(),
            keep: Keep::All,
            wallet: None,
        };
        let (place, settings) = (self.device("three"), self.settings.clone());
        let (three, _) = Wallet::recover(place, settings, self.recovery_code()?, options).await?;
        compare(&three, &self.expected)?;
        self.cluster.wait_equal(BACK_WITHIN).await?;
        let says = format!(
            "nothing was lost: {bytes} bytes in {} records are the same on device two and, from the \
             recovery code, on a third device",
            self.expected.len()
        );
        Ok(Shown::new((), says, json!({ "records": self.expected.len(), "bytes": bytes })))
    }
}
