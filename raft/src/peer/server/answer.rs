//! Answers to control requests.

use std::sync::Arc;

use bytes::Bytes;
use proto::peer::{ControlFrame, ControlRequest, ControlResponse, control_frame::Frame};
use store::Command;
use tokio::sync::{Semaphore, mpsc};
use tonic::{Status, Streaming};
use types::{GroupId, NodeId, NodeInfo};

use crate::node::Inner;
use crate::peer::convert::{self, ControlKind};
use crate::peer::link::until_stopped;
use crate::types::LogId;

/// Requests of one peer under way at once. More wait in the connection.
const AT_ONCE: usize = 512;

pub(super) async fn serve(
    node: Arc<Inner>,
    from: NodeInfo,
    mut frames: Streaming<ControlFrame>,
    out: mpsc::Sender<Result<ControlFrame, Status>>,
) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut stopped = std::pin::pin!(until_stopped(&node.stopping));
    loop {
        let frame = tokio::select! {
            frame = frames.message() => frame,
            () = stopped.as_mut() => return,
        };
        let Ok(Some(ControlFrame { frame: Some(Frame::Request(request)) })) = frame else { return };
        if node.is_out(from.id) {
            return;
        }
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let (node, from, out) = (node.clone(), from.id, out.clone());
        tokio::spawn(async move {
            let id = request.id;
            let (error, body) = match answer(&node, from, request).await {
                Ok(body) => (String::new(), body),
                Err(error) => (error, Bytes::new()),
            };
            let response = ControlResponse { id, error, body };
            // Fails only when the connection is gone, and the asker with it.
            let _ = out.send(Ok(ControlFrame { frame: Some(Frame::Response(response)) })).await;
            drop(permit);
        });
    }
}

async fn answer(node: &Inner, from: NodeId, request: ControlRequest) -> Result<Bytes, String> {
    let text = |error: &dyn std::error::Error| crate::error::chain(error);
    let kind = ControlKind::parse(request.kind).ok_or("this node does not know such a request")?;
    let group = node.group(GroupId(request.group)).ok_or("this node does not hold the group")?;
    let raft = &group.raft;
    // A term that no election can have led to is not for openraft: it would be kept for ever.
    let may_hear_of = |terms: [Option<u64>; 2]| {
        let checked =
            terms.into_iter().flatten().try_for_each(|term| group.report().may_hear_of(term));
        checked.map_err(|leap| {
            tracing::error!(%from, group = %group.id, error = %leap, ?kind, "a request is refused");
            text(&leap)
        })
    };
    let term = |id: Option<LogId>| id.map(|id| id.leader_id.term);
    match kind {
        ControlKind::Vote => {
            let asked = convert::decode_vote_request(request.body).map_err(|error| text(&error))?;
            may_hear_of([Some(asked.vote.leader_id.term), term(asked.last_log_id)])?;
            let answer = raft.vote(asked).await.map_err(|error| text(&error))?;
            Ok(convert::encode_vote_response(&answer))
        }
        ControlKind::PreVote => {
            let asked = convert::decode_vote_request(request.body).map_err(|error| text(&error))?;
            may_hear_of([Some(asked.vote.leader_id.term), term(asked.last_log_id)])?;
            let answer = raft.pre_vote(asked).await.map_err(|error| text(&error))?;
            Ok(convert::encode_vote_response(&answer))
        }
        ControlKind::Heartbeat => {
            let asked = convert::decode_append(request.body).map_err(|error| text(&error))?;
            may_hear_of([Some(asked.vote.leader_id.term), None])?;
            let answer = raft.append_entries(asked).await.map_err(|error| text(&error))?;
            Ok(convert::encode_append_response(&answer))
        }
        ControlKind::ReadIndex => {
            let index = group.index.join().await.map_err(|error| error.to_string())?;
            Ok(convert::encode_read_index(&index))
        }
        ControlKind::TransferLeader => {
            let asked = convert::decode_transfer(request.body).map_err(|error| text(&error))?;
            may_hear_of([Some(asked.from_leader().leader_id.term), None])?;
            let answer = raft.handle_transfer_leader(asked).await.map_err(|error| text(&error))?;
            answer.map(|()| Bytes::new()).map_err(|error| text(&error))
        }
        ControlKind::Propose => {
            only_acts(&request.body)?;
            let reply = group.proposals.propose(request.body, true).await;
            Ok(convert::encode_outcome(&reply))
        }
        ControlKind::HandOver => {
            let to = convert::decode_hand_over(request.body).map_err(|error| text(&error))?;
            tracing::info!(group = %group.id, to, by = %from, "asked to hand over leadership");
            raft.trigger().transfer_leader(to).await.map_err(|error| text(&error))?;
            Ok(Bytes::new())
        }
        ControlKind::Status => Ok(convert::encode_view(&group.view())),
        ControlKind::Health => Ok(convert::encode_health(&node.say_health())),
        ControlKind::Checkpoints => Ok(convert::encode_checkpoints(&group.cell.checkpoints())),
    }
}

/// Pushes are judged by the leader's own door, to which other nodes pass them on as they were received.
/// What nodes propose to each other is acts on the cluster, and nothing else.
fn only_acts(command: &[u8]) -> Result<(), String> {
    match Command::decode(command) {
        Ok(Command::System(..)) => Ok(()),
        Ok(Command::Push(_)) => Err("a node may propose acts on the cluster only".to_owned()),
        Err(error) => Err(crate::error::chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use store::command::{Push, SystemCommand};
    use store::{Caller, Policy};
    use types::{
        Head, HeadHash, LinkHash, MemberId, MemberSignature, RequestId, Root, SignedHead, Suite,
        TreeHash, WalletId,
    };

    use super::*;
    use crate::membership::act::Order;

    fn push() -> Push {
        let signer = MemberId::ZERO;
        let head = Head {
            suite: Suite::P256,
            wallet: WalletId::ZERO,
            seq: 1,
            prev: HeadHash::ZERO,
            history: TreeHash::ZERO,
            root: Root::ZERO,
            links: 1,
            link: LinkHash::ZERO,
            signer,
            time_s: 0,
        };
        let signature = MemberSignature { member: signer, signature: [0; 64] };
        Push {
            content: [0; 32],
            base: None,
            head: SignedHead::new(&head, signature).unwrap(),
            between: Vec::new(),
            links: Vec::new(),
            membership: None,
            records: Vec::new(),
            removed: Vec::new(),
            data_key: None,
            time_ms: 0,
            leaf: store::AuditLeaf { token: [0; 32] },
        }
    }

    #[test]
    fn a_node_proposes_acts_and_nothing_else() {
        let policy = Box::new(SystemCommand::SetPolicy(Policy::default()));
        let order =
            Order { caller: Caller::named("test"), request: RequestId::from_bytes([1; 32]) };
        let act = Command::System(order.act(0), policy).encode().unwrap();
        only_acts(&act).unwrap();
        let push = Command::Push(Box::new(push())).encode().unwrap();
        assert_eq!(only_acts(&push).unwrap_err(), "a node may propose acts on the cluster only");
        assert!(only_acts(&act[..act.len() - 1]).is_err());
    }
}
