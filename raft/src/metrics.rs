//! What this crate counts.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use types::GroupId;

use crate::peer::connector::Purpose;
use crate::registry::Promise::{Linearizable, NeverBackwards, SelfHealing, ZeroLoss};
use crate::registry::{About, Registry, Unit};
use crate::types::Metrics as RaftMetrics;
use crate::upkeep::latency::SyncTimes;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct GroupLabel {
    group: u32,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FollowerLabel {
    group: u32,
    node: u64,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LinkLabel {
    link: &'static str,
}

type PerGroup<M> = Family<GroupLabel, M>;

/// All of them.
pub(crate) struct NodeMetrics {
    pub(crate) log: LogMetrics,
    pub(crate) peers: PeerMetrics,
    groups: Arc<Groups>,
    zero_loss: Gauge,
    upkeep: UpkeepMetrics,
}

/// What looking after the node counts.
struct UpkeepMetrics {
    quarantined: Gauge,
    fenced: Gauge,
    states_fetched: Counter,
    unclear: Counter,
    scrubs: Counter,
    disk_free: Gauge,
    disk_low: Gauge,
    disk_slow: Gauge,
}

/// What the log writer counts.
#[derive(Clone)]
pub(crate) struct LogMetrics {
    syncs: Counter,
    sync_seconds: Histogram,
    batch_entries: Histogram,
    batch_bytes: Histogram,
    /// The last syncs, to compare this disk with those of others.
    pub(crate) times: SyncTimes,
}

/// What connections count.
#[derive(Clone)]
pub(crate) struct PeerMetrics {
    connections: Family<LinkLabel, Gauge>,
    frames_sent: Counter,
    frames_received: Counter,
    went_back: Counter,
}

struct Groups {
    term: PerGroup<Gauge>,
    leads: PerGroup<Gauge>,
    last: PerGroup<Gauge>,
    committed: PerGroup<Gauge>,
    applied: PerGroup<Gauge>,
    purged: PerGroup<Gauge>,
    lag: Family<FollowerLabel, Gauge>,
    built: PerGroup<Counter>,
    installed: PerGroup<Counter>,
    elections: PerGroup<Counter>,
    read_rounds: PerGroup<Counter>,
    unconfirmed: PerGroup<Counter>,
}

/// What one group counts.
#[derive(Clone)]
pub(crate) struct GroupMetrics {
    groups: Arc<Groups>,
    label: GroupLabel,
}

impl NodeMetrics {
    /// Registers everything, at zero.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        NodeMetrics {
            log: LogMetrics::register(registry),
            peers: PeerMetrics::register(registry),
            groups: Arc::new(Groups::register(registry)),
            zero_loss: registry.show(
                About::new(
                    "zero_loss",
                    "1 while no loss of one data centre can lose an acknowledged write, as far as this node sees",
                )
                .shows(&[ZeroLoss])
                .alert("holdfast_zero_loss == 0 for 1 minute"),
                Gauge::default(),
            ),
            upkeep: UpkeepMetrics::register(registry),
        }
    }

    pub(crate) fn group(&self, group: GroupId) -> GroupMetrics {
        GroupMetrics { groups: self.groups.clone(), label: GroupLabel { group: group.0 } }
    }

    pub(crate) fn zero_loss(&self, holds: bool) {
        self.zero_loss.set(i64::from(holds));
    }

    /// Whether this node promises nothing.
    pub(crate) fn quarantined(&self, is: bool) {
        self.upkeep.quarantined.set(i64::from(is));
    }

    /// How many nodes of the cluster are fenced and not back yet.
    pub(crate) fn fenced(&self, count: usize) {
        self.upkeep.fenced.set(count as i64);
    }

    /// A state that was lost is back.
    pub(crate) fn state_fetched(&self) {
        self.upkeep.states_fetched.inc();
    }

    /// Replicas differ, and nobody knows who is right.
    pub(crate) fn digests_unclear(&self) {
        self.upkeep.unclear.inc();
    }

    /// All of the disk was read again.
    pub(crate) fn scrubbed(&self) {
        self.upkeep.scrubs.inc();
    }

    /// The room on the disk.
    pub(crate) fn disk(&self, free: u64, low: bool) {
        self.upkeep.disk_free.set(i64::try_from(free).unwrap_or(i64::MAX));
        self.upkeep.disk_low.set(i64::from(low));
    }

    /// Whether this disk is slow beside those of the peers.
    pub(crate) fn disk_slow(&self, is: bool) {
        self.upkeep.disk_slow.set(i64::from(is));
    }
}

