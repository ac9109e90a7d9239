//! Reading the audit log, and proving what is in it.

use types::ids::TreeHash;
use types::tree::{Subtrees, consistency_proof, inclusion_proof, leaf_hash, tree_hash};

use super::Reader;
use crate::fault::Fault;
use crate::keys::Key;
use crate::rows::AuditLeafRow;

/// Every method fails as [`Reader::applied`] does.
impl Reader {
    /// How many leaves the log has.
    pub fn audit_size(&self) -> Result<u64, Fault> {
        self.standing().map(|standing| standing.leaves)
    }

    /// The bytes of a leaf, as [`crate::audit`] draws them.
    pub fn audit_leaf(&self, number: u64) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.get::<AuditLeafRow>(&Key::AuditLeaf(number))?.map(|row| row.bytes))
    }

    /// The RFC 6962 tree hash over the first `size` leaves; none if there are not so many.
    pub fn audit_root(&self, size: u64) -> Result<Option<TreeHash>, Fault> {
        if size > self.audit_size()? { Ok(None) } else { tree_hash(self, size).map(Some) }
    }

    /// The RFC 6962 audit path of a leaf in the tree over the first `size` leaves; none if that tree
    /// is not there or does not have it.
    pub fn audit_inclusion(&self, number: u64, size: u64) -> Result<Option<Vec<TreeHash>>, Fault> {
        if size > self.audit_size()? { Ok(None) } else { inclusion_proof(self, number, size) }
    }

    /// The RFC 6962 proof that the first `old` leaves are the beginning of the first `size`; none if
    /// there are not so many, or `old` is more than `size`.
    pub fn audit_consistency(&self, old: u64, size: u64) -> Result<Option<Vec<TreeHash>>, Fault> {
        if size > self.audit_size()? { Ok(None) } else { consistency_proof(self, old, size) }
    }
}

/// The audit tree: every complete subtree is a row.
impl Subtrees for Reader {
    type Error = Fault;

    fn subtree(&self, level: u32, index: u64) -> Result<TreeHash, Fault> {
        match u8::try_from(level) {
            Ok(0) => self
                .expect::<AuditLeafRow>(&Key::AuditLeaf(index))
                .map(|leaf| leaf_hash(&leaf.bytes)),
            Ok(level) => self.expect(&Key::AuditNode(level, index)),
            Err(_) => Err(Fault::Inconsistent {
                group: self.group(),
                what: "the height of the audit tree",
            }),
        }
    }
}
