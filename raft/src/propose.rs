//! Commands on their way into one group's log.
//!
//! What has queued up goes to openraft in one call. The queue is bounded in commands and bytes; what
//! does not fit is refused at once, before anything was proposed. An answer that is lost, or that does
//! not come in time, is `Unknown`: the command may still be applied.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use openraft::errors::ClientWriteError;
use store::{Command, Reply};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use types::NodeId;

use crate::error::ProposeError;
use crate::trace::Trace;
use crate::types::{CommandBytes, Raft};

/// Commands that may wait.
const QUEUE: usize = 8192;
/// Bytes of commands that may wait or be under way.
const QUEUE_BYTES: usize = 64 << 20;
/// Commands in one call.
const BATCH: usize = 1024;
/// One permit of the budget, in bytes.
const PERMIT_BYTES: usize = 1024;

/// Why a command has no reply, before names are put to nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    NotLeader(Option<NodeId>),
    Unknown,
    Overloaded,
    TooLarge(usize),
    Stopped,
}

struct Waiting {
    command: CommandBytes,
    answer: oneshot::Sender<Result<Reply, Failure>>,
    room: OwnedSemaphorePermit,
}

/// The queue of one group.
pub(crate) struct Proposals {
    queue: mpsc::Sender<Waiting>,
    budget: Arc<Semaphore>,
    deadline: Duration,
}

impl Proposals {
    /// Starts the task that empties the queue. It ends when the queue is dropped.
    pub(crate) fn start(raft: Raft, deadline: Duration) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(empty(raft, waiting));
        Proposals { queue, budget: Arc::new(Semaphore::new(QUEUE_BYTES / PERMIT_BYTES)), deadline }
    }

    /// Proposes an encoded command and waits for what applying it answered.
    pub(crate) async fn propose(&self, command: Bytes) -> Result<Reply, Failure> {
        if command.len() > Command::MAX_BYTES {
            return Err(Failure::TooLarge(command.len()));
        }
        // The largest command takes the whole budget and goes alone.
        let permits =
            command.len().div_ceil(PERMIT_BYTES).clamp(1, QUEUE_BYTES / PERMIT_BYTES) as u32;
        let room =
            self.budget.clone().try_acquire_many_owned(permits).map_err(|_| Failure::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            command: CommandBytes { bytes: command, trace: Trace::current() },
            answer,
            room,
        };
        self.queue.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Failure::Stopped,
        })?;
        match timeout(self.deadline, answered).await {
            Ok(Ok(outcome)) => outcome,
            // The answer was lost or is late; the command is not.
            Ok(Err(_)) | Err(_) => Err(Failure::Unknown),
        }
    }
}

async fn empty(raft: Raft, mut queue: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let mut answers = Vec::with_capacity(batch.len());
        let commands: Vec<CommandBytes> = batch
            .drain(..)
            .map(|waiting| {
                answers.push((waiting.answer, waiting.room));
                waiting.command
            })
            .collect();
        match raft.client_write_many(commands).await {
            Err(_) => {
                for (answer, _room) in answers {
                    let _ = answer.send(Err(Failure::Stopped));
                }
            }
            // The next batch does not wait for this one.
            Ok(mut outcomes) => {
                tokio::spawn(async move {
                    for (answer, _room) in answers {
                        let outcome = match outcomes.next().await {
                            Some(Ok(Ok(applied))) => Ok(applied.response),
                            Some(Ok(Err(ClientWriteError::ForwardToLeader(forward)))) => {
                                Err(Failure::NotLeader(forward.leader_id.map(NodeId)))
                            }
                            // Discarded, or the group stopped: it may be in another node's log.
                            Some(Ok(Err(_)) | Err(_)) | None => Err(Failure::Unknown),
                        };
                        // Whoever asked may have given up; the outcome stands all the same.
                        let _ = answer.send(outcome);
                    }
                });
            }
        }
    }
}

impl Failure {
    /// Puts a name to the leader.
    pub(crate) fn named(
        self,
        name: impl FnOnce(NodeId) -> Option<types::NodeInfo>,
    ) -> ProposeError {
        match self {
            Failure::NotLeader(leader) => ProposeError::NotLeader { leader: leader.and_then(name) },
            Failure::Unknown => ProposeError::Unknown,
            Failure::Overloaded => ProposeError::Overloaded,
            Failure::TooLarge(bytes) => ProposeError::TooLarge { bytes, limit: Command::MAX_BYTES },
            Failure::Stopped => ProposeError::Stopped,
        }
    }
}