impl UpkeepMetrics {
    fn register(registry: &mut Registry) -> Self {
        UpkeepMetrics {
            quarantined: registry.show(
                About::new("quarantined", "1 while this node neither votes nor acknowledges, and works on coming back under a new id")
                    .shows(&[ZeroLoss, SelfHealing])
                    .alert("above 0 for 10 minutes: it cannot come back by itself"),
                Gauge::default(),
            ),
            fenced: registry.show(
                About::new("nodes_fenced", "Nodes of the cluster that are fenced and not back yet")
                    .shows(&[SelfHealing]),
                Gauge::default(),
            ),
            states_fetched: registry.show(
                About::new("states_fetched", "States of groups that were lost here and fetched from a peer")
                    .shows(&[SelfHealing]),
                Counter::default(),
            ),
            unclear: registry.show(
                About::new("digests_unclear", "Comparisons in which replicas differed and no majority agreed")
                    .shows(&[ZeroLoss])
                    .alert("any increase: look at the replicas that the log names"),
                Counter::default(),
            ),
            scrubs: registry.show(
                About::new("scrubs", "Times that all of the log and the state was read again and found whole")
                    .shows(&[SelfHealing]),
                Counter::default(),
            ),
            disk_free: registry.show(
                About::new("disk_free", "Room on the disk").in_unit(Unit::Bytes),
                Gauge::default(),
            ),
            disk_low: registry.show(
                About::new("disk_low", "1 while the disk is below its reserve: pushes are refused here")
                    .shows(&[SelfHealing])
                    .alert("above 0: make room"),
                Gauge::default(),
            ),
            disk_slow: registry.show(
                About::new("disk_slow", "1 while the disk is slow beside those of the peers")
                    .shows(&[SelfHealing]),
                Gauge::default(),
            ),
        }
    }
}

impl LogMetrics {
    fn register(registry: &mut Registry) -> Self {
        LogMetrics {
            syncs: registry.show(
                About::new("log_syncs", "Syncs of the Raft log, one for all groups")
                    .shows(&[ZeroLoss]),
                Counter::default(),
            ),
            sync_seconds: registry.show(
                About::new("log_sync", "How long a sync of the Raft log took")
                    .in_unit(Unit::Seconds)
                    .shows(&[ZeroLoss])
                    .alert("99th percentile above 0.1 s for 10 minutes: the disk is slow"),
                Histogram::new(exponential_buckets(0.000_05, 2.0, 16)),
            ),
            batch_entries: registry.show(
                About::new("log_batch_entries", "Entries in one synced batch of the Raft log"),
                Histogram::new(exponential_buckets(1.0, 2.0, 13)),
            ),
            batch_bytes: registry.show(
                About::new("log_batch", "Size of one synced batch of the Raft log")
                    .in_unit(Unit::Bytes),
                Histogram::new(exponential_buckets(256.0, 4.0, 9)),
            ),
            times: SyncTimes::default(),
        }
    }

    pub(crate) fn synced(&self, entries: usize, bytes: usize) {
        let took = self.times.end();
        self.syncs.inc();
        self.sync_seconds.observe(took.as_secs_f64());
        if entries > 0 {
            self.batch_entries.observe(entries as f64);
            self.batch_bytes.observe(bytes as f64);
        }
    }

    /// How many syncs there have been.
    #[cfg(test)]
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.get()
    }
}

impl PeerMetrics {
    fn register(registry: &mut Registry) -> Self {
        PeerMetrics {
            connections: registry.show(
                About::new("peer_connections", "Standing connections to peers, by use")
                    .by(&["link"])
                    .shows(&[SelfHealing])
                    .alert("below the number of other nodes for 5 minutes: a peer is not reached"),
                Family::default(),
            ),
            frames_sent: registry.show(
                About::new("snapshot_frames_sent", "Frames of snapshots sent to peers")
                    .shows(&[SelfHealing]),
                Counter::default(),
            ),
            frames_received: registry.show(
                About::new("snapshot_frames_received", "Frames of snapshots received from peers")
                    .shows(&[SelfHealing]),
                Counter::default(),
            ),
            went_back: registry.show(
                About::new(
                    "peers_went_back",
                    "Peers found to lack what they had acknowledged, and counted no more",
                )
                .shows(&[ZeroLoss, NeverBackwards])
                .alert("any increase: a node came back from an older copy of its disk"),
                Counter::default(),
            ),
        }
    }

    pub(crate) fn connected(&self, purpose: Purpose, change: i64) {
        self.connections.get_or_create(&LinkLabel { link: purpose.name() }).inc_by(change);
    }

    pub(crate) fn snapshot_sent(&self) {
        self.frames_sent.inc();
    }

    pub(crate) fn went_back(&self) {
        self.went_back.inc();
    }

    pub(crate) fn snapshot_received(&self) {
        self.frames_received.inc();
    }
}

