//! Appends to the audit log.

use types::ids::TreeHash;
use types::tree::{leaf_hash, node_hash};

use super::view::View;
use crate::audit::{AuditKind, AuditLeaf, AuditRecord};
use crate::fault::Fault;
use crate::keys::Key;
use crate::rows::{AuditLeafRow, StandingRow};

/// Appends the leaf of an act that was just applied at the group's present time.
pub(super) fn record(
    view: &mut View<'_>,
    standing: &mut StandingRow,
    kind: AuditKind,
    leaf: &AuditLeaf,
) -> Result<(), Fault> {
    let number = standing.leaves;
    standing.leaves += 1;
    let record = AuditRecord {
        kind,
        group: view.group(),
        number,
        time_ms: standing.time_ms,
        token: leaf.token,
    };
    let bytes = record.encode();
    let mut hash = leaf_hash(&bytes);
    view.put_new(&Key::AuditLeaf(number), &AuditLeafRow { bytes });

    // The leaf completes one subtree for each trailing one of its number, and no other.
    for level in 0..number.trailing_ones() {
        let at = number >> level;
        hash = node_hash(&subtree(view, level, at - 1)?, &hash);
        view.put_new(&Key::AuditNode(level as u8 + 1, at >> 1), &hash);
    }
    Ok(())
}

fn subtree(view: &mut View<'_>, level: u32, at: u64) -> Result<TreeHash, Fault> {
    match level {
        0 => view.expect::<AuditLeafRow>(&Key::AuditLeaf(at)).map(|leaf| leaf_hash(&leaf.bytes)),
        _ => view.expect(&Key::AuditNode(level as u8, at)),
    }
}
