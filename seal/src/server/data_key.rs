//! The data key of a wallet: seals what the server stores of it.

use rand::CryptoRng;
use types::hash::tagged_16;
use types::{EnvelopeHeader, Purpose, RecordId, Sealed, Suite, WalletId};

use crate::error::SealError;
use crate::kdf::derive;
use crate::secret::Secret32;
use crate::{envelope, hazmat};

/// Where an outer envelope is stored: bytes moved to another place do not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OuterPlace<'a> {
    /// The store's table.
    pub table: u8,
    /// The key within the table and the wallet.
    pub key: &'a [u8],
    /// The version of what is inside, or 0.
    pub version: u64,
}

/// The random key of one wallet on the servers, wiped on drop.
pub struct DataKey {
    key: Secret32,
    outer: Secret32,
    audit: Secret32,
}

impl DataKey {
    /// A fresh key from `rng`, for a wallet that is being created.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::from_key(Secret32::random(rng))
    }

    pub(crate) fn from_key(key: Secret32) -> Self {
        let (outer, audit) = (derive(&key, &[b"outer"]), derive(&key, &[b"audit"]));
        Self { key, outer, audit }
    }

    pub(crate) fn key(&self) -> &Secret32 {
        &self.key
    }

    /// Seals content, as it is, for one place (purpose 3).
    pub fn seal(
        &self,
        rng: &mut dyn CryptoRng,
        wallet: &WalletId,
        place: &OuterPlace<'_>,
        content: &[u8],
    ) -> Sealed {
        envelope::seal(rng, &self.outer, &header(wallet, place), content).into()
    }

    /// Opens what was sealed for this wallet and place. What comes out is public or ciphertext again:
    /// the servers hold nothing else.
    ///
    /// # Errors
    /// [`SealError::Format`] if the bytes are no envelope, [`SealError::DoesNotOpen`] otherwise.
    pub fn open(
        &self,
        wallet: &WalletId,
        place: &OuterPlace<'_>,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, SealError> {
        let content = envelope::open(&self.outer, &header(wallet, place), sealed.as_bytes())?;
        Ok(content.expose().to_vec())
    }

    /// What stands in an audit leaf for an act on this wallet: whoever has the data key can find the
    /// wallet's acts, nobody else can tell two acts of one wallet from acts of two.
    ///
    /// `HMAC(KDF(data key, "audit", 32), kind u8 ‖ request id 32)`.
    pub fn audit_token(&self, kind: u8, request: &[u8; 32]) -> [u8; 32] {
        *hazmat::hmac(self.audit.expose(), &[&[kind], request]).expose()
    }
}

fn header(wallet: &WalletId, place: &OuterPlace<'_>) -> EnvelopeHeader {
    EnvelopeHeader {
        suite: Suite::P256,
        purpose: Purpose::Outer,
        wallet: *wallet,
        id: RecordId::from_bytes(tagged_16("holdfast/1 outer", &[&[place.table], place.key])),
        version: place.version,
        generation: 0,
    }
}
