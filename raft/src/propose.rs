//! Commands on their way into one group's log.
//!
//! What has queued up goes to openraft in one call. The queue is bounded in commands, and all queues of
//! a node together in bytes; what does not fit is refused at once, before anything was proposed. A part
//! of the room is kept for what must get through when nothing else does: changes of members, so also
//! revocations, and acts. No group takes more than half, so that one that is hammered leaves room for
//! the others. An answer that is lost, or that does not come in time, is `Unknown`: the command may
//! still be applied. A leader that lost its quorum says so soon, so that its callers look for another.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::errors::{ClientWriteError, Fatal};
use openraft::raft::WriteResult;
use store::{Command, Reply};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use types::NodeId;

use crate::error::ProposeError;
use crate::report::Report;
use crate::trace::Trace;
use crate::types::{CommandBytes, Metrics, Raft, TypeConfig};

/// Commands that may wait.
const QUEUE: usize = 8192;
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

/// Room for the commands of all groups of a node that wait or are under way.
#[derive(Clone)]
pub(crate) struct Room {
    common: Budget,
    urgent: Budget,
}

/// A number of bytes.
#[derive(Clone)]
struct Budget {
    free: Arc<Semaphore>,
    permits: usize,
}

/// What a command holds, given back when dropped: a part of the node's room, and of its group's.
struct Held {
    _node: OwnedSemaphorePermit,
    _group: Option<OwnedSemaphorePermit>,
}

struct Waiting {
    command: CommandBytes,
    answer: oneshot::Sender<Result<Reply, Failure>>,
    held: Held,
}

impl Room {
    /// So many bytes, an eighth of them for what is urgent.
    pub(crate) fn of(bytes: usize) -> Self {
        Self { common: Budget::of(bytes - bytes / 8), urgent: Budget::of(bytes / 8) }
    }
}

impl Budget {
    fn of(bytes: usize) -> Self {
        let permits = bytes.div_ceil(PERMIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(permits)), permits }
    }

    /// Room for so many bytes. What is larger than all of it takes all of it, and goes alone.
    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let permits = bytes.div_ceil(PERMIT_BYTES).clamp(1, self.permits);
        self.free.clone().try_acquire_many_owned(u32::try_from(permits).ok()?).ok()
    }
}

/// Whether a command must get through when there is room for nothing else.
pub(crate) fn is_urgent(command: &Command) -> bool {
    match command {
        Command::System(..) => true,
        Command::Push(push) => push.base.is_some() && !push.links.is_empty(),
    }
}

/// The queue of one group.
pub(crate) struct Proposals {
    queue: mpsc::Sender<Waiting>,
    room: Room,
    share: Budget,
    patience: Patience,
    report: Report,
}

/// How long a caller waits for an outcome.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// At most.
    pub(crate) at_most: Duration,
    /// Of a leader that no quorum has answered for so long nothing is to be expected any more: by then the
    /// others may have another one, and the caller does better to ask there.
    pub(crate) without_quorum: Duration,
}

impl Proposals {
    /// Starts the task that empties the queue. It ends when the queue is dropped.
    pub(crate) fn start(raft: Raft, room: Room, patience: Patience) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let report = Report::of(&raft);
        tokio::spawn(empty(raft, waiting));
        let share = Budget::of(room.common.permits / 2 * PERMIT_BYTES);
        Proposals { queue, room, share, patience, report }
    }

    /// Proposes an encoded command and waits for what applying it answered.
    pub(crate) async fn propose(&self, command: Bytes, urgent: bool) -> Result<Reply, Failure> {
        if command.len() > Command::MAX_BYTES {
            return Err(Failure::TooLarge(command.len()));
        }
        let held = self.hold(command.len(), urgent).ok_or(Failure::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            command: CommandBytes { bytes: command, trace: Trace::current() },
            answer,
            held,
        };
        self.queue.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Failure::Stopped,
        })?;
        match self.outcome(answered).await {
            Err(Failure::NotLeader(Some(to))) => {
                Err(Failure::NotLeader(Some(self.in_office(to).await)))
            }
            outcome => outcome,
        }
    }

    /// Who leads, where `to` was named. A leader that hands over names its successor before that one leads, and
    /// whoever went there at once would be sent back: this waits until the successor is heard from.
    async fn in_office(&self, to: NodeId) -> NodeId {
        let mut report = self.report.clone();
        let is_led =
            |metrics: &Metrics| !metrics.state.is_leader() && metrics.current_leader.is_some();
        let led = timeout(self.patience.without_quorum, report.until(is_led)).await;
        let leader = report.now().current_leader.filter(|_| led.is_ok());
        leader.map_or(to, NodeId)
    }

    async fn outcome(
        &self,
        mut answered: oneshot::Receiver<Result<Reply, Failure>>,
    ) -> Result<Reply, Failure> {
        let until = Instant::now() + self.patience.at_most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left.min(self.patience.without_quorum / 4), &mut answered).await {
                Ok(Ok(outcome)) => return outcome,
                // The answer was lost, or is late; the command is not.
                Ok(Err(_)) => return Err(Failure::Unknown),
                Err(_) if left.is_zero() => return Err(Failure::Unknown),
                Err(_) if self.report.quorum_silent() > self.patience.without_quorum => {
                    return Err(Failure::Unknown);
                }
                Err(_) => {}
            }
        }
    }
}

