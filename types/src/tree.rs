//! RFC 6962 Merkle trees: the history of a wallet's heads, and the audit trail.
//!
//! A leaf is `SHA-256(00 ‖ data)`, a node `SHA-256(01 ‖ left ‖ right)`, and the empty tree `SHA-256()`.
//! A [`Frontier`] is what it takes to append and to know the tree's hash: one hash for each bit set in
//! its size. Proofs are made over whatever can name the hash of a complete subtree ([`Subtrees`]), and
//! checked by the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::ids::{HeadHash, TreeHash};

mod proof;

pub use proof::{
    ProofRefused, consistency_proof, inclusion_proof, tree_hash, verify_consistency,
    verify_inclusion,
};

/// The hash of a leaf.
pub fn leaf_hash(data: &[u8]) -> TreeHash {
    TreeHash::from_bytes(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
}

/// The hash of a node over two others.
pub fn node_hash(left: &TreeHash, right: &TreeHash) -> TreeHash {
    TreeHash::from_bytes(
        Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into(),
    )
}

/// The hash of the tree without leaves.
pub fn empty_hash() -> TreeHash {
    TreeHash::from_bytes(Sha256::digest([]).into())
}

/// The right edge of a tree: enough to append to it and to know its hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FrontierParts")]
pub struct Frontier {
    size: u64,
    /// The complete subtrees that make up the tree, the largest first.
    peaks: Vec<TreeHash>,
}

/// A frontier as read, before anybody has counted.
#[derive(Deserialize)]
struct FrontierParts {
    size: u64,
    peaks: Vec<TreeHash>,
}

/// A frontier that has not one hash for each bit set in its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a tree's frontier has one hash for each bit set in its size; this one has another number")]
pub struct FrontierError;

impl Frontier {
    /// The tree without leaves.
    pub const EMPTY: Self = Self { size: 0, peaks: Vec::new() };

    /// The most leaves of a frontier that is read back: it can be appended to.
    const READ_MAX: u64 = 1 << 62;

    /// The frontier of `size` leaves with these complete subtrees, the largest first.
    pub fn from_parts(size: u64, peaks: Vec<TreeHash>) -> Result<Self, FrontierError> {
        if size <= Self::READ_MAX && peaks.len() == size.count_ones() as usize {
            Ok(Self { size, peaks })
        } else {
            Err(FrontierError)
        }
    }

    /// How many leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The complete subtrees, the largest first.
    pub fn peaks(&self) -> &[TreeHash] {
        &self.peaks
    }

    /// Appends a leaf by its data.
    pub fn append(&mut self, data: &[u8]) {
        self.append_hash(leaf_hash(data));
    }

    /// Appends a leaf by its hash.
    pub fn append_hash(&mut self, leaf: TreeHash) {
        // Each bit that the increment carries over joins two subtrees of one size.
        let joined = (0..self.size.trailing_ones()).fold(leaf, |right, _| match self.peaks.pop() {
            Some(left) => node_hash(&left, &right),
            None => right,
        });
        self.peaks.push(joined);
        self.size += 1;
    }

    /// Appends heads, whose hashes are the data of the leaves of a wallet's history.
    pub fn append_heads<'a>(&mut self, heads: impl IntoIterator<Item = &'a HeadHash>) {
        for head in heads {
            self.append(head.as_bytes());
        }
    }

    /// The hash of the tree.
    pub fn root(&self) -> TreeHash {
        let Some((last, before)) = self.peaks.split_last() else {
            return empty_hash();
        };
        before.iter().rev().fold(*last, |right, left| node_hash(left, &right))
    }
}

impl TryFrom<FrontierParts> for Frontier {
    type Error = FrontierError;

    fn try_from(parts: FrontierParts) -> Result<Self, FrontierError> {
        Self::from_parts(parts.size, parts.peaks)
    }
}

/// Whoever can name the hash of a complete subtree.
pub trait Subtrees {
    /// Why a hash could not be had.
    type Error;

    /// The hash over the `2^level` leaves from leaf `index * 2^level` on.
    fn subtree(&self, level: u32, index: u64) -> Result<TreeHash, Self::Error>;
}

/// Leaf hashes at hand; every subtree is computed from them.
#[derive(Clone, Copy, Debug)]
pub struct Leaves<'a>(pub &'a [TreeHash]);

/// A leaf was asked for that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("leaf {0} is not in the tree")]
pub struct NoLeaf(pub u64);

impl Subtrees for Leaves<'_> {
    type Error = NoLeaf;

    fn subtree(&self, level: u32, index: u64) -> Result<TreeHash, NoLeaf> {
        let leaves = 1_u64.checked_shl(level).ok_or(NoLeaf(u64::MAX))?;
        let first = index.checked_mul(leaves).ok_or(NoLeaf(u64::MAX))?;
        let end = first.checked_add(leaves).ok_or(NoLeaf(u64::MAX))?;
        let range = usize::try_from(first).ok().zip(usize::try_from(end).ok());
        let leaves =
            range.and_then(|(first, end)| self.0.get(first..end)).ok_or(NoLeaf(end - 1))?;
        let mut frontier = Frontier::EMPTY;
        leaves.iter().for_each(|leaf| frontier.append_hash(*leaf));
        Ok(frontier.root())
    }
}

#[cfg(test)]
mod tests;
