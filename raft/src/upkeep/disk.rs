//! The reserve of the disk: a node that comes below it takes no more pushes, and gives leadership away,
//! while there is still room for what must go on: votes, the log of the others, revocations, compaction.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::host::offload;
use crate::node::{Inner, Node};
use crate::upkeep::Upkeep;

/// How often the room is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Bytes free for this user, and in all.
fn room(directory: &Path) -> std::io::Result<(u64, u64)> {
    let found = rustix::fs::statvfs(directory)?;
    Ok((found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize))
}

/// What must stay free of `total` bytes.
fn reserve(upkeep: &Upkeep, total: u64) -> u64 {
    upkeep.reserve_bytes.min(total / 100 * upkeep.reserve_percent)
}

impl Node {
    /// Whether the disk is below its reserve: then pushes are refused here.
    pub fn disk_is_low(&self) -> bool {
        self.inner.health.low.load(Ordering::Relaxed)
    }
}

pub(super) fn start(node: &Arc<Inner>) {
    let own = node.clone();
    node.spawn(async move {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let directory = own.config.directory.clone();
            let Ok(found) = offload(own.engine.blocks(), move || room(&directory)).await else {
                return;
            };
            match found {
                Ok((free, total)) => own.note_room(free, reserve(&own.config.upkeep, total)),
                Err(error) => tracing::warn!(%error, "how much room the disk has cannot be seen"),
            }
        }
    });
}

impl Inner {
    fn note_room(&self, free: u64, reserve: u64) {
        let low = free < reserve;
        self.metrics.disk(free, low);
        if self.health.low.swap(low, Ordering::Relaxed) == low {
            return;
        }
        let mib = |bytes: u64| bytes >> 20;
        if low {
            tracing::error!(
                free_mib = mib(free),
                reserve_mib = mib(reserve),
                "the disk is below its reserve: pushes are refused here until there is room"
            );
        } else {
            tracing::info!(free_mib = mib(free), "the disk has room again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_the_lesser_of_both() {
        let upkeep = Upkeep::default();
        assert_eq!(reserve(&upkeep, 1 << 40), 1 << 30);
        assert_eq!(reserve(&upkeep, 100 << 20), 5 << 20);
        assert_eq!(reserve(&Upkeep { reserve_bytes: 0, ..upkeep }, 1 << 40), 0);
    }
}
