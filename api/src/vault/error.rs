//! What a caller can act on. Internals go to the log, and the caller learns only that there was a fault.

use std::error::Error;
use std::fmt::Write;

use proto::convert::ConvertError;
use proto::v1::ErrorDetail;
use raft::{ClusterError, ProposeError, ReadError};
use seal::{KeyringError, SealError, SignatureRefused};
use types::membership::LinkRefused;
use types::{CommitError, FormatError, NodeInfo, Refused, Rejection};

use super::code::Code;
use crate::shed::WAIT_MIN_MS;

/// Why a request was not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The state does not allow it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The commit may not follow what is stored.
    #[error(transparent)]
    Commit(#[from] Refused),
    /// A record comes under the id of a removed one.
    #[error("record {0} was removed; its id is never used again")]
    RecordIdReused(types::RecordId),
    /// A signature does not stand.
    #[error(transparent)]
    Signature(#[from] SignatureRefused),
    /// A message does not parse.
    #[error("the request is malformed")]
    Message(#[from] ConvertError),
    /// An object in a message does not parse.
    #[error("the request is malformed")]
    Format(#[from] FormatError),
    /// A field has a value that it cannot have.
    #[error("the request is malformed: {0}")]
    Malformed(String),
    /// The request passes a limit.
    #[error("the request is too large: {0}")]
    TooLarge(String),
    /// No such method.
    #[error("this version has no such method")]
    Unimplemented,
    /// Nobody known here signed it.
    #[error("no active member of a wallet held here signed this; check wallet, device and cluster")]
    Denied,
    /// The challenge is not one that can be answered now.
    #[error("the challenge is expired, used, or not of this cluster; ask for a new one")]
    Challenge,
    /// No valid session.
    #[error("{0}; open a new session")]
    Session(&'static str),
    /// No valid proof.
    #[error("{0}; make a new proof")]
    Proof(String),
    /// The session is another wallet's.
    #[error("the session is for another wallet than the request names")]
    OtherWallet,
    /// The caller is no operator.
    #[error("this needs an operator's certificate of this cluster")]
    Operator,
    /// No valid registration token.
    #[error(
        "creating a wallet needs a valid registration token; ask the operator of this cluster for one"
    )]
    Registration,
    /// The wallet's region is not served.
    #[error("this cluster keeps no wallets of region {0}")]
    Region(u8),
    /// The head that the caller expects is not the one that its commit follows.
    #[error("the commit follows another head than if-match names")]
    Precondition,
    /// This node does not lead the group.
    #[error("this node does not lead the wallet's group")]
    NotLeader {
        /// Who does, if that is known.
        leader: Option<Box<NodeInfo>>,
    },
    /// Another node gave the nonce of this challenge.
    #[error("the challenge was given by node {0}, which does not answer; ask for a new one")]
    Elsewhere(types::NodeId),
    /// No majority, or not here.
    #[error("{0}")]
    Unavailable(&'static str),
    /// No epoch key.
    #[error("this node is locked: unlock it with `holdfast admin unlock`, or ask another one")]
    Locked,
    /// A limit of this node is reached.
    #[error("this node's limit of {limit} {what} at once is reached; try again later")]
    Busy {
        /// What is limited.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// How long to wait, in milliseconds.
        wait_ms: u32,
    },
    /// No more is taken for now but what is urgent.
    #[error("too much is waiting to be replicated; try again later")]
    Overloaded,
    /// Something is asked too often.
    #[error("{what} come too fast; try again in {wait_ms} ms")]
    TooFast {
        /// What does.
        what: &'static str,
        /// How long to wait, in milliseconds.
        wait_ms: u32,
    },
    /// No room.
    #[error(
        "the disk of this node is nearly full: pushes wait until there is room, revocations pass"
    )]
    DiskFull,
    /// The deadline of a read passed.
    #[error("the deadline passed before there was an answer")]
    Deadline,
    /// The caller of a stream does not take it.
    #[error("the reader took nothing for too long; pull again")]
    Stalled,
    /// It may have been done.
    #[error("the outcome is not known; only the same request may be tried again")]
    Unknown,
    /// A backup is being restored into the wallet's group.
    #[error("a backup is being restored here; try again when that is done")]
    Restoring,
    /// An act on the cluster is not possible.
    #[error("{0}")]
    Refused(String),
    /// Another node or step that an act on the cluster needs did not answer. Part of it may be done.
    #[error("{0}; repeat the command")]
    Unfinished(String),
    /// The node belongs to no cluster.
    #[error("this node belongs to no cluster yet: bootstrap one, or let it join")]
    NoCluster,
    /// No node of that name.
    #[error("there is no node called {}", shown(.0))]
    NoSuchNode(String),
    /// No such group.
    #[error("there is no group {0}")]
    NoSuchGroup(types::GroupId),
    /// The epoch key does not open.
    #[error("the passphrase does not open this node's epoch key")]
    Passphrase,
    /// This node has a fault.
    #[error("this node has a fault, which its log names; try another node")]
    Broken,
}

impl VaultError {
    /// The fault `source` happened while `doing` something: logged here with its causes, once, and not
    /// told to the caller.
    pub fn broken(doing: &str, source: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = %chain(source), "{doing}");
        Self::Broken
    }

    /// Its code, which stands for status and retry class too.
    pub fn code(&self) -> Code {
        match self {
            Self::Rejected(rejection) => of_rejection(rejection),
            Self::Commit(refused) => of_refused(refused),
            Self::RecordIdReused(_) => Code::RecordRefused,
            Self::Signature(refused) => of_signature(refused),
            Self::Message(error) if error.is_update() => Code::Update,
            Self::Format(error) if error.is_update() => Code::Update,
            Self::Message(_) | Self::Format(_) | Self::Malformed(_) => Code::Malformed,
            Self::TooLarge(_) => Code::TooLarge,
            Self::Unimplemented => Code::Unimplemented,
            Self::Denied => Code::Denied,
            Self::Challenge => Code::Challenge,
            Self::Session(_) => Code::Session,
            Self::Proof(_) => Code::Proof,
            Self::OtherWallet => Code::OtherWallet,
            Self::Operator => Code::Operator,
            Self::Registration => Code::Registration,
            Self::Precondition => Code::Precondition,
            Self::Region(_) => Code::Region,
            Self::NotLeader { .. } => Code::NotLeader,
            Self::Elsewhere(_) => Code::Challenge,
            Self::Unavailable(_) => Code::Unavailable,
            Self::Locked => Code::Locked,
            Self::Busy { .. } | Self::Overloaded | Self::TooFast { .. } => Code::Busy,
            Self::DiskFull => Code::DiskFull,
            Self::Deadline | Self::Stalled => Code::Deadline,
            Self::Unknown | Self::Unfinished(_) => Code::Unknown,
            Self::Restoring => Code::Restoring,
            Self::Refused(_) => Code::Refused,
            Self::NoCluster => Code::NoCluster,
            Self::NoSuchNode(_) => Code::NoSuchNode,
            Self::NoSuchGroup(_) => Code::NoSuchGroup,
            Self::Passphrase => Code::Passphrase,
            Self::Broken => Code::Internal,
        }
    }

    /// What the caller is told.
    pub fn detail(&self) -> ErrorDetail {
        let code = self.code();
        let mut detail = ErrorDetail {
            code: code.name().to_owned(),
            message: chain(self),
            retry: code.retry().into(),
            ..ErrorDetail::default()
        };
        match self {
            Self::NotLeader { leader: Some(leader) } => detail.leader.clone_from(&leader.endpoint),
            Self::Overloaded => detail.retry_after_ms = WAIT_MIN_MS,
            Self::Busy { wait_ms, .. } | Self::TooFast { wait_ms, .. } => {
                detail.retry_after_ms = *wait_ms;
            }
            Self::DiskFull => detail.retry_after_ms = DISK_FULL_WAIT_MS,
            Self::Rejected(Rejection::Conflict { found, found_seq, .. })
            | Self::Commit(Refused::Conflict { found, found_seq, .. }) => {
                detail.found_seq = *found_seq;
                detail.found_head = found.as_bytes().to_vec().into();
            }
            // The code of an act's refusal is the state's own: newer than this table at worst.
            Self::Rejected(Rejection::Refused { code, .. }) => detail.code.clone_from(code),
            _ => {}
        }
        detail
    }
}

