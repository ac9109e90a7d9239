//! Proofs that were seen: a DPoP proof counts once.
//!
//! Two sets, each for one window. A proof is looked up in both and put into the newer; when the newer
//! is a window old, the older is dropped. So every proof is remembered for at least the window in which
//! its `iat` is acceptable, and for at most twice that. Bounded: when a set is full, proofs are refused
//! rather than forgotten. Only holders of a session get as far as this.
//!
//! The cache is this node's own. A proof names its request, not its node, so one captured on the way
//! could be shown once to each other node within the window; the channel is TLS, and what a proof lets
//! through is a read.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use seal::dpop::{AGE_MAX_S, AHEAD_MAX_S};
use types::hash::tagged_16;

/// For how long a proof can be shown again, in seconds.
const WINDOW_S: u64 = AGE_MAX_S + AHEAD_MAX_S;

/// The proofs seen by one node.
pub(crate) struct SeenProofs {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the newer set was begun, in Unix seconds.
    since_s: u64,
    newer: HashSet<[u8; 16]>,
    older: HashSet<[u8; 16]>,
}

/// What is known of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It was not seen before, and is remembered now.
    First,
    /// It was shown already.
    Again,
    /// Too many proofs are remembered to take on another; try later.
    Full,
}

impl SeenProofs {
    /// Remembers at most `limit` proofs in one window.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Notes the proof `jti` of the key with this thumbprint, at Unix time `now_s`.
    pub(crate) fn note(&self, thumbprint: &[u8; 32], jti: &str, now_s: u64) -> Seen {
        let name = tagged_16("holdfast/1 proof", &[thumbprint, jti.as_bytes()]);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.turn(now_s);
        if state.newer.contains(&name) || state.older.contains(&name) {
            return Seen::Again;
        }
        if state.newer.len() >= self.limit {
            return Seen::Full;
        }
        state.newer.insert(name);
        Seen::First
    }
}

impl State {
    /// Drops what no window reaches any more.
    fn turn(&mut self, now_s: u64) {
        // A clock that was set back keeps both sets until it has caught up: longer, never shorter.
        let age_s = now_s.saturating_sub(self.since_s);
        if age_s < WINDOW_S {
            return;
        }
        self.older = std::mem::take(&mut self.newer);
        if age_s >= 2 * WINDOW_S {
            self.older.clear();
        }
        self.since_s = now_s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [1; 32];

    #[test]
    fn a_proof_counts_once_within_its_window() {
        let seen = SeenProofs::new(10);
        for start_s in [1_000_000, 2_000_000] {
            assert_eq!(seen.note(&KEY, "a", start_s), Seen::First);
            for later_s in 0..WINDOW_S {
                assert_eq!(
                    seen.note(&KEY, "a", start_s + later_s),
                    Seen::Again,
                    "{later_s} s later"
                );
            }
        }
    }

    #[test]
    fn proofs_of_other_keys_are_other_proofs() {
        let seen = SeenProofs::new(10);
        assert_eq!(seen.note(&KEY, "a", 1_000_000), Seen::First);
        assert_eq!(seen.note(&[2; 32], "a", 1_000_000), Seen::First);
        assert_eq!(seen.note(&KEY, "b", 1_000_000), Seen::First);
    }

    #[test]
    fn a_full_cache_refuses_and_recovers() {
        let seen = SeenProofs::new(2);
        assert_eq!(seen.note(&KEY, "a", 1_000_000), Seen::First);
        assert_eq!(seen.note(&KEY, "b", 1_000_000), Seen::First);
        assert_eq!(seen.note(&KEY, "c", 1_000_001), Seen::Full);
        assert_eq!(seen.note(&KEY, "a", 1_000_001), Seen::Again, "what is remembered stays known");
        assert_eq!(seen.note(&KEY, "c", 1_000_000 + WINDOW_S), Seen::First);
    }

    #[test]
    fn a_clock_set_back_forgets_nothing() {
        let seen = SeenProofs::new(10);
        assert_eq!(seen.note(&KEY, "a", 1_000_000), Seen::First);
        assert_eq!(seen.note(&KEY, "a", 900_000), Seen::Again);
        assert_eq!(seen.note(&KEY, "a", 1_000_001), Seen::Again);
    }
}
