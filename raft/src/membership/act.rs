//! Acts on the cluster, proposed to whoever leads the group they are for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use store::command::{SystemCommand, SystemReply};
use store::{Act, AuditLeaf, Caller, Command, Reader, Reply};
use tokio::time::{Instant, sleep};
use types::{GroupId, NodeId, Rejection, RequestId, tagged};

use crate::error::{ClusterError, chain};
use crate::node::{Inner, Node};
use crate::peer::control::CallError;
use crate::peer::convert::{self, ControlKind};
use crate::propose::Failure;

/// How long an act may look for a leader.
const ACT: Duration = Duration::from_secs(15);
/// How long one node may take to answer. The act is then asked of the next, and has one effect all the same.
const ATTEMPT: Duration = Duration::from_secs(3);
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
    /// An act of a node's own, named by what it is: whoever decides the same from the same has it done
    /// once.
    pub(crate) fn of_node(cluster: &str, name: &str, act: &[&[u8]]) -> Order {
        Order::named(&format!("spiffe://{cluster}/node/{name}"), act)
    }

    /// The same in somebody else's name.
    pub(crate) fn named(caller: &str, act: &[&[u8]]) -> Order {
        let lengths: Vec<[u8; 8]> =
            act.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
        let parts: Vec<&[u8]> =
            lengths.iter().zip(act).flat_map(|(length, part)| [length.as_slice(), part]).collect();
        Order {
            caller: Caller::named(caller),
            request: RequestId::from_bytes(tagged("holdfast/1 node act", &parts)),
        }
    }

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

/// The last attempt at an act.
#[derive(Clone, Copy)]
struct Asked {
    node: Option<NodeId>,
    /// Whom that node named.
    leader: Option<NodeId>,
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

impl Node {
    /// Has a group apply an act, wherever its leader is, and tells what its state said. Repeated under
    /// the same order it has no second effect.
    ///
    /// # Errors
    /// [`ClusterError::Unavailable`] if there was no outcome in time.
    pub async fn act(
        &self,
        group: GroupId,
        order: Order,
        command: SystemCommand,
    ) -> Result<Result<SystemReply, Rejection>, ClusterError> {
        self.inner.act(group, order, command).await
    }
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
        let whole = Command::System(order.act(after), Box::new(command.clone()));
        self.may_propose(&whole).map_err(ClusterError::Refused)?;
        let mut asked = None;
        loop {
            let proposed = Command::System(order.act(after), Box::new(command.clone())).encode();
            let proposed = proposed.map_err(|error| ClusterError::Refused(error.to_string()))?;
            let to = self.whom_to_ask(group, asked);
            match self.propose_to(to, group, proposed.into()).await {
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
                Err(failure) => {
                    let leader = match failure {
                        Failure::NotLeader(leader) => leader.filter(|leader| Some(*leader) != to),
                        _ => None,
                    };
                    asked = Some(Asked { node: to, leader });
                    sleep(AGAIN).await;
                }
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

    /// Who may lead a group: whom this node follows, then whom the node asked last named, else the next of
    /// all. A node that the others cannot reach is told of no leader, but can still ask.
    fn whom_to_ask(&self, group: GroupId, asked: Option<Asked>) -> Option<NodeId> {
        let named = match asked {
            None => self.group(group)?.report().now().current_leader.map(NodeId),
            Some(asked) => asked.leader,
        };
        let roster = self.roster.load();
        let present = || {
            let present = roster.nodes().filter(|node| node.state.counts());
            present.map(|node| node.id)
        };
        let last = asked.and_then(|asked| asked.node);
        named.or_else(|| present().find(|id| Some(*id) > last)).or_else(|| present().next())
    }

    async fn propose_to(
        &self,
        to: Option<NodeId>,
        id: GroupId,
        command: Bytes,
    ) -> Result<Reply, Failure> {
        let group = self.group(id).ok_or(Failure::Stopped)?;
        match to {
            None => Err(Failure::NotLeader(None)),
            Some(to) if Some(to) == self.id() => group.proposals.propose(command, true).await,
            Some(to) => {
                let asked = self.peers.call(to, id, ControlKind::Propose, command, ATTEMPT).await;
                match asked {
                    Ok(body) => convert::decode_outcome(body).unwrap_or(Err(Failure::Unknown)),
                    Err(CallError::Refused(_)) => Err(Failure::NotLeader(None)),
                    Err(CallError::Unreachable(_) | CallError::Timeout(_)) => Err(Failure::Unknown),
                }
            }
        }
    }
}
