//! What can go wrong, sorted by what the caller does next.

use std::error::Error;
use std::fmt::Write;

use store::Damage;
use types::NodeInfo;

use crate::identity::IdentityError;
use crate::log::LogError;

/// A failure with its causes, outermost first, for the one line that is logged.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        // Writing to a string does not fail.
        let _ = write!(text, ": {next}");
        cause = next.source();
    }
    text
}

/// Why a command has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// It was not proposed: this node does not lead the group. Go to `leader`, if one is known.
    #[error("this node does not lead the group{}", hint(leader))]
    NotLeader {
        /// Who leads the group, as far as this node knows.
        leader: Option<NodeInfo>,
    },
    /// It may or may not have been, or yet be, applied. Only a retry with the same request id may follow.
    #[error("the outcome is not known; only the same request may be tried again")]
    Unknown,
    /// It was not proposed: too much is waiting already. Try again later.
    #[error("too many commands are waiting")]
    Overloaded,
    /// It was not proposed, and never will be: it is larger than an entry may be.
    #[error("a command of {bytes} bytes is larger than an entry may be ({limit} bytes)")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most an entry may carry.
        limit: usize,
    },
    /// It was not proposed: not every node could read it yet.
    #[error("{reason}")]
    TooEarly {
        /// Which level it needs, and who does not know it.
        reason: String,
    },
    /// It was not proposed: this node is stopping, or has no such group.
    #[error("this node is stopping or does not hold the group")]
    Stopped,
}

/// Why there is nothing to read from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No read index could be had in time: no leader, no quorum, or this replica is too far behind.
    #[error(
        "no read index within the deadline: the group has no leader that reaches a majority, or this replica lags"
    )]
    Unavailable,
    /// This node does not hold the group, has not joined a cluster, or is stopping.
    #[error("this node does not hold the group")]
    NotHere,
}

/// Why a node did not start. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The node's own name, or the file that keeps it.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state of a group.
    #[error("open the state of group {group}")]
    State {
        /// The group.
        group: types::GroupId,
        /// What is wrong.
        #[source]
        source: store::Fault,
    },
    /// Something in the node's directory is not what it wrote. A note is left for the next start.
    #[error(
        "{found}; this node promises nothing from here on. Start it again: it rebuilds what is damaged \
         from the other nodes, and takes a new id if its log cannot be believed (docs/operating/damage.md)"
    )]
    Damaged {
        /// What was found, and where.
        found: String,
    },
    /// A repair could not go on.
    #[error("{action} {path}")]
    Repair {
        /// What was being done.
        action: &'static str,
        /// To which directory.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The engine.
    #[error("read what this node knows of its cluster")]
    Engine(#[from] store::Fault),
    /// What is kept about the cluster cannot be read.
    #[error("read what this node knows of its cluster: {0}")]
    Facts(String),
    /// A group did not start.
    #[error("start group {group}: {reason}")]
    Group {
        /// The group.
        group: types::GroupId,
        /// What openraft said.
        reason: String,
    },
    /// The program is older than what the cluster writes.
    #[error(
        "this program knows format level {known}, and its cluster has begun level {level}: start a newer one; \
         nothing was changed"
    )]
    TooOld {
        /// The level of the cluster.
        level: u8,
        /// The highest level that the program knows.
        known: u8,
    },
    /// A thread could not be started.
    #[error("start a thread")]
    Thread(#[source] std::io::Error),
}

impl StartError {
    /// What was found damaged, if that is why the node did not start.
    pub(crate) fn damage(&self) -> Option<Damage> {
        match self {
            StartError::Log(error) => error.is_damage().then_some(Damage::Log),
            StartError::State { source, .. } | StartError::Engine(source) => source.damage(),
            _ => None,
        }
    }
}

/// Why an act on the cluster was refused or did not come to an end. Acts are safe to repeat.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// It must not be done; nothing was.
    #[error("{0}")]
    Refused(String),
    /// Somebody needed did not answer, or a step did not end in time. Repeat it.
    #[error("{0}")]
    Unavailable(String),
}

fn hint(leader: &Option<NodeInfo>) -> String {
    leader.as_ref().map_or_else(String::new, |leader| format!("; {} does", leader.name))
}
