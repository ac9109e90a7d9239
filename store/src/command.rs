//! What can be replicated, and what every replica answers.
//!
//! A command carries all that applying it needs: the time, the ciphertext and the audit token were
//! fixed when the leader proposed it. Bytes of commands live in the Raft log, so their format is
//! frozen: see [`crate::formats`].

use serde::{Deserialize, Serialize};
use types::ids::HeadHash;
use types::rejection::Rejection;

mod push;
mod system;

pub use push::{Base, LinkWrite, Push, RecordWrite};
pub use system::{Bootstrap, NewNode, Placing, SystemCommand, SystemReply};

use crate::act::Act;
use crate::codec::{self, DecodeError};

/// One replicated change. The order of the variants is format: new ones are appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A commit of a wallet, for the group that owns its slot.
    Push(Box<Push>),
    /// An act on the group or the cluster.
    System(Act, Box<SystemCommand>),
}

/// What applying an entry answered: byte for byte the same on every replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The entry asked for nothing.
    Nothing,
    /// The commit is part of the wallet.
    Pushed {
        /// Its place.
        seq: u64,
        /// Its hash.
        head: HeadHash,
    },
    /// The act is done.
    System(SystemReply),
    /// A lawful no; nothing was changed.
    Rejected(Rejection),
}

/// A command that cannot be proposed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It would not fit an entry.
    #[error("the command has {found} bytes, at most {limit} can be replicated; split it")]
    TooLarge {
        /// Its size.
        found: usize,
        /// The most there may be.
        limit: usize,
    },
}

impl Reply {
    /// The bytes to pass a reply on to the node that asked.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The reply of these bytes, all of them.
    ///
    /// # Errors
    /// When a newer release wrote them, or they are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }
}

impl Command {
    /// No command has more bytes.
    pub const MAX_BYTES: usize = codec::MAX_BYTES;

    /// The bytes to put in an entry.
    ///
    /// # Errors
    /// [`CommandError::TooLarge`]: replicas would refuse to read it.
    pub fn encode(&self) -> Result<Vec<u8>, CommandError> {
        let bytes = codec::encode(self);
        match bytes.len() {
            found if found > Self::MAX_BYTES => {
                Err(CommandError::TooLarge { found, limit: Self::MAX_BYTES })
            }
            _ => Ok(bytes),
        }
    }

    /// The command of these bytes, all of them.
    ///
    /// # Errors
    /// When a newer release wrote them, or they are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }

    /// When the leader proposed it, in Unix milliseconds.
    pub fn time_ms(&self) -> u64 {
        match self {
            Command::Push(push) => push.time_ms,
            Command::System(act, _) => act.time_ms,
        }
    }
}
