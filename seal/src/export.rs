//! An export: parts of a wallet in a file, sealed by a passphrase (purpose 5).
//!
//! The parts are envelopes with version 1, 2, 3, …; the first holds the manifest, and the id of all
//! is the first 16 bytes of its hash, so that no part can be moved, or moved to another export. All
//! parts stand behind the same salt: a passphrase is stretched once for an export. How many
//! parts there are is the manifest's to say.
//!
//! Not here: what a manifest says, and how parts are written one after another.

use rand::CryptoRng;
use types::hash::tagged_16;
use types::{
    Argon2Cost, EnvelopeHeader, PassphraseFront, Purpose, RecordId, Secret, Suite, WalletId,
};

use crate::error::SealError;
use crate::padding;
use crate::passphrase::Stretched;

const LABEL: &[u8] = b"export";

/// Writes the parts of one export.
pub struct ExportWriter {
    stretched: Stretched,
    header: EnvelopeHeader,
}

impl ExportWriter {
    /// Begins an export; gives the first part. Takes as long as `cost` says.
    ///
    /// # Errors
    /// [`SealError::TooLong`] if the manifest has more than 256 KiB less four bytes.
    pub fn begin(
        rng: &mut dyn CryptoRng,
        passphrase: &Secret,
        cost: Argon2Cost,
        wallet: &WalletId,
        manifest: &[u8],
    ) -> Result<(Self, Vec<u8>), SealError> {
        let stretched = Stretched::fresh(rng, passphrase, cost, LABEL);
        let mut writer = Self { stretched, header: header(wallet, export_id(manifest)) };
        let first = writer.part(rng, manifest)?;
        Ok((writer, first))
    }

    /// The next part.
    ///
    /// # Errors
    /// [`SealError::TooLong`] if it has more than 256 KiB less four bytes.
    pub fn part(&mut self, rng: &mut dyn CryptoRng, data: &[u8]) -> Result<Vec<u8>, SealError> {
        let padded = padding::pad(data)?;
        self.header.version += 1;
        Ok(self.stretched.seal(rng, &self.header, padded.expose()))
    }
}

/// Reads the parts of one export, in order.
pub struct ExportReader {
    stretched: Stretched,
    header: EnvelopeHeader,
}

impl ExportReader {
    /// Opens the first part; gives the manifest. Takes as long as the cost in the bytes says.
    ///
    /// # Errors
    /// [`SealError::Format`] if the bytes are not laid out so; [`SealError::DoesNotOpen`] for another
    /// passphrase, another wallet or altered bytes.
    pub fn begin(
        passphrase: &Secret,
        wallet: &WalletId,
        first: &[u8],
    ) -> Result<(Self, Secret), SealError> {
        let (front, sealed) = PassphraseFront::split(first)?;
        let id = types::Envelope::parse(sealed)?.header.id;
        let stretched = Stretched::under(front, passphrase, LABEL);
        let mut reader = Self { stretched, header: header(wallet, id) };
        let manifest = reader.part(first)?;
        if export_id(manifest.expose()) != id {
            return Err(SealError::DoesNotOpen);
        }
        Ok((reader, manifest))
    }

    /// Opens the next part.
    ///
    /// # Errors
    /// As [`ExportReader::begin`]; also if it is not the next part of this export.
    pub fn part(&mut self, bytes: &[u8]) -> Result<Secret, SealError> {
        let mut expected = self.header;
        expected.version += 1;
        let data = padding::unpad(&self.stretched.open(&expected, bytes)?)?;
        self.header = expected;
        Ok(data)
    }
}

fn export_id(manifest: &[u8]) -> RecordId {
    RecordId::from_bytes(tagged_16("holdfast/1 export", &[manifest]))
}

/// The header of the part before the first.
fn header(wallet: &WalletId, id: RecordId) -> EnvelopeHeader {
    EnvelopeHeader {
        suite: Suite::P256,
        purpose: Purpose::Export,
        wallet: *wallet,
        id,
        version: 0,
        generation: 0,
    }
}
