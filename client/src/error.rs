//! What can go wrong, sorted by what to do next.
//!
//! A *refusal* will not change by trying again. *Usage* is for the caller to mend. *Unavailable*
//! passes with time. A *violation* means that what came from the server, or from the local disk,
//! is not what the wallet's members signed: nothing of it was taken over.

use seal::SealError;
use types::{
    LinkRefused,
    ids::{HeadHash, MemberId, WalletId},
};

use crate::{local::LocalError, profile::ProfileError, sync::Violation};

/// What to do about a [`ClientError`]; its number is the exit code that scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 1: the answer is no, and will be the next time.
    Refused,
    /// 2: the call, a file or a setting has to be changed first.
    Usage,
    /// 3: try again later; nothing is lost.
    Unavailable,
    /// 4: somebody altered, withheld or replaced data. It was not taken over.
    Integrity,
}

impl Class {
    /// The exit code of a process that ends for this reason.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Refused => 1,
            Class::Usage => 2,
            Class::Unavailable => 3,
            Class::Integrity => 4,
        }
    }
}

/// Why an operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The cluster, or the wallet's own state, says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The caller asked for something that cannot be.
    #[error(transparent)]
    Usage(#[from] Usage),
    /// No node gave a usable answer within the deadline.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// What was received is not what the members of the wallet signed.
    #[error(transparent)]
    Integrity(#[from] Violation),
    /// The profile directory cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The local copy cannot be used.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The device's keys could not be used, or something could not be sealed.
    #[error("use the device's keys: {0}")]
    Keys(#[from] SealError),
}

impl ClientError {
    /// What to do next.
    pub fn class(&self) -> Class {
        match self {
            ClientError::Refused(_) => Class::Refused,
            ClientError::Usage(_) => Class::Usage,
            ClientError::Unavailable(_) => Class::Unavailable,
            ClientError::Integrity(_) => Class::Integrity,
            ClientError::Profile(error) => error.class(),
            ClientError::Local(error) => error.class(),
            ClientError::Keys(_) => Class::Unavailable,
        }
    }

    /// The exit code of [`ClientError::class`].
    pub fn exit_code(&self) -> u8 {
        self.class().exit_code()
    }

    /// The stable code of a refusal by the cluster, such as `conflict` or `member_inactive`.
    pub fn refusal_code(&self) -> Option<&str> {
        match self {
            ClientError::Refused(Refusal::Cluster { code, .. }) => Some(code),
            _ => None,
        }
    }
}

/// A no that trying again does not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The cluster's answer.
    #[error("the cluster refused: {message} ({code})")]
    Cluster {
        /// Stable; listed in docs/errors.md.
        code: String,
        /// For people; stripped of control characters and cut to a line's length.
        message: String,
        /// With `conflict`: the head that is stored.
        found: Option<Found>,
    },
    /// The wallet holds no record of that name.
    #[error("no record is named {0:?}; `list` shows the names")]
    NoSuchRecord(String),
    /// The record has no set-aside value of that number.
    #[error("record {name:?} has no conflict number {number}")]
    NoSuchConflict {
        /// The record's name.
        name: String,
        /// Counted from 1.
        number: usize,
    },
    /// The passphrase does not open the device's keys.
    #[error("the passphrase does not open the device keys of this profile")]
    WrongPassphrase,
    /// No wallet answers to this recovery code.
    #[error("no wallet answers to this recovery code: check it, and the cluster's address")]
    NoWalletForCode,
    /// The member was revoked, or never was one.
    #[error("{0} is not an active member of this wallet")]
    NotActive(MemberId),
    /// The wallet's own rules refuse the change.
    #[error("the wallet's rules refuse this: {0}")]
    Link(#[source] LinkRefused),
    /// The wallet was erased; nothing follows.
    #[error("this wallet was erased")]
    Erased,
}

/// The head that the cluster holds, as told with a conflict. Not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub head: HeadHash,
}

/// A mistake in the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Usage {
    /// Not an address of a node.
    #[error("{url:?} is not an endpoint: {problem}; write https://HOST:PORT")]
    Endpoint {
        /// As given.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No endpoint was given.
    #[error("no endpoint is known: name at least one as https://HOST:PORT")]
    NoEndpoint,
    /// The certificates to trust cannot be used.
    #[error("the CA file {0}: give the cluster's CA certificate in PEM")]
    Authority(&'static str),
    /// The operator's certificate or key cannot be used.
    #[error("the client certificate {0}: give certificate chain and private key in PEM")]
    Identity(&'static str),
    /// The recovery or revoker code is mistyped.
    #[error("the code is mistyped: {0}")]
    Code(&'static str),
    /// A record cannot be stored as given.
    #[error("record {name:?} {problem}")]
    Record {
        /// The record's name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Names below `holdfast/` belong to the wallet itself.
    #[error("the name {0:?} is reserved: names must not begin with \"holdfast/\"")]
    ReservedName(String),
    /// The code opens several wallets and none was chosen.
    #[error("the recovery code opens {} wallets: choose one of {}", .0.len(), list(.0))]
    SeveralWallets(Vec<WalletId>),
    /// Not a file written by `session`.
    #[error("this is not a session file: `holdfast wallet session` writes one")]
    SessionFile,
    /// A device cannot revoke itself.
    #[error("a device cannot revoke itself: do it on another device, or by `recover`")]
    RevokesItself,
    /// The wallet's members wrote with a newer version of Holdfast.
    #[error("this wallet uses {0} of a newer version; update this program to change it")]
    Update(&'static str),
    /// An earlier change of this profile is under way.
    #[error("{0} was begun in this profile and is not finished: repeat it first")]
    Unfinished(&'static str),
}

fn list(wallets: &[WalletId]) -> String {
    wallets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// No usable answer in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Nothing was done.
    #[error("no node answered within {seconds} s; nothing was changed. Last answer: {last}")]
    NotDone {
        /// The deadline of the whole call.
        seconds: u64,
        /// What the last attempt met.
        last: String,
    },
    /// It may have been done. The same request is kept and sent again the next time.
    #[error(
        "no node confirmed within {seconds} s; it may have been done. Repeat it: the same request is sent again, with one effect. Last answer: {last}"
    )]
    Unknown {
        /// The deadline of the whole call.
        seconds: u64,
        /// What the last attempt met.
        last: String,
    },
    /// Other devices changed the wallet faster than this one could.
    #[error("the head moved on {attempts} times while pushing; nothing is lost, push again")]
    Contended {
        /// How often this device merged and tried.
        attempts: u32,
    },
}