/// How long a caller who met a full disk should wait, in milliseconds.
const DISK_FULL_WAIT_MS: u32 = 1_000;

fn of_rejection(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::NotFound => Code::NotFound,
        Rejection::Exists => Code::Exists,
        Rejection::Conflict { .. } => Code::Conflict,
        Rejection::MemberInactive => Code::MemberInactive,
        Rejection::RotationDue => Code::RotationDue,
        Rejection::QuotaFull { .. } => Code::QuotaFull,
        Rejection::WrongGroup => Code::WrongGroup,
        Rejection::RequestReused => Code::RequestReused,
        Rejection::TooOld => Code::TooOld,
        Rejection::Erased => Code::Erased,
        Rejection::Refused { code, .. } => Code::named(code).unwrap_or(Code::Refused),
    }
}

fn of_refused(refused: &Refused) -> Code {
    match refused {
        Refused::Shape(error) if error.is_update() => Code::Update,
        Refused::Shape(CommitError::TooLarge { .. }) => Code::TooLarge,
        Refused::Shape(_) => Code::Malformed,
        Refused::NotFound => Code::NotFound,
        Refused::Exists => Code::Exists,
        Refused::Conflict { .. } => Code::Conflict,
        Refused::Erased | Refused::Link { why: LinkRefused::Erased, .. } => Code::Erased,
        Refused::OtherWallet | Refused::RecordWallet { .. } => Code::OtherWallet,
        Refused::Link { why: LinkRefused::OtherWallet, .. } => Code::OtherWallet,
        Refused::Link { why: LinkRefused::SignerInactive, .. } => Code::MemberInactive,
        Refused::Link { why: LinkRefused::NotAllowed { .. }, .. } => Code::NotAuthorised,
        Refused::Link { .. } | Refused::NoWalletKey => Code::LinkRefused,
        Refused::Sequence { .. } | Refused::History | Refused::Links | Refused::SuiteTooLow => {
            Code::HeadRefused
        }
        Refused::SignerInactive => Code::MemberInactive,
        Refused::RecordVersion { .. }
        | Refused::RecordGeneration { .. }
        | Refused::RemovedAbsent { .. } => Code::RecordRefused,
        Refused::RotationDue => Code::RotationDue,
        Refused::Root | Refused::RootNotLeft => Code::Root,
    }
}

