//! The gRPC services: thin handlers that convert, call the vault, and convert back.

use std::time::Duration;

use types::limits;

pub(crate) mod admin;
pub(crate) mod devices;
pub(crate) mod recovery;
pub(crate) mod status;
pub(crate) mod stream;
pub(crate) mod unary;
pub(crate) mod wallets;

pub(crate) use admin::AdminServer;
pub(crate) use devices::DevicesServer;
pub(crate) use recovery::RecoveryServer;
pub(crate) use wallets::WalletsServer;

/// Largest message that carries a commit, in bytes: its parts, the hashes of a healing one, and what
/// protobuf puts around them.
pub(crate) const MESSAGE_MAX: usize = limits::PUSH_MAX + limits::BETWEEN_MAX * 34 + (128 << 10);
/// Largest message of every other kind, in bytes.
pub(crate) const SMALL_MESSAGE_MAX: usize = 16 << 10;
/// How often a watch says that nothing has happened.
pub(crate) const IDLE: Duration = Duration::from_secs(10);
