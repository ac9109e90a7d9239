//! The wallet's limits, looked at before anything is replicated.
//!
//! Applying a push holds it against the same limits, and that is what counts; refusing here keeps a
//! push that must fail out of the log.

use store::{Reader, read::StoredWallet};
use types::{Accepted, Commit, Rejection};

use super::error::VaultError;

/// Whether the wallet stays within its limits, or at least does not grow beyond them.
pub(super) fn check(
    reader: &Reader,
    stored: Option<&StoredWallet>,
    commit: &Commit,
    accepted: &Accepted,
) -> Result<(), VaultError> {
    let policy = reader.policy()?;
    let head = commit.head.head();
    if head.links > policy.wallet_links {
        return Err(full("links", policy.wallet_links.into()));
    }
    let (records_before, bytes_before) =
        stored.map_or((0, 0), |stored| (stored.row.records, stored.row.bytes));
    let records = accepted.entries.len();
    if records > policy.wallet_records as usize && records > records_before as usize {
        return Err(full("records", policy.wallet_records.into()));
    }
    let come: u64 = accepted.records.iter().map(|record| record.size as u64).sum();
    // Only a push that could be too much is worth the look-ups.
    if bytes_before + come > policy.wallet_bytes {
        let mut gone = 0;
        for id in accepted.records.iter().map(|record| &record.header.id).chain(&commit.removed) {
            gone += reader.entry(head.wallet, *id)?.map_or(0, |entry| u64::from(entry.size));
        }
        let bytes = (bytes_before + come).saturating_sub(gone);
        if bytes > policy.wallet_bytes && bytes > bytes_before {
            return Err(full("bytes", policy.wallet_bytes));
        }
    }
    Ok(())
}

fn full(what: &str, limit: u64) -> VaultError {
    Rejection::QuotaFull { what: what.to_owned(), limit }.into()
}