fn of_signature(refused: &SignatureRefused) -> Code {
    match refused {
        SignatureRefused::NotAMember(_) | SignatureRefused::WrongChallenge => Code::Denied,
        SignatureRefused::Revoked(_) => Code::MemberInactive,
        SignatureRefused::BadSignature(_) => Code::BadSignature,
        SignatureRefused::BadKey(_) => Code::BadKey,
    }
}

impl From<ProposeError> for VaultError {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NotLeader { leader } => Self::NotLeader { leader: leader.map(Box::new) },
            ProposeError::Unknown => Self::Unknown,
            ProposeError::Overloaded => Self::Overloaded,
            ProposeError::TooLarge { .. } => Self::TooLarge(error.to_string()),
            // Where levels are decided, it is refused in the same words.
            ProposeError::TooEarly { reason } => {
                Self::Rejected(Rejection::Refused { code: "level".to_owned(), message: reason })
            }
            ProposeError::Stopped => Self::Unavailable("this node is stopping"),
        }
    }
}

impl From<ReadError> for VaultError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable => {
                Self::Unavailable("no majority of the wallet's group could be reached in time")
            }
            ReadError::NotHere => Self::Unavailable("this node does not hold the wallet's group"),
        }
    }
}

impl From<ClusterError> for VaultError {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::Refused(reason) => Self::Refused(reason),
            ClusterError::Unavailable(reason) => Self::Unfinished(reason),
        }
    }
}

impl From<KeyringError> for VaultError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Locked => Self::Locked,
            KeyringError::UnknownEpoch(_) | KeyringError::Key(_) => {
                Self::broken("use the server's keys", &error)
            }
        }
    }
}

impl From<store::Fault> for VaultError {
    fn from(fault: store::Fault) -> Self {
        Self::broken("read the state of a group", &fault)
    }
}

impl From<SealError> for VaultError {
    fn from(error: SealError) -> Self {
        Self::broken("open what this server sealed", &error)
    }
}

/// A name that a caller made up, as it may stand in a message and a log: what it begins with, and
/// nothing that is no letter of a line.
fn shown(name: &str) -> String {
    /// No name of a node is longer.
    const SHOWN: usize = 64;
    name.chars().take(SHOWN).flat_map(char::escape_debug).collect()
}

/// An error with its causes, outermost first.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        // Writing to a string does not fail.
        let _ = write!(text, ": {next}");
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests;
