//! How long things may take, and how often the log is cut.
//!
//! One set of defaults serves every deployment: heartbeat 100 ms, election 300 to 400 ms. A
//! follower waits for the leader's lease (the longest election time) and then for its own random
//! election time, so an outage after a leader's death lasts at most twice the longest election time.

use std::time::Duration;

use openraft::{Config, SnapshotPolicy, StepDownPolicy};

/// The longest time that a follower may wait before it stands for election.
const ELECTION_MAX_MS: u128 = 600_000;

/// Times and log lengths, checked against each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    heartbeat: Duration,
    election_min: Duration,
    election_max: Duration,
    snapshot_every: u64,
}

/// Why a set of times was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// Three heartbeats must fit into the shortest election time, or one lost packet unseats a leader.
    #[error(
        "election_min ({election_min_ms} ms) must be at least three heartbeats ({heartbeat_ms} ms each)"
    )]
    ElectionTooShort {
        /// Shortest election time, milliseconds.
        election_min_ms: u128,
        /// Heartbeat, milliseconds.
        heartbeat_ms: u128,
    },
    /// What is told to wait for hours is not there for anybody, and sums of such times have an end.
    #[error(
        "election_max ({election_max_ms} ms) must be at most ten minutes ({ELECTION_MAX_MS} ms)"
    )]
    TooLong {
        /// Longest election time, milliseconds.
        election_max_ms: u128,
    },
    /// Without a spread, candidates stand at the same moment and split the vote.
    #[error(
        "election_max ({election_max_ms} ms) must be at least 100 ms above election_min ({election_min_ms} ms)"
    )]
    NoSpread {
        /// Shortest election time, milliseconds.
        election_min_ms: u128,
        /// Longest election time, milliseconds.
        election_max_ms: u128,
    },
    /// A heartbeat must leave time for a round trip and a disk sync.
    #[error("heartbeat must be between 20 ms and 10 s, not {heartbeat_ms} ms")]
    Heartbeat {
        /// Heartbeat, milliseconds.
        heartbeat_ms: u128,
    },
    /// A snapshot for every few entries would flush files without end.
    #[error("snapshot_every must be between 100 and 10,000,000 entries, not {entries}")]
    SnapshotEvery {
        /// Entries between two snapshots of a group.
        entries: u64,
    },
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            heartbeat: Duration::from_millis(100),
            election_min: Duration::from_millis(300),
            election_max: Duration::from_millis(400),
            snapshot_every: 10_000,
        }
    }
}

impl Timing {
    /// Checks the relations that elections rest on.
    ///
    /// # Errors
    /// [`TimingError`] names the pair that does not fit.
    pub fn new(
        heartbeat: Duration,
        election_min: Duration,
        election_max: Duration,
        snapshot_every: u64,
    ) -> Result<Self, TimingError> {
        let heartbeat_ms = heartbeat.as_millis();
        let (election_min_ms, election_max_ms) =
            (election_min.as_millis(), election_max.as_millis());
        if !(20..=10_000).contains(&heartbeat_ms) {
            return Err(TimingError::Heartbeat { heartbeat_ms });
        }
        if election_max_ms > ELECTION_MAX_MS {
            return Err(TimingError::TooLong { election_max_ms });
        }
        if election_min_ms < 3 * heartbeat_ms {
            return Err(TimingError::ElectionTooShort { election_min_ms, heartbeat_ms });
        }
        if election_max_ms < election_min_ms + 100 {
            return Err(TimingError::NoSpread { election_min_ms, election_max_ms });
        }
        if !(100..=10_000_000).contains(&snapshot_every) {
            return Err(TimingError::SnapshotEvery { entries: snapshot_every });
        }
        Ok(Timing { heartbeat, election_min, election_max, snapshot_every })
    }

    /// The same, with another distance between snapshots.
    #[cfg(test)]
    pub(crate) fn with_snapshots_every(self, entries: u64) -> Self {
        Timing { snapshot_every: entries, ..self }
    }

    /// How often a leader says that it is alive.
    pub fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// The longest time a follower waits, after the lease, before it stands for election.
    pub fn election_max(&self) -> Duration {
        self.election_max
    }

    /// The longest outage after a leader's death: its lease, then an election time.
    pub fn outage_max(&self) -> Duration {
        self.election_max * 2
    }

    /// How long a peer may leave an append unanswered: it has to sync, and its disk may stall.
    pub(crate) fn append_deadline(&self) -> Duration {
        self.election_max * 4
    }

    /// How long a read may wait for its read index, and how long a node asks others for one.
    pub(crate) fn read_deadline(&self) -> Duration {
        self.outage_max() + self.election_max * 2
    }

    /// How long a proposal may stay without an outcome before its caller is told `Unknown`.
    pub(crate) fn propose_deadline(&self) -> Duration {
        self.outage_max() * 4
    }

    /// openraft's settings. Everything that a default decides and that matters here is spelled out.
    pub(crate) fn openraft(&self, cluster: &str) -> Config {
        let ms = |duration: Duration| duration.as_millis() as u64;
        Config {
            cluster_name: cluster.to_owned(),
            heartbeat_interval: ms(self.heartbeat),
            election_timeout_min: ms(self.election_min),
            election_timeout_max: ms(self.election_max),
            heartbeat_min_interval: Some(0),
            // Not a deadline of ours: a snapshot stream has its own, per frame.
            install_snapshot_timeout: ms(self.append_deadline()),
            max_payload_entries: 1024,
            max_append_entries: Some(4096),
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_every),
            // A follower that is not further behind than one snapshot catches up from the log.
            max_in_snapshot_log_to_keep: self.snapshot_every,
            replication_lag_threshold: 2 * self.snapshot_every,
            // Each purge leaves a range tombstone behind; the default of one would pile them up.
            purge_batch_size: self.snapshot_every.min(1000),
            api_channel_size: Some(8192),
            enable_tick: true,
            enable_heartbeat: true,
            enable_elect: true,
            // A follower asks before it raises the term: a node that comes back disturbs nobody.
            enable_pre_vote: Some(true),
            // A leader cut off from a quorum goes quiet for long enough that others can elect.
            quorum_loss_probe_interval: Some(2 * ms(self.election_max)),
            removed_leader_step_down: StepDownPolicy::After(ms(self.heartbeat)),
            // A restored leader could serve what it has applied, and that may have gone back.
            enable_leader_restore: Some(false),
            // A follower whose log went back is a fault, never something to carry on from.
            allow_log_reversion: Some(false),
            backoff: "50ms 100ms 200ms ...1s".to_owned(),
            ..Config::default()
        }
    }
}

#[cfg(test)]
mod tests;
