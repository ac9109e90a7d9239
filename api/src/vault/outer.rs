//! The server's own sealing of what it stores of a wallet: where each thing stands.
//!
//! The place is part of what is authenticated, so a row moved to another place, version or wallet does
//! not open. The table numbers are those of the store's keys and never change.

use seal::{DataKey, OuterPlace, SealError};
use store::command::{LinkWrite, RecordWrite};
use types::commit::RecordHeader;
use types::{Entry, FormatError, RecordId, Sealed, SignedLink, WalletId};

/// Table of links; the inner key is the number, big-endian.
const LINKS: u8 = 3;
/// Table of bodies; the inner key is the record's id.
const BODIES: u8 = 6;

/// Why stored bytes are not what was stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// The outer envelope does not open.
    #[error("open an outer envelope")]
    Seal(#[from] SealError),
    /// What is inside is not laid out as it was.
    #[error("read what an outer envelope holds")]
    Format(#[from] FormatError),
}

/// One wallet's data key, and what it seals and opens.
pub(super) struct Outer {
    wallet: WalletId,
    key: DataKey,
}

impl Outer {
    /// Under this wallet's data key.
    pub(super) fn new(wallet: WalletId, key: DataKey) -> Self {
        Self { wallet, key }
    }

    /// A link on its way into the state.
    pub(super) fn seal_link(&self, link: &SignedLink) -> LinkWrite {
        let n = link.link().n;
        let inner = n.to_be_bytes();
        let place = OuterPlace { table: LINKS, key: &inner, version: 0 };
        let sealed = self.key.seal(&mut rand::rng(), &self.wallet, &place, &link.to_stored());
        LinkWrite { n, hash: link.hash(), sealed }
    }

    /// A link out of the state.
    pub(super) fn open_link(&self, n: u32, sealed: &Sealed) -> Result<SignedLink, OpenError> {
        let inner = n.to_be_bytes();
        let place = OuterPlace { table: LINKS, key: &inner, version: 0 };
        Ok(SignedLink::from_stored(&self.key.open(&self.wallet, &place, sealed)?)?)
    }

    /// A record on its way into the state.
    pub(super) fn seal_record(&self, record: &RecordHeader, envelope: &[u8]) -> RecordWrite {
        let Entry { id, version, body_hash } = record.entry();
        let place = OuterPlace { table: BODIES, key: id.as_bytes(), version };
        let sealed = self.key.seal(&mut rand::rng(), &self.wallet, &place, envelope);
        // A record's envelope is bounded far below 4 GiB.
        RecordWrite { id, version, body_hash, size: record.size as u32, sealed }
    }

    /// A record out of the state: its envelope as the device sealed it.
    pub(super) fn open_record(
        &self,
        id: &RecordId,
        version: u64,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, OpenError> {
        let place = OuterPlace { table: BODIES, key: id.as_bytes(), version };
        Ok(self.key.open(&self.wallet, &place, sealed)?)
    }

    /// What the audit leaf of a push says: see [`DataKey::audit_token`].
    pub(super) fn push_token(&self, request: &types::RequestId) -> [u8; 32] {
        /// The kind of a push in audit leaves.
        const PUSH: u8 = 1;
        self.key.audit_token(PUSH, request.as_bytes())
    }
}

#[cfg(test)]
mod tests;
