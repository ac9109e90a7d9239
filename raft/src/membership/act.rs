//! Acts on the cluster, proposed to whoever leads the group they are for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use store::command::{SystemCommand, SystemReply};
use store::{Act, AuditLeaf, Caller, Command, Reader, Reply};
use tokio::time::{Instant, sleep};
use types::{GroupId, NodeId, Rejection, RequestId, tagged};

use crate::error::{ClusterError, chain};
use crate::node::Inner;
use crate::peer::control::CallError;
use crate::peer::convert::{self, ControlKind};
use crate::propose::Failure;

/// How long an act may look for a leader.
const ACT: Duration = Duration::from_secs(15);
/// The pause between two attempts.
const AGAIN: Duration = Duration::from_millis(50);

/// Who asks for an act on the cluster, and under which name. Repeated under the same name it has no
/// second effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who asks.
    pub caller: Caller,
    /// Names the act.
    pub request: RequestId,
}

impl Order {
    /// One of the steps that an act consists of, under a name of its own.
    pub(crate) fn step(&self, step: &str, number: u64) -> Order {
        let parts = [self.request.as_bytes().as_slice(), step.as_bytes(), &number.to_be_bytes()];
        Order {
            caller: self.caller,
            request: RequestId::from_bytes(tagged("holdfast/1 act step", &parts)),
        }
    }

    /// What the command says of itself, when it is proposed now.
    pub fn act(&self, after: u64) -> Act {
        let token =
            tagged("holdfast/1 act leaf", &[self.caller.as_bytes(), self.request.as_bytes()]);
        Act {
            caller: self.caller,
            request: self.request,
            after,
            time_ms: now_ms(),
            leaf: AuditLeaf { token },
        }
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

impl Inner {
    /// Has a group apply an act, wherever its leader is. Tried again until there is an outcome, or until
    /// it takes too long; it has one effect at most.
    pub(crate) async fn act(
        &self,
        group: GroupId,
        order: Order,
        command: SystemCommand,
    ) -> Result<Result<SystemReply, Rejection>, ClusterError> {
        let after = Reader::open(self.engine.as_ref(), group).and_then(|reader| reader.acts());
        let after = after.map_err(|fault| ClusterError::Unavailable(chain(&fault)))?;
        let until = Instant::now() + ACT;
        loop {
            let proposed = Command::System(order.act(after), Box::new(command.clone())).encode();
            let proposed = proposed.map_err(|error| ClusterError::Refused(error.to_string()))?;
            match self.propose_to_leader(group, proposed.into()).await {
                Ok(Reply::System(reply)) => return Ok(Ok(reply)),
                Ok(Reply::Rejected(rejection)) => return Ok(Err(rejection)),
                Ok(Reply::Nothing | Reply::Pushed { .. }) => {
                    return Err(ClusterError::Unavailable(format!(
                        "group {group} answered another question"
                    )));
                }
                Err(Failure::TooLarge(bytes)) => {
                    return Err(ClusterError::Refused(format!(
                        "the act takes {bytes} bytes, which is too much"
                    )));
                }
                Err(failure) if Instant::now() >= until => {
                    let reason = failure.named(|id| self.node(id));
                    return Err(ClusterError::Unavailable(format!("group {group}: {reason}")));
                }
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    /// As [`Inner::act`], with a rejection as a refusal.
    pub(crate) async fn must(
        &self,
        group: GroupId,
        order: Order,
        command: SystemCommand,
    ) -> Result<SystemReply, ClusterError> {
        self.act(group, order, command)
            .await?
            .map_err(|rejection| ClusterError::Refused(rejection.to_string()))
    }

    async fn propose_to_leader(&self, id: GroupId, command: Bytes) -> Result<Reply, Failure> {
        let group = self.group(id).ok_or(Failure::Stopped)?;
        let leader = group.report().now().current_leader.map(NodeId);
        match leader {
            None => Err(Failure::NotLeader(None)),
            Some(leader) if Some(leader) == self.id() => group.proposals.propose(command).await,
            Some(leader) => {
                let asked = self.peers.call(leader, id, ControlKind::Propose, command, ACT).await;
                match asked {
                    Ok(body) => convert::decode_outcome(body).unwrap_or(Err(Failure::Unknown)),
                    Err(CallError::Refused(_)) => Err(Failure::NotLeader(None)),
                    Err(CallError::Unreachable(_) | CallError::Timeout(_)) => Err(Failure::Unknown),
                }
            }
        }
    }
}