impl Groups {
    fn register(registry: &mut Registry) -> Self {
        let mut position = |name, help| {
            let about = About::new(name, help).by(&["group"]);
            registry.show(about, PerGroup::<Gauge>::default())
        };
        let (last, committed, applied, purged) = (
            position("raft_last_index", "Index of the last entry in the log; -1 for none"),
            position("raft_committed_index", "Index of the last committed entry; -1 for none"),
            position("raft_applied_index", "Index of the last applied entry; -1 for none"),
            position("raft_purged_index", "Index of the last purged entry; -1 for none"),
        );
        Groups {
            last,
            committed,
            applied,
            purged,
            term: registry.show(
                About::new("raft_term", "Term of the group").by(&["group"]).shows(&[SelfHealing]),
                Family::default(),
            ),
            leads: registry.show(
                About::new("raft_leader", "1 while this node leads the group")
                    .by(&["group"])
                    .shows(&[SelfHealing])
                    .alert("the sum over all nodes is 0 for a group for 10 s: it takes no writes"),
                Family::default(),
            ),
            lag: registry.show(
                About::new("raft_follower_lag", "Entries that a follower is behind, as its leader sees it")
                    .by(&["group", "node"])
                    .shows(&[ZeroLoss, SelfHealing])
                    .alert("above 10,000 for 10 minutes: a replica does not catch up"),
                Family::default(),
            ),
            built: registry.show(
                About::new("raft_snapshots_built", "Snapshots built").by(&["group"]),
                Family::default(),
            ),
            installed: registry.show(
                About::new("raft_snapshots_installed", "Snapshots installed")
                    .by(&["group"])
                    .shows(&[SelfHealing]),
                Family::default(),
            ),
            elections: registry.show(
                About::new("raft_leader_changes", "Changes of leader seen")
                    .by(&["group"])
                    .shows(&[SelfHealing])
                    .alert("more than 5 within 10 minutes: leadership does not settle"),
                Family::default(),
            ),
            read_rounds: registry.show(
                About::new(
                    "raft_read_rounds",
                    "Read indexes that a majority confirmed, each for all who waited",
                )
                .by(&["group"])
                .shows(&[Linearizable]),
                Family::default(),
            ),
            unconfirmed: registry.show(
                About::new(
                    "raft_read_rounds_unconfirmed",
                    "Read indexes that no majority confirmed in time; those who waited were not answered",
                )
                .by(&["group"])
                .shows(&[Linearizable])
                .alert("any increase for 5 minutes: this leader is cut off from its majority"),
                Family::default(),
            ),
        }
    }
}

impl GroupMetrics {
    pub(crate) fn built(&self) {
        self.groups.built.get_or_create(&self.label).inc();
    }

    pub(crate) fn installed(&self) {
        self.groups.installed.get_or_create(&self.label).inc();
    }

    /// How many snapshots were installed.
    #[cfg(test)]
    pub(crate) fn installs(&self) -> u64 {
        self.groups.installed.get_or_create(&self.label).get()
    }

    pub(crate) fn leader_changed(&self) {
        self.groups.elections.get_or_create(&self.label).inc();
    }

    pub(crate) fn read_round(&self) {
        self.groups.read_rounds.get_or_create(&self.label).inc();
    }

    pub(crate) fn read_unconfirmed(&self) {
        self.groups.unconfirmed.get_or_create(&self.label).inc();
    }

    /// Takes over what openraft reports.
    pub(crate) fn report(&self, metrics: &RaftMetrics) {
        let groups = &self.groups;
        let index = |gauge: &PerGroup<Gauge>, index: Option<u64>| {
            gauge.get_or_create(&self.label).set(index.map_or(-1, |index| index as i64));
        };
        groups.term.get_or_create(&self.label).set(metrics.current_term as i64);
        groups.leads.get_or_create(&self.label).set(i64::from(metrics.state.is_leader()));
        index(&groups.last, metrics.last_log_index);
        index(&groups.committed, metrics.local_committed.map(|id| id.index));
        index(&groups.applied, metrics.last_applied.map(|id| id.index));
        index(&groups.purged, metrics.purged.map(|id| id.index));
        for (node, _) in metrics.membership_config.nodes() {
            let label = FollowerLabel { group: self.label.group, node: *node };
            match metrics.replication.as_ref().and_then(|all| all.get(node)) {
                Some(matched) => {
                    let end = metrics.last_log_index.map_or(0, |index| index + 1);
                    let have = matched.map_or(0, |id| id.index + 1);
                    groups.lag.get_or_create(&label).set(end.saturating_sub(have) as i64);
                }
                None => {
                    groups.lag.remove(&label);
                }
            }
        }
    }
}
