//! Acts: what is asked of a group besides pushes, and how a retry of one is known.
//!
//! A push is named by the hash of its head, which the wallet keeps for ever. Every other act is named
//! by its caller and a request id that the caller chose, and the group keeps what it answered: the
//! receipt. Only so many receipts are kept (10,000 by default), so a retry may come when its receipt
//! is gone. It must not run again then, and it can be told from a new act because every act says
//! after how many acts of the group it was made: if more than what is kept have come since, the
//! answer is `TooOld`, and the caller looks at the state and decides anew.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::hash::tagged_16;
use types::ids::RequestId;

use crate::audit::AuditLeaf;

/// Who acts: an operator, or a node on the cluster's behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Caller([u8; 16]);

impl Caller {
    /// The caller of this name, for example the SPIFFE id of an operator's certificate.
    pub fn named(name: &str) -> Self {
        Caller(tagged_16("holdfast/1 caller", &[name.as_bytes()]))
    }

    /// The caller of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Caller(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What every act says of itself, besides what is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Who acts.
    pub caller: Caller,
    /// Names the act. A retry repeats it; another act never does.
    pub request: RequestId,
    /// How many acts the group had seen when this one was first made: see [`crate::Reader::acts`].
    /// A retry repeats it.
    pub after: u64,
    /// When the leader proposed it, in Unix milliseconds. Another for each attempt.
    pub time_ms: u64,
    /// What is recorded of it.
    pub leaf: AuditLeaf,
}
