//! What this crate counts. Everything begins with `holdfast_` and stands in the registry of the node,
//! so that several nodes in one process do not share numbers.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use types::GroupId;

use crate::peer::connector::Purpose;
use crate::types::Metrics as RaftMetrics;

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
}

/// What the log writer counts.
#[derive(Clone)]
pub(crate) struct LogMetrics {
    syncs: Counter,
    sync_seconds: Histogram,
    batch_entries: Histogram,
    batch_bytes: Histogram,
}

/// What connections count.
#[derive(Clone)]
pub(crate) struct PeerMetrics {
    connections: Family<LinkLabel, Gauge>,
    frames_sent: Counter,
    frames_received: Counter,
    went_back: Counter,
}

#[derive(Default)]
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
}

/// What one group counts.
#[derive(Clone)]
pub(crate) struct GroupMetrics {
    groups: Arc<Groups>,
    label: GroupLabel,
}

impl NodeMetrics {
    /// Registers everything.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("holdfast");
        let log = LogMetrics {
            syncs: Counter::default(),
            sync_seconds: Histogram::new(exponential_buckets(0.000_05, 2.0, 16)),
            batch_entries: Histogram::new(exponential_buckets(1.0, 2.0, 13)),
            batch_bytes: Histogram::new(exponential_buckets(256.0, 4.0, 9)),
        };
        registry.register(
            "log_syncs",
            "Syncs of the Raft log, one for all groups",
            log.syncs.clone(),
        );
        let seconds = log.sync_seconds.clone();
        registry.register_with_unit(
            "log_sync",
            "How long a sync of the Raft log took",
            Unit::Seconds,
            seconds,
        );
        registry.register(
            "log_batch_entries",
            "Entries in one synced batch of the Raft log",
            log.batch_entries.clone(),
        );
        let bytes = log.batch_bytes.clone();
        registry.register_with_unit(
            "log_batch",
            "Size of one synced batch of the Raft log",
            Unit::Bytes,
            bytes,
        );

        let peers = PeerMetrics {
            connections: Family::default(),
            frames_sent: Counter::default(),
            frames_received: Counter::default(),
            went_back: Counter::default(),
        };
        registry.register(
            "peer_connections",
            "Standing connections to peers, by use",
            peers.connections.clone(),
        );
        registry.register(
            "snapshot_frames_sent",
            "Frames of snapshots sent to peers",
            peers.frames_sent.clone(),
        );
        registry.register(
            "snapshot_frames_received",
            "Frames of snapshots received from peers",
            peers.frames_received.clone(),
        );
        registry.register(
            "peers_went_back",
            "Peers found to lack what they had acknowledged",
            peers.went_back.clone(),
        );

        let groups = Groups::default();
        registry.register("raft_term", "Term of the group", groups.term.clone());
        registry.register("raft_leader", "Whether this node leads the group", groups.leads.clone());
        registry.register(
            "raft_last_index",
            "Index of the last entry in the log",
            groups.last.clone(),
        );
        registry.register(
            "raft_committed_index",
            "Index of the last committed entry",
            groups.committed.clone(),
        );
        registry.register(
            "raft_applied_index",
            "Index of the last applied entry",
            groups.applied.clone(),
        );
        registry.register(
            "raft_purged_index",
            "Index of the last purged entry",
            groups.purged.clone(),
        );
        registry.register(
            "raft_follower_lag",
            "Entries a follower is behind its leader",
            groups.lag.clone(),
        );
        registry.register("raft_snapshots_built", "Snapshots built", groups.built.clone());
        registry.register(
            "raft_snapshots_installed",
            "Snapshots installed",
            groups.installed.clone(),
        );
        registry.register(
            "raft_leader_changes",
            "Changes of leader seen",
            groups.elections.clone(),
        );
        registry.register(
            "raft_read_rounds",
            "Read indexes obtained, each for all that waited",
            groups.read_rounds.clone(),
        );
        let zero_loss = Gauge::default();
        registry.register(
            "zero_loss",
            "Whether no loss of one data centre can lose an acknowledged write",
            zero_loss.clone(),
        );
        NodeMetrics { log, peers, groups: Arc::new(groups), zero_loss }
    }

    pub(crate) fn group(&self, group: GroupId) -> GroupMetrics {
        GroupMetrics { groups: self.groups.clone(), label: GroupLabel { group: group.0 } }
    }

    pub(crate) fn zero_loss(&self, holds: bool) {
        self.zero_loss.set(i64::from(holds));
    }
}

impl LogMetrics {
    pub(crate) fn synced(&self, took: Duration, entries: usize, bytes: usize) {
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

impl GroupMetrics {
    pub(crate) fn built(&self) {
        self.groups.built.get_or_create(&self.label).inc();
    }

    pub(crate) fn installed(&self) {
        self.groups.installed.get_or_create(&self.label).inc();
    }

    pub(crate) fn leader_changed(&self) {
        self.groups.elections.get_or_create(&self.label).inc();
    }

    pub(crate) fn read_round(&self) {
        self.groups.read_rounds.get_or_create(&self.label).inc();
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
