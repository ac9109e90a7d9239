//! What nodes tell each other of their disks, once a second, and who is therefore fit to lead.
//!
//! A node below its reserve, or whose syncs take far longer than those of its peers, gives its leadership
//! to one that is fit; as a follower it slows nobody. Where nobody else is fit, it goes on leading.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval};
use types::{GroupId, NodeId};

use crate::node::Inner;
use crate::peer::convert::{self, ControlKind};

/// How often peers are asked, and how long they may take.
const ASK: Duration = Duration::from_secs(1);
/// Whoever was heard of within this time is there.
pub(crate) const LATELY: Duration = Duration::from_secs(3);
/// A disk that syncs faster than this is never slow.
const SLOW_FLOOR: Duration = Duration::from_millis(50);
/// How many times longer than the peers' a slow disk's syncs take.
const SLOW_TIMES: u32 = 8;
/// For how many looks in a row a disk has to be slow.
const SLOW_LOOKS: u32 = 3;

/// What a node says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Whether its disk is below the reserve.
    pub(crate) low: bool,
    /// Whether its disk is slow.
    pub(crate) slow: bool,
    /// The median of its syncs, in microseconds; 0 if there were none lately.
    pub(crate) sync_us: u64,
}

struct Heard {
    at: Instant,
    said: Said,
}

/// This node's own health, and what it knows of the others'.
#[derive(Default)]
pub(crate) struct Health {
    pub(crate) low: AtomicBool,
    slow_looks: AtomicU32,
    heard: Mutex<BTreeMap<NodeId, Heard>>,
}

impl Health {
    fn heard(&self) -> MutexGuard<'_, BTreeMap<NodeId, Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_slow(&self) -> bool {
        self.slow_looks.load(Ordering::Relaxed) >= SLOW_LOOKS
    }

    /// Whether this node itself should not lead.
    pub(crate) fn is_unfit(&self) -> bool {
        self.low.load(Ordering::Relaxed) || self.is_slow()
    }

    /// Whether a peer said lately that it should not lead.
    pub(crate) fn says_unfit(&self, id: NodeId) -> bool {
        self.heard().get(&id).is_some_and(|heard| heard.said.low || heard.said.slow)
    }

    /// For how long nothing was heard of a peer; none if nothing ever was.
    pub(crate) fn silent_for(&self, id: NodeId) -> Option<Duration> {
        self.heard().get(&id).map(|heard| heard.at.elapsed())
    }
}

/// Whether a disk is slow beside those of the peers.
fn is_slow(own: Duration, peers: &[Duration]) -> bool {
    let mut peers = peers.to_vec();
    peers.sort_unstable();
    let middle = peers.get(peers.len() / 2);
    own >= SLOW_FLOOR && middle.is_some_and(|middle| own >= *middle * SLOW_TIMES)
}

impl Inner {
    pub(crate) fn say_health(&self) -> Said {
        let median = self.metrics.log.times.median();
        Said {
            low: self.health.low.load(Ordering::Relaxed),
            slow: self.health.is_slow(),
            sync_us: median.map_or(0, |median| median.as_micros() as u64),
        }
    }

    async fn ask_health(&self) {
        let roster = self.roster.load_full();
        let others: Vec<NodeId> = roster
            .nodes()
            .filter(|node| node.state.counts() && Some(node.id) != self.id())
            .map(|node| node.id)
            .collect();
        let asked = others.iter().map(|id| async {
            let answer =
                self.peers.call(*id, GroupId::SYSTEM, ControlKind::Health, Bytes::new(), ASK).await;
            if let Ok(said) =
                answer.map_err(|_| ()).and_then(|body| convert::decode_health(body).map_err(|_| ()))
            {
                self.health.heard().insert(*id, Heard { at: Instant::now(), said });
            }
        });
        futures::future::join_all(asked).await;
        let lately = |heard: &Heard| heard.at.elapsed() < LATELY && heard.said.sync_us > 0;
        let peers: Vec<Duration> = self
            .health
            .heard()
            .values()
            .filter(|heard| lately(heard))
            .map(|heard| Duration::from_micros(heard.said.sync_us))
            .collect();
        let slow = self.metrics.log.times.median().is_some_and(|own| is_slow(own, &peers));
        let looks = &self.health.slow_looks;
        let before = looks.load(Ordering::Relaxed);
        looks.store(if slow { before.saturating_add(1) } else { 0 }, Ordering::Relaxed);
        if slow && before + 1 == SLOW_LOOKS {
            tracing::warn!(
                "this node's disk is far slower than its peers'; it leads no more while others can"
            );
        }
        self.metrics.disk_slow(self.health.is_slow());
    }
}

pub(super) fn start(node: &Arc<Inner>) {
    let own = node.clone();
    node.spawn(async move {
        let mut looks = interval(ASK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            own.ask_health().await;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_is_what_is_slow_beside_others() {
        let ms =
            |list: &[u64]| list.iter().map(|ms| Duration::from_millis(*ms)).collect::<Vec<_>>();
        assert!(is_slow(Duration::from_millis(200), &ms(&[1, 2])));
        assert!(!is_slow(Duration::from_millis(200), &ms(&[150, 180])), "all are");
        assert!(!is_slow(Duration::from_millis(20), &ms(&[1, 1])), "fast enough");
        assert!(!is_slow(Duration::from_secs(9), &[]), "nobody to compare with");
    }
}
