//! What a node's door does unasked: a locked node gives leadership away, health is said aloud, and some
//! numbers are kept up to date.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use types::{NodeId, NodeState, Role};

use crate::Shared;
use crate::admin::report::{Report, backups};

/// How often a node looks at itself.
const LOOK: Duration = Duration::from_millis(200);
/// How often the numbers are renewed that take more than a look.
const TELL: Duration = Duration::from_secs(5);
/// After this many looks a locked leader tries again to find a successor.
const AGAIN: u32 = 10;

/// The services whose health is told, with the empty name for all.
const SERVICES: [&str; 4] =
    ["", "holdfast.v1.Wallets", "holdfast.v1.Devices", "holdfast.v1.Recovery"];

/// Looks after a node until `until`.
pub(crate) async fn attend(inner: Shared, health: HealthReporter, until: CancellationToken) {
    let telling = async { until.run_until_cancelled(tell(&inner)).await };
    futures::future::join(look(&inner, &health, &until), telling).await;
}

/// Keeps the numbers up to date that nothing else does.
async fn tell(inner: &Shared) {
    let mut ticks = interval(TELL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let node = inner.vault.node();
        for group in node.groups() {
            if let Ok(standing) = node.replica(group).map(|reader| reader.standing())
                && let Ok(standing) = standing
            {
                inner.metrics.holds(group, standing.leaves, standing.wallets);
            }
        }
        inner.metrics.self_healing(Report::make(inner, false).await.is_self_healing());
    }
}

async fn look(inner: &Shared, health: &HealthReporter, until: &CancellationToken) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut rest) = (None, 0);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = until.cancelled() => return,
        }
        let status = match inner.ready() {
            Ok(()) => ServingStatus::Serving,
            Err(_) => ServingStatus::NotServing,
        };
        if told != Some(status) {
            for service in SERVICES {
                health.set_service_status(service, status).await;
            }
            told = Some(status);
        }
        let locked = inner.vault.keyring().is_locked();
        inner.metrics.locked(locked);
        inner.metrics.backups(backups(inner).map(|backup| Some(backup?.time_ms)));
        rest = match (locked && leads_something(inner), rest) {
            (true, 0) => {
                give_away(inner).await;
                AGAIN
            }
            (true, rest) => rest - 1,
            (false, _) => 0,
        };
    }
}

fn leads_something(inner: &Shared) -> bool {
    let node = inner.vault.node();
    node.groups().into_iter().any(|group| node.is_leader(group))
}

/// Gives every leadership of a locked node to a node that is not locked, if there is one.
async fn give_away(inner: &Shared) {
    let node = inner.vault.node();
    let (unlocked, status) = futures::future::join(unlocked_peers(inner), node.status()).await;
    for group in status.groups.iter().filter(|status| node.is_leader(status.group)) {
        let voters = group.replicas.iter().filter(|replica| replica.voter);
        for to in voters.map(|voter| voter.node).filter(|voter| unlocked.contains(voter)) {
            match node.transfer(group.group, to).await {
                Ok(()) => {
                    tracing::info!(group = %group.group, %to, "this node is locked: another one leads now");
                    break;
                }
                Err(error) => {
                    tracing::warn!(group = %group.group, %to, %error, "this node is locked and still leads")
                }
            }
        }
    }
}

/// The nodes that could lead and say that they hold the epoch key.
async fn unlocked_peers(inner: &Shared) -> Vec<NodeId> {
    let nodes = inner.vault.node().nodes().into_iter();
    let able = nodes.filter(|node| node.state == NodeState::Active && node.role == Role::Data);
    let asked = join_all(able.map(|node| async move {
        let said = inner.forwarder.describe(node.id).await;
        said.is_some_and(|said| !said.locked).then_some(node.id)
    }));
    asked.await.into_iter().flatten().collect()
}
