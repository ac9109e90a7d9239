//! How long a node's own syncs take.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Older syncs say nothing about the disk as it is.
const WINDOW: Duration = Duration::from_secs(10);
/// No more are kept.
const KEPT: usize = 256;

/// The last syncs of the log. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct SyncTimes(Arc<Mutex<Times>>);

#[derive(Default)]
struct Times {
    done: VecDeque<(Instant, Duration)>,
    /// Since when one is under way.
    under_way: Option<Instant>,
}

impl Times {
    fn keep(&mut self, took: Duration) {
        if self.done.len() == KEPT {
            self.done.pop_front();
        }
        self.done.push_back((Instant::now(), took));
    }
}

impl SyncTimes {
    pub(crate) fn begin(&self) {
        self.times().under_way = Some(Instant::now());
    }

    /// How long the one under way took.
    pub(crate) fn end(&self) -> Duration {
        let mut times = self.times();
        let took = times.under_way.take().map(|since| since.elapsed()).unwrap_or_default();
        times.keep(took);
        took
    }

    /// The median of the last ten seconds, the one under way included once it takes longer than that;
    /// none if there was no sync.
    pub(crate) fn median(&self) -> Option<Duration> {
        let mut times = self.times();
        while times.done.front().is_some_and(|(at, _)| at.elapsed() > WINDOW) {
            times.done.pop_front();
        }
        let mut took: Vec<Duration> = times.done.iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        let median = took.get(took.len() / 2).copied();
        median.max(times.under_way.map(|since| since.elapsed()).filter(|long| *long > STUCK))
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sync that takes longer than this counts before it has ended.
const STUCK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_slow_sync_is_not_a_slow_disk() {
        let times = SyncTimes::default();
        assert_eq!(times.median(), None);
        let ms = Duration::from_millis;
        for took in [2, 2, 900, 2, 3] {
            times.times().keep(ms(took));
        }
        assert_eq!(times.median().unwrap(), ms(2));
        for _ in 0..6 {
            times.times().keep(ms(400));
        }
        assert_eq!(times.median().unwrap(), ms(400));
    }
}
