//! Lawful refusals: a well-formed request that the state does not allow. Equal on every replica, so they
//! are part of a replicated reply.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::HeadHash;

/// Why a well-formed request was refused, with no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum Rejection {
    /// The thing named does not exist here.
    #[error("no such wallet")]
    NotFound,
    /// The thing to be made exists already.
    #[error("the wallet exists already")]
    Exists,
    /// The head has moved on since the caller looked: pull, merge, push again.
    #[error(
        "the head has moved on: {named} is not the head, {found} (seq {found_seq}) is; pull and try again"
    )]
    Conflict {
        /// The head that the push builds on.
        named: HeadHash,
        /// The head that is stored.
        found: HeadHash,
        /// Its place.
        found_seq: u64,
    },
    /// The caller, or the signer, is not an active member of the wallet.
    #[error("the member is not active in this wallet")]
    MemberInactive,
    /// A member was revoked and the wallet key not rotated since.
    #[error("a member was revoked: rotate the wallet key before changing records")]
    RotationDue,
    /// A limit of the wallet would be passed.
    #[error("the wallet's limit of {limit} {what} would be passed")]
    QuotaFull {
        /// What is limited, with its unit.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// The wallet does not live in this group; ask again where it lives.
    #[error("the wallet lives in another group")]
    WrongGroup,
    /// The request id was used for something else.
    #[error("the request id was used for other content; use a new one")]
    RequestReused,
    /// The request id is older than what receipts are kept for. It is not executed again.
    #[error("the request is too old to know whether it was executed; look before trying anew")]
    TooOld,
    /// The wallet was erased.
    #[error("the wallet was erased")]
    Erased,
    /// A command about the cluster itself was refused.
    #[error("{message}")]
    Refused {
        /// A stable name of the reason.
        code: String,
        /// What was refused, where, and what to do.
        message: String,
    },
}

impl Rejection {
    /// A stable name for programs.
    pub fn code(&self) -> &str {
        match self {
            Self::NotFound => "not_found",
            Self::Exists => "exists",
            Self::Conflict { .. } => "conflict",
            Self::MemberInactive => "member_inactive",
            Self::RotationDue => "rotation_due",
            Self::QuotaFull { .. } => "quota_full",
            Self::WrongGroup => "wrong_group",
            Self::RequestReused => "request_reused",
            Self::TooOld => "too_old",
            Self::Erased => "erased",
            Self::Refused { code, .. } => code,
        }
    }
}
