//! Why a command failed, and with which exit code.

use client::{Class, ClientError};
use server::{
    backup::{BackupError, UsageError},
    cluster::{ClusterError, admin::ConnectError},
    settings::ConfigError,
};
use std::{error::Error, io};

/// A command's error with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    exit_code: u8,
    error: anyhow::Error,
    told: bool,
}

impl Failure {
    /// The answer is no, and will be the next time (1).
    pub(crate) fn refused(error: impl Into<anyhow::Error>) -> Failure {
        Failure::of(Class::Refused, error)
    }

    /// The call, a file or a setting has to be changed first (2).
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Failure {
        Failure::of(Class::Usage, error)
    }

    /// It may work later (3).
    pub(crate) fn unavailable(error: impl Into<anyhow::Error>) -> Failure {
        Failure::of(Class::Unavailable, error)
    }

    /// Data is not what its owner signed (4).
    pub(crate) fn integrity(error: impl Into<anyhow::Error>) -> Failure {
        Failure::of(Class::Integrity, error)
    }

    fn of(class: Class, error: impl Into<anyhow::Error>) -> Failure {
        Failure { exit_code: class.exit_code(), error: error.into(), told: false }
    }

    /// Puts what was being done in front.
    pub(crate) fn context(self, doing: impl std::fmt::Display + Send + Sync + 'static) -> Failure {
        Failure { error: self.error.context(doing), ..self }
    }

    /// It has been said already, in another form.
    pub(crate) fn told(self) -> Failure {
        Failure { told: true, ..self }
    }

    pub(crate) fn is_told(&self) -> bool {
        self.told
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// The whole chain in one line. Many errors say their cause themselves; it is not said twice.
    pub(crate) fn message(&self) -> String {
        let mut message = String::new();
        for cause in self.error.chain() {
            let cause = cause.to_string();
            if message.is_empty() {
                message = cause;
            } else if !message.contains(&cause) {
                message = format!("{message}: {cause}");
            }
        }
        message
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        Failure::of(error.class(), error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::usage(error)
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Failure {
        match error {
            ConnectError::Unreachable { .. } => Failure::unavailable(error),
            _ => Failure::usage(error),
        }
    }
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Failure {
        match error {
            ClusterError::Connect(error) => error.into(),
            ClusterError::Plan(_)
            | ClusterError::Files(_)
            | ClusterError::Description(_)
            | ClusterError::Config(_)
            | ClusterError::NotPrepared { .. }
            | ClusterError::NoAuthority { .. }
            | ClusterError::NoNodeNamed { .. }
            | ClusterError::NoSuchNode(_) => Failure::usage(error),
            ClusterError::Refused { .. } => Failure::refused(error),
            _ => Failure::unavailable(error),
        }
    }
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Failure {
        Failure::usage(error)
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Failure {
        match error {
            BackupError::Usage(error) => error.into(),
            BackupError::Refused(error) => Failure::refused(error),
            BackupError::Damaged { .. } | BackupError::Export { .. } => Failure::integrity(error),
            BackupError::Archive { .. } => Failure::unavailable(error),
            BackupError::Connect(error) => error.into(),
            BackupError::Node { endpoint, status } => Failure::from(*status).context(endpoint),
            BackupError::Drill(error) => {
                Failure::from(*error).context("running the temporary cluster")
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::unavailable(error)
    }
}

/// An answer of a node to its operator.
impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Failure {
        use tonic::Code;
        let said = match (status.message(), status.source()) {
            ("", Some(source)) => source.to_string(),
            ("", None) => format!("the node said {:?} and nothing more", status.code()),
            (message, _) => message.to_owned(),
        };
        let class = match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => {
                Class::Unavailable
            }
            Code::DataLoss => Class::Integrity,
            _ => Class::Refused,
        };
        Failure::of(class, anyhow::anyhow!(said))
    }
}
