//! The reserve of the disk: a node that comes below it takes no more pushes, and gives leadership away,
//! while there is still room for what must go on: votes, the log of the others, revocations, compaction.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::fs::StatVfs;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::host::offload;
use crate::node::{Inner, Node};
use crate::upkeep::Upkeep;

/// How often the room is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Bytes free for this user, and in all.
fn room(directory: &Path) -> std::io::Result<(u64, u64)> {
    Ok(bytes(&rustix::fs::statvfs(directory)?))
}

/// What a file system says of itself; some that are not on a disk say more than there are bytes.
fn bytes(found: &StatVfs) -> (u64, u64) {
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    (bytes(found.f_bavail), bytes(found.f_blocks))
}

/// What must stay free of `total` bytes.
fn reserve(upkeep: &Upkeep, total: u64) -> u64 {
    upkeep.reserve_bytes.min((total / 100).saturating_mul(upkeep.reserve_percent))
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
        let directory = own.config.directory.clone();
        let look = move || room(&directory);
        watch(own.engine.blocks(), &own.stopping, look, |free, total| {
            own.note_room(free, reserve(&own.config.upkeep, total));
        })
        .await;
    });
}

/// Looks until the node stops. A look that failed is followed by another one: who stopped looking would
/// take pushes until the disk is full, or refuse them for ever.
async fn watch(
    blocks: bool,
    stopping: &CancellationToken,
    look: impl Fn() -> std::io::Result<(u64, u64)> + Clone + Send + 'static,
    mut note: impl FnMut(u64, u64),
) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let found = offload(blocks, look.clone()).await;
        if stopping.is_cancelled() {
            return;
        }
        match found.flatten() {
            Ok((free, total)) => note(free, total),
            Err(error) => tracing::warn!(%error, "how much room the disk has cannot be seen"),
        }
    }
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
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn the_reserve_is_the_lesser_of_both() {
        let upkeep = Upkeep::default();
        assert_eq!(reserve(&upkeep, 1 << 40), 1 << 30);
        assert_eq!(reserve(&upkeep, 100 << 20), 5 << 20);
        assert_eq!(reserve(&Upkeep { reserve_bytes: 0, ..upkeep }, 1 << 40), 0);
    }

    #[test]
    fn a_file_system_without_end_has_room() {
        let mut found = rustix::fs::statvfs("/").unwrap();
        (found.f_bavail, found.f_blocks, found.f_frsize) = (u64::MAX, u64::MAX, 4096);
        let (free, total) = bytes(&found);
        let upkeep = Upkeep::default();
        assert!(free > reserve(&Upkeep { reserve_bytes: u64::MAX, ..upkeep }, total) / 100);
        assert_eq!(reserve(&upkeep, total), upkeep.reserve_bytes);
    }

    /// Both ways in which a look fails: the system refuses, and the thread that looks dies.
    #[tokio::test]
    async fn a_look_that_failed_is_followed_by_another() {
        let looked = Arc::new(AtomicUsize::new(0));
        let (count, stopping) = (looked.clone(), CancellationToken::new());
        let look = move || match count.fetch_add(1, Ordering::Relaxed) {
            0 => panic!("as a look may"),
            1 => Err(std::io::ErrorKind::PermissionDenied.into()),
            _ => Ok((7, 9)),
        };
        let mut seen = None;
        watch(true, &stopping, look, |free, total| {
            seen = Some((free, total));
            stopping.cancel();
        })
        .await;
        assert_eq!(seen, Some((7, 9)));
        assert!(looked.load(Ordering::Relaxed) >= 3);
    }
}
