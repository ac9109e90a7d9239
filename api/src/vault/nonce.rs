//! Nonces of challenges: for one use, within 60 seconds, at the node that gave them.
//!
//! ```text
//! nonce = node u64 ‖ salt 8 ‖ first 16 bytes of H("holdfast/1 nonce", key ‖ node ‖ salt ‖ expires u64)
//! ```
//!
//! Giving one costs no memory: a nonce is known again by its tag, under a key that the process draws at
//! its start and never shows. Only a nonce that came back under a good signature is remembered until it
//! expires, so that strangers cannot fill the table. The node's id stands in front so that any other
//! node knows whom to pass the challenge on to.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use rand::Rng;
use subtle::ConstantTimeEq;
use types::NodeId;
use types::hash::tagged_16;

/// For how long a challenge can be answered, in seconds.
pub(super) const CHALLENGE_S: u64 = 60;

/// A nonce, and what its challenge must carry as expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce {
    /// The 32 bytes.
    pub bytes: [u8; 32],
    /// Unix seconds.
    pub expires_s: u64,
}

/// Why a nonce is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceRefused {
    /// Another node gave it.
    Foreign(NodeId),
    /// It expired, was used, or was never given by this process with this expiry.
    Expired,
    /// Too many challenges were answered within the last minute.
    Full,
}

/// The nonces of one process.
pub(super) struct Nonces {
    key: [u8; 32],
    used_max: usize,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    nonces: HashSet<[u8; 32]>,
    by_expiry: BTreeSet<(u64, [u8; 32])>,
}

impl Nonces {
    /// Remembers at most `used_max` answered challenges at a time.
    pub(super) fn new(used_max: usize) -> Self {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        Self { key, used_max, used: Mutex::default() }
    }

    /// A fresh nonce of this node.
    pub(super) fn give(&self, node: NodeId, now_s: u64) -> Nonce {
        let mut salt = [0; 8];
        rand::rng().fill_bytes(&mut salt);
        let expires_s = now_s.saturating_add(CHALLENGE_S);
        Nonce { bytes: self.build(node, salt, expires_s), expires_s }
    }

    /// Whether this process gave the nonce with this expiry, and it has not run out.
    ///
    /// # Errors
    /// [`NonceRefused`], but not whether it was used: see [`Nonces::spend`].
    pub(super) fn check(
        &self,
        node: NodeId,
        nonce: &Nonce,
        now_s: u64,
    ) -> Result<(), NonceRefused> {
        let (issuer, rest) = split(&nonce.bytes);
        if issuer != node {
            return Err(NonceRefused::Foreign(issuer));
        }
        let mut salt = [0; 8];
        salt.copy_from_slice(&rest[..8]);
        let ours = self.build(node, salt, nonce.expires_s);
        if nonce.expires_s < now_s || !bool::from(ours.ct_eq(&nonce.bytes)) {
            return Err(NonceRefused::Expired);
        }
        Ok(())
    }

    /// Uses the nonce up, once its challenge was found to be well signed.
    ///
    /// # Errors
    /// If it was used before, or too many were used.
    pub(super) fn spend(&self, nonce: &Nonce, now_s: u64) -> Result<(), NonceRefused> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = used.by_expiry.split_off(&(now_s, [0; 32]));
        for (_, expired) in std::mem::replace(&mut used.by_expiry, kept) {
            used.nonces.remove(&expired);
        }
        if used.nonces.contains(&nonce.bytes) {
            return Err(NonceRefused::Expired);
        }
        if used.nonces.len() >= self.used_max {
            return Err(NonceRefused::Full);
        }
        used.nonces.insert(nonce.bytes);
        used.by_expiry.insert((nonce.expires_s, nonce.bytes));
        Ok(())
    }

    fn build(&self, node: NodeId, salt: [u8; 8], expires_s: u64) -> [u8; 32] {
        let (node, expires) = (node.0.to_be_bytes(), expires_s.to_be_bytes());
        let tag = tagged_16("holdfast/1 nonce", &[&self.key, &node, &salt, &expires]);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&node);
        bytes[8..16].copy_from_slice(&salt);
        bytes[16..].copy_from_slice(&tag);
        bytes
    }
}

fn split(nonce: &[u8; 32]) -> (NodeId, &[u8]) {
    let (node, rest) = nonce.split_at(8);
    let mut id = [0; 8];
    id.copy_from_slice(node);
    (NodeId(u64::from_be_bytes(id)), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: NodeId = NodeId(3);
    const NOW_S: u64 = 1_000_000;

    #[test]
    fn a_nonce_is_for_one_use_within_its_minute() {
        let nonces = Nonces::new(10);
        let nonce = nonces.give(HERE, NOW_S);
        assert_eq!(nonce.expires_s, NOW_S + 60);
        assert_eq!(nonces.check(HERE, &nonce, NOW_S + 60), Ok(()));
        assert_eq!(nonces.check(HERE, &nonce, NOW_S + 61), Err(NonceRefused::Expired));
        assert_eq!(nonces.spend(&nonce, NOW_S), Ok(()));
        assert_eq!(nonces.spend(&nonce, NOW_S), Err(NonceRefused::Expired));
        assert_eq!(nonces.spend(&nonce, NOW_S + 60), Err(NonceRefused::Expired));
    }

    #[test]
    fn only_what_this_process_gave_is_accepted() {
        let nonces = Nonces::new(10);
        let nonce = nonces.give(HERE, NOW_S);
        let foreign = Nonces::new(10).give(HERE, NOW_S);
        assert_eq!(nonces.check(HERE, &foreign, NOW_S), Err(NonceRefused::Expired));
        let later = Nonce { expires_s: nonce.expires_s + 1, ..nonce };
        assert_eq!(nonces.check(HERE, &later, NOW_S), Err(NonceRefused::Expired));
        for at in 8..32 {
            let mut flipped = nonce;
            flipped.bytes[at] ^= 1;
            assert_eq!(
                nonces.check(HERE, &flipped, NOW_S),
                Err(NonceRefused::Expired),
                "byte {at}"
            );
        }
    }

    #[test]
    fn a_nonce_names_the_node_that_gave_it() {
        let nonces = Nonces::new(10);
        let nonce = nonces.give(NodeId(7), NOW_S);
        assert_eq!(nonces.check(HERE, &nonce, NOW_S), Err(NonceRefused::Foreign(NodeId(7))));
    }

    #[test]
    fn a_full_table_refuses_until_nonces_expire() {
        let nonces = Nonces::new(2);
        let given: Vec<_> = (0..3).map(|_| nonces.give(HERE, NOW_S)).collect();
        assert_eq!(nonces.spend(&given[0], NOW_S), Ok(()));
        assert_eq!(nonces.spend(&given[1], NOW_S), Ok(()));
        assert_eq!(nonces.spend(&given[2], NOW_S), Err(NonceRefused::Full));
        let later = nonces.give(HERE, NOW_S + 61);
        assert_eq!(nonces.spend(&later, NOW_S + 61), Ok(()));
    }
}
