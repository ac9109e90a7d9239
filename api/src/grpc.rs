//! The gRPC services: thin handlers that convert, call the vault, and convert back.

use std::time::Duration;

use types::limits;

pub mod admin;
pub mod devices;
pub mod recovery;
pub mod status;
pub mod stream;
pub mod unary;
pub mod wallets;

pub use admin::AdminServer;
pub use devices::DevicesServer;
pub use recovery::RecoveryServer;
pub use wallets::WalletsServer;

/// Largest message that carries a commit, in bytes: its parts, the hashes of a healing one, and what
/// protobuf puts around them.
pub const MESSAGE_MAX: usize = limits::PUSH_MAX + limits::BETWEEN_MAX * 34 + (128 << 10);
/// Largest message of every other kind, in bytes.
pub const SMALL_MESSAGE_MAX: usize = 16 << 10;
/// How often a watch says that nothing has happened.
pub const IDLE: Duration = Duration::from_secs(10);
