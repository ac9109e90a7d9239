//! A digest of a group's whole state that costs only what changes.
//!
//! The digest of a set of pairs is the sum of the hashes of its pairs, modulo 2^256. It does not
//! depend on the order in which pairs came, a pair that goes is subtracted, and a whole state can be
//! counted anew from a scan. A pair is hashed as
//!
//! ```text
//! SHA-256("holdfast/1 state" ‖ 00 ‖ key length u16 ‖ key ‖ value)
//! ```
//!
//! where the key is {slot, table, rest}: without group and incarnation, because a state that was
//! copied into a new incarnation is the same state. The row that says how far the group has come
//! holds this digest, so it alone is left out. What is written over or removed has to be subtracted, so
//! it is read once more; only a record's body, which may be large, is not: its entry keeps its
//! [`PairHash`].
//!
//! What this is for: replicas at the same position compare digests, and a snapshot is believed only
//! if what arrived has the digest it announced. It finds damage and divergence, by accident or
//! design of one node. A sum of 256 bits is not collision-resistant against somebody who may choose
//! thousands of pairs (Wagner's generalised birthday attack); nobody would gain by that here, as all
//! replicas apply the same pairs. A lattice hash would close even that, at fifty times the cost for
//! every row written. The exclusive or was not chosen because it costs the same and is weaker.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::hash::tagged;

#[cfg(test)]
mod tests;

/// The hash of one pair: what it adds to the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PairHash([u8; 32]);

impl PairHash {
    /// The hash of a pair; the key without group and incarnation.
    pub fn of(key: &[u8], value: &[u8]) -> Self {
        // Keys are at most 64 bytes long: see `keys`.
        let length = (key.len() as u16).to_be_bytes();
        PairHash(tagged("holdfast/1 state", &[&length, key, value]))
    }

    /// Its first bits, as good as random, and equal wherever the pair is.
    pub(crate) fn bits(&self) -> u64 {
        self.0.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }
}

/// The digest of a set of pairs. The empty set's is zero.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StateDigest([u64; 4]);

impl StateDigest {
    /// Counts a pair in.
    pub fn add(&mut self, pair: PairHash) {
        let mut carry = false;
        for (sum, term) in self.0.iter_mut().zip(words(pair.0)) {
            (*sum, carry) = add(*sum, term, carry);
        }
    }

    /// Counts a pair out that was counted in before.
    pub fn remove(&mut self, pair: PairHash) {
        // Subtraction is the addition of the complement, plus one.
        let mut carry = true;
        for (sum, term) in self.0.iter_mut().zip(words(pair.0)) {
            (*sum, carry) = add(*sum, !term, carry);
        }
    }

    /// The digest as 32 bytes, least significant first.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (to, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// The digest of these 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        StateDigest(words(bytes))
    }
}

impl fmt::Display for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateDigest({self})")
    }
}

fn words(bytes: [u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, from) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*from);
    }
    words
}

fn add(left: u64, right: u64, carry: bool) -> (u64, bool) {
    let (sum, first) = left.overflowing_add(right);
    let (sum, second) = sum.overflowing_add(u64::from(carry));
    (sum, first || second)
}
