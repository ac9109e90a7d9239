//! Key material of fixed length: on the heap, so that moving it copies a pointer; wiped on drop;
//! neither printable, comparable nor cloneable by accident.
//!
//! Plaintext of any length is `types::Secret`.

use rand::CryptoRng;
use zeroize::Zeroize;

/// `N` bytes of key material, wiped on drop.
pub struct SecretArray<const N: usize>(Box<[u8; N]>);

/// A 32-byte key, or the x coordinate of a key agreement.
pub type Secret32 = SecretArray<32>;

impl<const N: usize> SecretArray<N> {
    /// Key material that the caller already holds; wiping the caller's copy is left to it.
    pub fn new(bytes: &[u8; N]) -> Self {
        Self::filled(|out| out.copy_from_slice(bytes))
    }

    /// `N` bytes from `rng`.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        Self::filled(|out| rng.fill_bytes(out))
    }

    /// `None` unless `bytes` is exactly `N` long.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == N).then(|| Self::filled(|out| out.copy_from_slice(bytes)))
    }

    /// The bytes, to be passed on to a primitive and not kept.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    pub(crate) fn filled(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut secret = Self(Box::new([0; N]));
        fill(&mut secret.0);
        secret
    }
}

impl<const N: usize> Drop for SecretArray<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
