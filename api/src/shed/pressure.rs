//! How long to wait, told to those who are refused: the more of them there are, the longer, so that a
//! crowd that comes back as it is told does not keep the node busy with refusing it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The shortest wait, in milliseconds.
pub(crate) const WAIT_MIN_MS: u32 = 200;
/// The longest, in milliseconds: as long as a client believes.
const WAIT_MAX_MS: u32 = 5_000;
/// For how long refusals are counted together.
const WINDOW: Duration = Duration::from_secs(1);

/// Refusals of the present window and the one before.
#[derive(Default)]
pub(super) struct Pressure(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    since: Option<Instant>,
    now: usize,
    before: usize,
}

impl Pressure {
    /// One more is refused by a pool of so many places. How long it should wait, in milliseconds.
    pub(super) fn refused(&self, places: usize, now: Instant) -> u32 {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = counted.since.map(|since| now.saturating_duration_since(since));
        match passed {
            Some(passed) if passed < WINDOW => counted.now += 1,
            passed => {
                let adjacent = passed.is_some_and(|passed| passed < 2 * WINDOW);
                counted.before = if adjacent { counted.now } else { 0 };
                (counted.since, counted.now) = (Some(now), 1);
            }
        }
        let crowds = counted.now.max(counted.before).saturating_sub(1) / places.max(1);
        let times = u32::try_from(crowds).unwrap_or(u32::MAX).saturating_add(1);
        times.saturating_mul(WAIT_MIN_MS).min(WAIT_MAX_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_the_crowd_the_longer_the_wait() {
        let (pressure, start) = (Pressure::default(), Instant::now());
        assert_eq!(pressure.refused(10, start), 200);
        let waits: Vec<_> = (0..99).map(|_| pressure.refused(10, start)).collect();
        assert_eq!(waits.last(), Some(&2_000), "ten times as many as there are places");
        assert_eq!(pressure.refused(10, start + WINDOW), 2_000, "it was so a moment ago");
        assert_eq!(pressure.refused(10, start + 4 * WINDOW), 200, "it is over");
        let many = (0..10_000).map(|_| pressure.refused(0, start + 4 * WINDOW)).last();
        assert_eq!(many, Some(5_000));
    }
}
