#![allow(clippy::unwrap_used)]

use std::time::Duration;

use openraft::{SnapshotPolicy, StepDownPolicy};

use super::{Timing, TimingError};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// openraft's production checklist, as far as it is a matter of settings; the rest of it is in the
/// tests of the log, the links and the clusters.
#[test]
fn the_production_checklist_holds() {
    let config = Timing::default().openraft("test").validate().unwrap();
    assert_eq!(config.heartbeat_interval, 100);
    assert_eq!((config.election_timeout_min, config.election_timeout_max), (300, 400));
    assert_eq!(config.enable_pre_vote, Some(true));
    assert_eq!(config.enable_leader_restore, Some(false));
    assert_eq!(config.allow_log_reversion, Some(false));
    assert!(config.enable_tick && config.enable_heartbeat && config.enable_elect);
    let probe = config.quorum_loss_probe_interval.unwrap();
    assert!(probe >= 2 * config.election_timeout_max, "a lease, then an election");
    let SnapshotPolicy::LogsSinceLast(every) = config.snapshot_policy else {
        panic!("snapshots must come by themselves, or the log is never purged")
    };
    assert!(config.replication_lag_threshold > every, "a snapshot must end a follower's lag");
    assert!(config.purge_batch_size > 1, "each purge leaves a range tombstone");
    assert!(matches!(config.removed_leader_step_down, StepDownPolicy::After(_)));
    assert_eq!(config.cluster_name, "test");
}

#[test]
fn relations_are_checked() {
    Timing::new(ms(100), ms(300), ms(500), 10_000).unwrap();
    Timing::new(ms(100), ms(300), ms(500), 1_000).unwrap();
    let refused = |heartbeat, min, max, every| {
        Timing::new(ms(heartbeat), ms(min), ms(max), every).unwrap_err()
    };
    assert!(matches!(refused(100, 299, 500, 10_000), TimingError::ElectionTooShort { .. }));
    assert!(matches!(refused(100, 300, 399, 10_000), TimingError::NoSpread { .. }));
    assert!(matches!(refused(100, 300, 200, 10_000), TimingError::NoSpread { .. }));
    assert!(matches!(refused(100, 300, 600_001, 10_000), TimingError::TooLong { .. }));
    assert!(matches!(refused(100, 300, 1 << 63, 10_000), TimingError::TooLong { .. }));
    assert!(matches!(refused(19, 300, 500, 10_000), TimingError::Heartbeat { .. }));
    assert!(matches!(refused(100, 300, 500, 99), TimingError::SnapshotEvery { .. }));
}

/// Every time that is made of them can be told, also of the longest.
#[test]
fn the_longest_times_have_sums() {
    let timing = Timing::new(ms(10_000), ms(30_000), ms(600_000), 10_000_000).unwrap();
    assert_eq!(timing.propose_deadline(), 8 * ms(600_000));
    assert!(timing.append_deadline() <= timing.propose_deadline());
    timing.openraft("test").validate().unwrap();
}

/// Whatever is accepted here, openraft accepts too.
#[test]
fn accepted_times_are_valid() {
    for heartbeat in [20, 50, 100, 1_000, 10_000] {
        for times in [3, 5, 10] {
            for spread in [100, 1_000] {
                let min = heartbeat * times;
                let timing = Timing::new(ms(heartbeat), ms(min), ms(min + spread), 100).unwrap();
                timing.openraft("test").validate().unwrap();
            }
        }
    }
}
