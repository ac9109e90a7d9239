//! Proofs that a leaf is in a tree, and that one tree is the beginning of another.

use thiserror::Error;

use super::{Subtrees, empty_hash, node_hash};
use crate::ids::TreeHash;

/// A proof does not prove what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofRefused {
    /// The proof is asked of a place, or of a size, that the tree does not have.
    #[error("the tree does not reach that far")]
    OutOfRange,
    /// The proof has another number of hashes than one for these sizes.
    #[error("the proof has the wrong length")]
    Length,
    /// The proof leads to another hash than that of the tree.
    #[error("the proof does not lead to the tree's hash")]
    Mismatch,
}

/// The hash of the tree of the first `size` leaves.
pub fn tree_hash<S: Subtrees>(subtrees: &S, size: u64) -> Result<TreeHash, S::Error> {
    if size == 0 { Ok(empty_hash()) } else { range_hash(subtrees, 0, size) }
}

/// PATH(index, D\[size\]) of RFC 6962, section 2.1.1: the hashes beside the way from a leaf to the root.
/// `None` if the tree has no such leaf.
pub fn inclusion_proof<S: Subtrees>(
    subtrees: &S,
    index: u64,
    size: u64,
) -> Result<Option<Vec<TreeHash>>, S::Error> {
    if index >= size {
        return Ok(None);
    }
    let mut proof = Vec::new();
    let (mut first, mut end) = (0, size);
    while end - first > 1 {
        let middle = first + split(end - first);
        if index < middle {
            proof.push(range_hash(subtrees, middle, end)?);
            end = middle;
        } else {
            proof.push(range_hash(subtrees, first, middle)?);
            first = middle;
        }
    }
    proof.reverse();
    Ok(Some(proof))
}

/// PROOF(old, D\[size\]) of RFC 6962, section 2.1.2: what it takes to see that the first `old` leaves are
/// the beginning of the tree. Empty if they are nothing or everything; `None` if there are not as many.
pub fn consistency_proof<S: Subtrees>(
    subtrees: &S,
    old: u64,
    size: u64,
) -> Result<Option<Vec<TreeHash>>, S::Error> {
    if old > size {
        return Ok(None);
    }
    let mut proof = Vec::new();
    if old == 0 || old == size {
        return Ok(Some(proof));
    }
    let (mut first, mut end) = (0, size);
    while old != end {
        let middle = first + split(end - first);
        if old <= middle {
            proof.push(range_hash(subtrees, middle, end)?);
            end = middle;
        } else {
            proof.push(range_hash(subtrees, first, middle)?);
            first = middle;
        }
    }
    if first != 0 {
        // The old tree does not end on one complete subtree from its beginning: its last one is named.
        proof.push(range_hash(subtrees, first, end)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Checks an inclusion proof (RFC 9162, section 2.1.3.2).
pub fn verify_inclusion(
    leaf: &TreeHash,
    index: u64,
    size: u64,
    root: &TreeHash,
    proof: &[TreeHash],
) -> Result<(), ProofRefused> {
    if index >= size {
        return Err(ProofRefused::OutOfRange);
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(ProofRefused::Length);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            let lonely = if at & 1 == 1 { 0 } else { at.trailing_zeros() };
            (at, last) = (shift(at, lonely), shift(last, lonely));
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    match last {
        0 if hash == *root => Ok(()),
        0 => Err(ProofRefused::Mismatch),
        _ => Err(ProofRefused::Length),
    }
}

/// Checks a consistency proof (RFC 9162, section 2.1.4.2): the tree of `old_size` leaves and hash `old`
/// is the beginning of the tree of `size` leaves and hash `root`.
pub fn verify_consistency(
    old_size: u64,
    old: &TreeHash,
    size: u64,
    root: &TreeHash,
    proof: &[TreeHash],
) -> Result<(), ProofRefused> {
    if old_size > size {
        return Err(ProofRefused::OutOfRange);
    }
    if old_size == 0 || old_size == size {
        let same = if old_size == 0 { *old == empty_hash() } else { old == root };
        return match (proof.is_empty(), same) {
            (false, _) => Err(ProofRefused::Length),
            (true, false) => Err(ProofRefused::Mismatch),
            (true, true) => Ok(()),
        };
    }
    // A complete old tree is its own first hash, which the proof therefore leaves out.
    let (first, rest) = if old_size.is_power_of_two() {
        (old, proof)
    } else {
        proof.split_first().ok_or(ProofRefused::Length)?
    };
    let skipped = (old_size - 1).trailing_ones();
    let (mut at, mut last) = (shift(old_size - 1, skipped), shift(size - 1, skipped));
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofRefused::Length);
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            let lonely = if at & 1 == 1 { 0 } else { at.trailing_zeros() };
            (at, last) = (shift(at, lonely), shift(last, lonely));
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    match last {
        0 if old_hash == *old && new_hash == *root => Ok(()),
        0 => Err(ProofRefused::Mismatch),
        _ => Err(ProofRefused::Length),
    }
}

/// Where RFC 6962 divides `len` leaves, two or more: the largest power of two below `len`.
const fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

/// `value >> by`, also for `by = 64`.
fn shift(value: u64, by: u32) -> u64 {
    value.checked_shr(by).unwrap_or(0)
}

/// MTH over the leaves `first..end`, at least one, where `first` is a multiple of the subtrees' sizes.
fn range_hash<S: Subtrees>(subtrees: &S, first: u64, end: u64) -> Result<TreeHash, S::Error> {
    let len = end - first;
    if len.is_power_of_two() {
        let level = len.ilog2();
        return subtrees.subtree(level, first >> level);
    }
    let middle = first + split(len);
    let right = range_hash(subtrees, middle, end)?;
    Ok(node_hash(&range_hash(subtrees, first, middle)?, &right))
}
