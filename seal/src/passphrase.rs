//! What a passphrase seals: an envelope with the parameters of its stretching in front.
//!
//! ```text
//! salt 16 ‖ memory KiB u32 ‖ t u32 ‖ p u32 ‖ Envelope        K = KDF(Argon2id(passphrase), label, 32)
//! ```
//!
//! The bounds of the parameters are compiled in (`types::cost`): nobody who can write the file can
//! make the stretching weak, or endless.

use argon2::{Algorithm, Argon2, Params, Version};
use rand::CryptoRng;
use types::{Argon2Cost, EnvelopeHeader, PassphraseFront, Secret};

use crate::envelope;
use crate::error::SealError;
use crate::kdf::derive;
use crate::secret::{Secret32, SecretArray};

/// A passphrase stretched under one salt, good for any number of envelopes behind that salt.
pub(crate) struct Stretched {
    front: PassphraseFront,
    key: Secret32,
}

impl Stretched {
    /// Stretches under a fresh salt. Takes as long as `cost` says: 0.1 s and more.
    pub(crate) fn fresh(
        rng: &mut dyn CryptoRng,
        passphrase: &Secret,
        cost: Argon2Cost,
        label: &[u8],
    ) -> Self {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        Self::under(PassphraseFront { salt, cost }, passphrase, label)
    }

    /// Stretches under the salt and cost that stand in front of an envelope.
    pub(crate) fn under(front: PassphraseFront, passphrase: &Secret, label: &[u8]) -> Self {
        let key = derive(&argon2id(&front, passphrase.expose()), &[label]);
        Self { front, key }
    }

    /// The front and an envelope.
    pub(crate) fn seal(
        &self,
        rng: &mut dyn CryptoRng,
        header: &EnvelopeHeader,
        content: &[u8],
    ) -> Vec<u8> {
        [self.front.encode(), envelope::seal(rng, &self.key, header, content)].concat()
    }

    /// Opens an envelope behind the same front.
    pub(crate) fn open(
        &self,
        expected: &EnvelopeHeader,
        bytes: &[u8],
    ) -> Result<Secret, SealError> {
        let (front, sealed) = PassphraseFront::split(bytes)?;
        if front != self.front {
            return Err(SealError::DoesNotOpen);
        }
        envelope::open(&self.key, expected, sealed)
    }
}

/// Argon2id version 1.3 (RFC 9106), 32 bytes.
pub(crate) fn argon2id(front: &PassphraseFront, passphrase: &[u8]) -> Secret32 {
    let cost = front.cost;
    let params = Params::new(cost.memory_kib(), cost.passes(), Argon2Cost::LANES, Some(32))
        .expect("the bounds of the cost are within those of Argon2");
    SecretArray::filled(|out| {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, &front.salt, out)
            .expect("a passphrase is shorter than 4 GiB");
    })
}

#[cfg(test)]
mod tests;
