//! What can be said of a group's rows, read once from the first to the last.

use types::ids::TreeHash;
use types::layout::{FormatError, Reader, Writer};
use types::tree::Frontier;

use super::group::BackupRefused;
use crate::codec;
use crate::digest::{PairHash, StateDigest};
use crate::keys::Key;
use crate::rows::{self, AuditLeafRow, ClusterRow, RestoreRow, WalletRow};

/// What a group's rows come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSummary {
    /// How many rows.
    pub rows: u64,
    /// How many of them a restore brings into another cluster: see [`Key::is_restored`].
    pub restored_rows: u64,
    /// The digest of those.
    pub restored: StateDigest,
    /// The digest of what a restore leaves as it was: [`Self::restored`] without the group's clock and
    /// counters, its receipts and its audit log, to which the restore itself adds.
    pub kept: StateDigest,
    /// How many wallets.
    pub wallets: u64,
    /// The digest of the wallets' heads: of pairs of a wallet id and its head's hash.
    pub heads: StateDigest,
    /// How many audit leaves.
    pub leaves: u64,
    /// The root of the tree of those.
    pub audit_root: TreeHash,
    /// Where the journal goes on: facts of earlier places are in the rows.
    pub journal_next: u64,
}

impl GroupSummary {
    /// What differs between this group in a backup and `restored`, the same group after it was brought
    /// into a cluster and nothing else was done to it; its audit root must be that of as many leaves.
    pub fn differs_from_restored(&self, restored: &GroupSummary) -> Option<&'static str> {
        let same = [
            ("the number of wallets", self.wallets == restored.wallets),
            ("a wallet's head", self.heads == restored.heads),
            ("a row", self.kept == restored.kept),
            ("the audit log", self.leaves <= restored.leaves),
            ("the audit log", self.audit_root == restored.audit_root),
        ];
        same.iter().find(|(_, same)| !same).map(|(what, _)| *what)
    }

    pub(super) fn write(&self, writer: Writer) -> Writer {
        writer
            .u64(self.rows)
            .u64(self.restored_rows)
            .bytes(self.restored.to_bytes())
            .bytes(self.kept.to_bytes())
            .u64(self.wallets)
            .bytes(self.heads.to_bytes())
            .u64(self.leaves)
            .bytes(self.audit_root)
            .u64(self.journal_next)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(GroupSummary {
            rows: reader.u64("number of rows")?,
            restored_rows: reader.u64("number of restored rows")?,
            restored: StateDigest::from_bytes(reader.fixed("digest of restored rows")?),
            kept: StateDigest::from_bytes(reader.fixed("digest of kept rows")?),
            wallets: reader.u64("number of wallets")?,
            heads: StateDigest::from_bytes(reader.fixed("digest of heads")?),
            leaves: reader.u64("number of audit leaves")?,
            audit_root: TreeHash::from_bytes(reader.fixed("audit root")?),
            journal_next: reader.u64("place in the journal")?,
        })
    }
}

/// Comes to a [`GroupSummary`], row by row.
pub(super) struct Survey {
    summary: GroupSummary,
    cluster: Option<ClusterRow>,
    restored_from: Option<[u8; 32]>,
    audit: Frontier,
    /// The audit root is that of so many leaves, if there are more.
    leaves_wanted: u64,
}

impl Survey {
    pub(super) fn new(leaves_wanted: u64) -> Self {
        Survey {
            summary: GroupSummary {
                rows: 0,
                restored_rows: 0,
                restored: StateDigest::default(),
                kept: StateDigest::default(),
                wallets: 0,
                heads: StateDigest::default(),
                leaves: 0,
                audit_root: TreeHash::ZERO,
                journal_next: 0,
            },
            cluster: None,
            restored_from: None,
            audit: Frontier::EMPTY,
            leaves_wanted,
        }
    }

    /// Takes the next row in; rows come in ascending order.
    pub(super) fn row(
        &mut self,
        key: &Key,
        value: &[u8],
        hash: PairHash,
    ) -> Result<(), BackupRefused> {
        let unreadable = |source| BackupRefused::Row { kind: key.kind(), source };
        rows::check(key, value).map_err(unreadable)?;
        self.summary.rows += 1;
        if key.is_restored() {
            self.summary.restored_rows += 1;
            self.summary.restored.add(hash);
            if is_kept(key) {
                self.summary.kept.add(hash);
            }
        }
        match key {
            Key::Wallet(home) => {
                let row: WalletRow = codec::decode(value).map_err(unreadable)?;
                self.summary.wallets += 1;
                let head = row.head.head().hash();
                let (wallet, head) = (home.wallet(), head.as_bytes());
                self.summary.heads.add(PairHash::of(wallet.as_bytes(), head));
            }
            Key::AuditLeaf(number) => {
                self.leaf(*number, codec::decode(value).map_err(unreadable)?)?;
            }
            Key::JournalEnd => {
                self.summary.journal_next = codec::decode(value).map_err(unreadable)?;
            }
            Key::Cluster => {
                self.cluster = Some(codec::decode(value).map_err(unreadable)?);
            }
            Key::Restore => {
                let row: RestoreRow = codec::decode(value).map_err(unreadable)?;
                self.restored_from = Some(row.backup);
            }
            _ => {}
        }
        Ok(())
    }

    fn leaf(&mut self, found: u64, row: AuditLeafRow) -> Result<(), BackupRefused> {
        let expected = self.summary.leaves;
        if found != expected {
            return Err(BackupRefused::Leaf { expected });
        }
        self.summary.leaves += 1;
        if found < self.leaves_wanted {
            self.audit.append(&row.bytes);
        }
        Ok(())
    }

    pub(super) fn wallets(&self) -> u64 {
        self.summary.wallets
    }

    /// The backup that the rows so far say they were restored from, finished or not.
    pub(super) fn restored_from(&self) -> Option<[u8; 32]> {
        self.restored_from
    }

    /// What the rows came to, and the cluster's row among them.
    pub(super) fn finish(mut self) -> (GroupSummary, Option<ClusterRow>) {
        self.summary.audit_root = self.audit.root();
        (self.summary, self.cluster)
    }
}

/// Whether a restored row is, after the restore, as it was in the backup.
fn is_kept(key: &Key) -> bool {
    !matches!(
        key,
        Key::Standing
            | Key::AuditLeaf(_)
            | Key::AuditNode(..)
            | Key::Receipt(..)
            | Key::ReceiptOrder(_)
    )
}
