//! The primitives, by two back ends with one accept set.
//!
//! aws-lc-rs runs wherever it compiles; RustCrypto takes its place on WebAssembly. The target
//! decides, never a feature, so that no build setting can weaken what is accepted. On other targets
//! RustCrypto is compiled for the tests, which hold both back ends to the same vectors and to each
//! other.
//!
//! Each function opens with its standard. Nothing here knows what a wallet is; no key, nonce or
//! scalar is chosen here. Nothing here leaves the crate.

#[cfg(not(target_family = "wasm"))]
mod aws;
#[cfg(any(test, target_family = "wasm"))]
mod rustcrypto;

#[cfg(not(target_family = "wasm"))]
use aws as backend;
#[cfg(target_family = "wasm")]
use rustcrypto as backend;

pub(crate) use backend::{
    AgreementKey, SigningKey, expand, hmac, on_curve, open_gcm, scalar_of_pkcs8, seal_gcm, sha256,
    verify,
};

/// Length of a P-256 point in SEC 1 uncompressed form.
pub(crate) const POINT_LEN: usize = 65;
/// Length of an ES256 signature, `r ‖ s`.
pub(crate) const SIGNATURE_LEN: usize = 64;
/// Length of an AES-GCM tag.
pub(crate) const TAG_LEN: usize = 16;
/// Length of an AES-GCM nonce.
pub(crate) const NONCE_LEN: usize = 12;

/// Whether a point is written uncompressed. The libraries also read the compressed (and aws-lc-rs
/// the hybrid) form; the format has only this one.
fn is_uncompressed(point: &[u8; POINT_LEN]) -> bool {
    point[0] == 0x04
}

#[cfg(test)]
mod tests;
