//! Rates: how often something may be tried, in total and under one key.
//!
//! The generic cell rate algorithm: one instant is kept per key, the moment at which the allowance is
//! whole again. Keys whose allowance is whole are forgotten, so the memory is bounded by what the
//! total lets through while one key recovers.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An allowance: `burst` at once, then one in every `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many may come at once.
    pub burst: u32,
    /// How long one takes to come back.
    pub every: Duration,
}

impl Rate {
    /// The moment at which the allowance is whole again after one more, or how long to wait for it.
    fn take(&self, whole_at: Instant, now: Instant) -> Result<Instant, Duration> {
        let next = whole_at.max(now) + self.every;
        match next.checked_duration_since(now + self.every * self.burst) {
            Some(wait) if wait > Duration::ZERO => Err(wait),
            _ => Ok(next),
        }
    }
}

/// A total rate, and within it a rate for every key.
pub(crate) struct KeyedRate<K> {
    total: Rate,
    each: Rate,
    state: Mutex<State<K>>,
}

struct State<K> {
    /// `None` until the first: the allowance is whole.
    total: Option<Instant>,
    keys: HashMap<K, Instant>,
    /// Forget the keys that are whole again when there are so many.
    sweep_at: usize,
}

/// Fewest keys at which a sweep is worth its time.
const SWEEP_MIN: usize = 1024;

impl<K: Eq + Hash> KeyedRate<K> {
    /// Nothing has been tried yet.
    pub(crate) fn new(total: Rate, each: Rate) -> Self {
        let state = State { total: None, keys: HashMap::new(), sweep_at: SWEEP_MIN };
        Self { total, each, state: Mutex::new(state) }
    }

    /// Counts one try under `key`.
    ///
    /// # Errors
    /// How long to wait. What is refused for its key counts towards the total all the same.
    pub(crate) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.total = Some(self.total.take(state.total.unwrap_or(now), now)?);
        if state.keys.len() >= state.sweep_at {
            state.keys.retain(|_, whole_at| *whole_at > now);
            state.sweep_at = SWEEP_MIN.max(2 * state.keys.len());
        }
        let whole_at = state.keys.get(&key).copied().unwrap_or(now);
        let next = self.each.take(whole_at, now)?;
        state.keys.insert(key, next);
        Ok(())
    }
}

impl<K: Eq + Hash> KeyedRate<K> {
    /// How long a key has to wait until its allowance lets one through, if it has to.
    pub(crate) fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.each.take(*state.keys.get(key)?, now).err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(burst: u32, every: Duration) -> Rate {
        Rate { burst, every }
    }

    #[test]
    fn a_key_has_its_burst_and_then_its_pace() {
        let tries = KeyedRate::new(rate(100, SECOND), rate(3, 10 * SECOND));
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(tries.take('a', start), Ok(()));
        }
        assert_eq!(tries.take('a', start), Err(10 * SECOND));
        assert_eq!(tries.take('b', start), Ok(()), "another key has its own allowance");
        assert_eq!(tries.take('a', start + 9 * SECOND), Err(SECOND));
        assert_eq!(tries.take('a', start + 10 * SECOND), Ok(()));
        assert_eq!(tries.take('a', start + 10 * SECOND), Err(10 * SECOND));
    }

    #[test]
    fn whoever_has_used_its_allowance_up_is_known() {
        let tries = KeyedRate::new(rate(100, SECOND), rate(2, SECOND));
        let start = Instant::now();
        assert_eq!(tries.wait(&'a', start), None);
        for _ in 0..2 {
            assert_eq!(tries.wait(&'a', start), None);
            tries.take('a', start).unwrap();
        }
        assert_eq!(tries.wait(&'a', start), Some(SECOND));
        assert_eq!(tries.wait(&'b', start), None);
        assert_eq!(tries.wait(&'a', start + SECOND), None);
    }

    #[test]
    fn the_total_holds_whatever_the_keys() {
        let tries = KeyedRate::new(rate(5, SECOND), rate(3, SECOND));
        let start = Instant::now();
        for key in 0..5 {
            assert_eq!(tries.take(key, start), Ok(()));
        }
        assert_eq!(tries.take(99, start), Err(SECOND));
        assert_eq!(tries.take(99, start + SECOND), Ok(()));
    }

    #[test]
    fn keys_that_are_whole_again_are_forgotten() {
        let tries = KeyedRate::new(rate(1_000_000, Duration::from_nanos(1)), rate(1, SECOND));
        let start = Instant::now();
        for key in 0..10 * SWEEP_MIN {
            assert_eq!(tries.take(key, start + key as u32 * SECOND), Ok(()));
        }
        let kept = tries.state.lock().unwrap().keys.len();
        assert!(kept <= SWEEP_MIN, "{kept} keys kept, of which all but one are whole again");
    }
}
