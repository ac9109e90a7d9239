//! Why a node did not start, or did not go on, and what a supervisor should do about it.

use crate::{config::SecretFileError, epoch_key::EpochKeyError, tls::CertificateError};
use raft::{End, StartError};
use std::{io, net::SocketAddr, path::PathBuf};
use store::Fault;
use tokio::task::JoinError;

/// Why a node ended other than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system does not deliver signals.
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    /// The data directory cannot be used.
    #[error("the data directory {} cannot be used: {source}", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A port cannot be opened.
    #[error("{address} cannot be listened on: {source}; is another node running there?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A listener ended by itself.
    #[error("a listener ended: {0}")]
    ListenerEnded(String),
    /// The epoch key.
    #[error(transparent)]
    EpochKey(#[from] EpochKeyError),
    /// Certificates.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// The registration tokens cannot be read.
    #[error(transparent)]
    Tokens(#[from] SecretFileError),
    /// There are none.
    #[error(
        "{} holds no registration token; write one on each line, or set registration.mode = \"open\"",
        file.display()
    )]
    NoTokens {
        /// The file.
        file: PathBuf,
    },
    /// Replication cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The node cannot go on: a disk refused, or its state contradicts itself.
    #[error(
        "this node cannot go on: {0}; what it acknowledged is safe, start it again when the cause is gone"
    )]
    Fatal(String),
    /// Something on its disk is not what it wrote; a note says so to the next start.
    #[error(
        "{0}; this node promises nothing from here on. Start it again: it rebuilds what is damaged from \
         the other nodes, and takes a new id if its log cannot be believed (docs/operating/damage.md)"
    )]
    Damaged(String),
    /// The cluster counts on this node no more, or has given its machine a new place.
    #[error("{0}; it has to be started again")]
    Again(String),
}

/// What to do about the end of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Change the configuration or a file that it names.
    Usage,
    /// The cluster does not take this node as it is; starting it again changes nothing.
    Refused,
    /// Something on disk is not what this node wrote; the replica has to be rebuilt.
    Damaged,
    /// Start it again, perhaps after the cause is gone.
    Unavailable,
    /// Start it again, at once: that is how it goes on.
    Again,
}

impl From<End> for RunError {
    fn from(end: End) -> Self {
        match end {
            End::Failed(reason) => RunError::Fatal(reason),
            End::Damaged(_, reason) => RunError::Damaged(reason),
            End::Again(reason) => RunError::Again(reason),
        }
    }
}

impl RunError {
    /// What to do about it.
    pub fn ending(&self) -> Ending {
        match self {
            RunError::EpochKey(_)
            | RunError::Certificates(_)
            | RunError::Tokens(_)
            | RunError::NoTokens { .. } => Ending::Usage,
            RunError::Damaged(_) => Ending::Damaged,
            RunError::Again(_) => Ending::Again,
            RunError::Start(error) => match error {
                StartError::Identity(raft::IdentityError::Io { .. }) => Ending::Unavailable,
                StartError::Damaged { .. } => Ending::Damaged,
                StartError::Identity(_) | StartError::TooOld { .. } => Ending::Refused,
                StartError::State { source, .. } | StartError::Engine(source) => of_fault(source),
                StartError::Facts(_) => Ending::Damaged,
                _ => Ending::Unavailable,
            },
            RunError::Signals(_)
            | RunError::Directory { .. }
            | RunError::Listen { .. }
            | RunError::ListenerEnded(_)
            | RunError::Fatal(_) => Ending::Unavailable,
        }
    }

    pub(super) fn listener(ended: Result<io::Result<()>, JoinError>) -> RunError {
        RunError::ListenerEnded(match ended {
            Ok(Ok(())) => "nobody asked it to".into(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        })
    }
}

fn of_fault(fault: &Fault) -> Ending {
    match fault {
        Fault::Corrupt { .. } | Fault::Inconsistent { .. } => Ending::Damaged,
        _ => Ending::Unavailable,
    }
}
