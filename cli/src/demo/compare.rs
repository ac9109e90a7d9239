//! Whether a wallet holds exactly what was put into it, byte for byte.

use crate::failure::Failure;
use anyhow::anyhow;
use client::Wallet;
use std::collections::BTreeMap;

/// Compares every record of a wallet with what it should hold, and gives the number of bytes.
pub(super) fn compare(
    wallet: &Wallet,
    expected: &BTreeMap<String, Vec<u8>>,
) -> Result<usize, Failure> {
    let differs = |what: String| Err(Failure::integrity(anyhow!(what)));
    let mut bytes = 0;
    let mut found = 0;
    for info in wallet.list()? {
        let Some(record) = info.record else {
            return differs(format!("record {} cannot be read", info.id));
        };
        match expected.get(&record.name) {
            Some(body) if *body == *record.body => bytes += body.len(),
            Some(_) => return differs(format!("record {:?} has other bytes", record.name)),
            None => return differs(format!("record {:?} was never put", record.name)),
        }
        if !record.conflicts.is_empty() {
            return differs(format!("record {:?} has values set aside", record.name));
        }
        found += 1;
    }
    if found != expected.len() {
        return differs(format!("{found} of {} records are there", expected.len()));
    }
    Ok(bytes)
}
