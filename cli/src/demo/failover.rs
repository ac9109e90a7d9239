//! The death of a leader in the middle of a stream of pushes: for how long writes are refused, and
//! that none is lost.

use super::{
    stage::Shown,
    theatre::{Theatre, WALLET_GROUPS},
};
use crate::failure::Failure;
use anyhow::anyhow;
use client::{Record, credential::Format};
use rand::Rng;
use serde_json::json;
use server::cluster::group_of;
use std::time::{Duration, Instant};

/// Pushes before the leader dies.
const BEFORE: usize = 20;
/// Pushes after that.
const AFTER: usize = 20;
/// The longest time that writes may be refused.
const OUTAGE_MAX: Duration = Duration::from_secs(2);
/// The size of a record of the stream, in bytes.
const SIZE: usize = 512;
/// How long a leader may take to be known.
const LEADER_WITHIN: Duration = Duration::from_secs(10);

impl Theatre {
    /// Pushes one record after the other, kills the leader of the wallet's group while a push is
    /// under way, and goes on pushing.
    pub(super) async fn kill_leader_while_pushing(&mut self) -> Result<Shown<()>, Failure> {
        let group = group_of(&self.device_one()?.id(), WALLET_GROUPS);
        let leader = self.cluster.wait_leader(group, LEADER_WITHIN).await?;
        let victim = self.cluster.find(&leader).ok_or_else(|| {
            Failure::unavailable(anyhow!(
                "the leader of group {group} is {leader}, no node of this cluster"
            ))
        })?;
        for n in 0..BEFORE {
            self.put_one(n)?;
            self.device_one()?.push().await?;
        }

        self.put_one(BEFORE)?;
        let wallet = self.one.as_mut().ok_or_else(|| Failure::refused(anyhow!("no device one")))?;
        let cluster = &mut self.cluster;
        let mut killed_at = Instant::now();
        // The push is polled first, so it is on its way when its leader dies.
        let (pushed, killed) = tokio::join!(wallet.push(), async {
            tokio::task::yield_now().await;
            killed_at = Instant::now();
            cluster.kill(victim)
        });
        killed?;
        pushed?;
        let mut last = Instant::now();
        // From the moment of death: the first acknowledgement may have been on its way already, so
        // the longest silence until then and between any two later ones is what counts.
        let mut outage = last.saturating_duration_since(killed_at);
        for n in BEFORE + 1..BEFORE + 1 + AFTER {
            self.put_one(n)?;
            self.device_one()?.push().await?;
            outage = outage.max(last.elapsed());
            last = Instant::now();
        }
        self.killed = Some(victim);
        let next = self.cluster.wait_leader(group, LEADER_WITHIN).await?;

        let outage_ms = u64::try_from(outage.as_millis()).unwrap_or(u64::MAX);
        if outage > OUTAGE_MAX {
            let limit = OUTAGE_MAX.as_millis();
            return Err(Failure::refused(anyhow!(
                "writes were refused for {outage_ms} ms after {leader} died; at most {limit} ms are allowed"
            )));
        }
        let pushes = BEFORE + 1 + AFTER;
        let says = format!(
            "{leader} led the wallet's group and was killed in the middle of {pushes} pushes; writes were \
             refused for {outage_ms} ms, then {next} took over"
        );
        let facts = json!({
            "group": group, "killed": leader, "new_leader": next, "pushes": pushes, "outage_ms": outage_ms,
        });
        Ok(Shown::new((), says, facts))
    }

    /// Stores one more record on device one.
    fn put_one(&mut self, n: usize) -> Result<(), Failure> {
        let mut body = vec![0; SIZE];
        rand::rng().fill_bytes(&mut body);
        let name = format!("note-{n:02}");
        self.device_one()?.put(Record::new(Format::Opaque.kind(), &name, body.as_slice()))?;
        self.expected.insert(name, body);
        Ok(())
    }
}