impl Proposals {
    fn hold(&self, bytes: usize, urgent: bool) -> Option<Held> {
        let in_common = || {
            let group = self.share.take(bytes)?;
            Some(Held { _node: self.room.common.take(bytes)?, _group: Some(group) })
        };
        let apart = || Some(Held { _node: self.room.urgent.take(bytes)?, _group: None });
        in_common().or_else(|| if urgent { apart() } else { None })
    }
}

async fn empty(raft: Raft, mut queue: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let mut answers = Vec::with_capacity(batch.len());
        let commands: Vec<CommandBytes> = batch
            .drain(..)
            .map(|waiting| {
                answers.push((waiting.answer, waiting.held));
                waiting.command
            })
            .collect();
        match raft.client_write_many(commands).await {
            Err(_) => {
                for (answer, _held) in answers {
                    let _ = answer.send(Err(Failure::Stopped));
                }
            }
            // The next batch does not wait for this one.
            Ok(outcomes) => {
                tokio::spawn(hand_on(outcomes, answers));
            }
        }
    }
}

/// What became of one command, as openraft says it.
type Outcome = Result<WriteResult<TypeConfig>, Fatal<TypeConfig>>;

/// Answers with the outcomes, in their order. They may end before the answers do: the group has stopped
/// then, and must not be asked again.
async fn hand_on(
    outcomes: impl Stream<Item = Outcome> + Unpin,
    answers: Vec<(oneshot::Sender<Result<Reply, Failure>>, Held)>,
) {
    let mut outcomes = outcomes.fuse();
    for (answer, _held) in answers {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_budget_gives_what_it_has_and_takes_it_back() {
        let budget = Budget::of(10 * PERMIT_BYTES);
        let first = budget.take(4 * PERMIT_BYTES + 1).unwrap();
        assert!(budget.take(6 * PERMIT_BYTES).is_none());
        let second = budget.take(5 * PERMIT_BYTES).unwrap();
        assert!(budget.take(0).is_none(), "the smallest command takes something");
        drop((first, second));
        let all = budget.take(1 << 40).unwrap();
        assert!(budget.take(1).is_none(), "the largest goes alone");
        drop(all);
        assert!(budget.take(1).is_some());
    }

    /// A group that stops ends its outcomes: some streams panic when they are asked once more.
    #[tokio::test]
    async fn outcomes_that_end_early_are_unknown_and_not_asked_for_again() {
        let room = Room::of(1 << 20);
        let held = || Held { _node: room.common.take(1).unwrap(), _group: None };
        let (answers, waiting): (Vec<_>, Vec<_>) = (0..3)
            .map(|_| {
                let (answer, answered) = oneshot::channel();
                ((answer, held()), answered)
            })
            .unzip();
        let stopped = futures::stream::unfold(true, |first| async move {
            first.then_some((Err(Fatal::Stopped), false))
        });
        hand_on(Box::pin(stopped), answers).await;
        for answer in waiting {
            assert_eq!(answer.await.unwrap(), Err(Failure::Unknown));
        }
    }

    #[test]
    fn what_is_urgent_has_room_of_its_own() {
        let room = Room::of(80 * PERMIT_BYTES);
        assert_eq!((room.common.permits, room.urgent.permits), (70, 10));
        let nothing = Room::of(0);
        assert!(nothing.common.take(1 << 20).is_some(), "one command always goes");
    }
}
