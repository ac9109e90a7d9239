//! Where randomness comes from: the operating system. Tests give a seeded generator instead.

use rand::{CryptoRng, rand_core::UnwrapErr, rngs::SysRng};

/// A source of randomness that may be given to another thread.
pub(crate) type Random = Box<dyn CryptoRng + Send + Sync>;

/// The operating system's generator. If it fails there is no safe way on, so the process ends.
pub(crate) fn system() -> Random {
    Box::new(UnwrapErr(SysRng))
}
