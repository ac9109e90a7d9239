//! How a machine comes back whose directory cannot be believed: under a new id, without a person.
//!
//! The machine asks any node of its cluster, under its own certificate, until it has a new place. The
//! node asked has the former life fenced, waits until no group counts on it (the placements move,
//! one step at a time, and P1's rule is held against each), and then registers the new life in its place:
//! one entry of group 0 removes the one and names the other. Only then does the machine wipe anything.
//! So a majority of damaged nodes wipes nothing: nobody can agree to it.
//!
//! A node that an operator removed does not come back this way, and neither does a second process under
//! the name of one that still runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::peer::peer_client::PeerClient;
use proto::peer::rejoin_reply::Outcome;
use proto::peer::{AdoptRequest, RejoinReply, RejoinRequest};
use store::command::{NewNode, SystemCommand, SystemReply};
use tokio::time::{sleep, timeout};
use types::{ClusterId, GroupId, Incarnation, NodeId, NodeInfo, NodeState};

use crate::certificate::ConnectionIdentity;
use crate::error::{ClusterError, chain};
use crate::fatal::End;
use crate::identity::{Identity, Place};
use crate::log::entry;
use crate::membership::act::Order;
use crate::node::Inner;
use crate::node::start::identify;
use crate::peer::connector::Connector;
use crate::repair::{Note, Quarantine, Task};
use crate::roster::{Roster, parse_role};

/// Between two rounds of asking.
const AGAIN: Duration = Duration::from_millis(500);
/// How long one node may take to answer.
const ASK: Duration = Duration::from_secs(20);

impl Inner {
    /// A node in quarantine asks until the cluster has a new place for it.
    pub(crate) fn leave_quarantine(self: &Arc<Self>) {
        let node = self.clone();
        self.spawn(async move {
            loop {
                let Some(quarantine) = node.quarantine.get() else { return };
                match node.ask_for_a_place(quarantine.next, &quarantine.reason).await {
                    Ok(place) => match node.note_place(quarantine, place).await {
                        Ok(()) => return,
                        Err(reason) => quarantine.waits_for(reason),
                    },
                    Err(waits_for) => quarantine.waits_for(waits_for),
                }
                sleep(AGAIN).await;
            }
        });
    }

    /// A node without a place looks whether its name had one: then its directory was lost, or it is on
    /// its way back.
    pub(crate) fn look_for_a_place(self: &Arc<Self>) {
        let node = self.clone();
        self.spawn(async move {
            let own = node.identity.load().incarnation;
            let mut told = String::new();
            while node.identity.load().place.is_none() {
                sleep(AGAIN).await;
                if !node.name_is_known().await {
                    continue;
                }
                let reason = "its directory is new";
                let outcome = match node.ask_for_a_place(own, reason).await {
                    Ok(place) => node.adopt(place).await.map_err(|error| error.to_string()),
                    Err(waits_for) => Err(waits_for),
                };
                if let Err(reason) = outcome
                    && told != reason
                {
                    tracing::info!(reason, "the cluster knows this name; not taken in yet");
                    told = reason;
                }
            }
        });
    }

    async fn name_is_known(&self) -> bool {
        for address in self.addresses() {
            if let Ok((_, reply)) = identify(&self.host, &address).await
                && let Ok(roster) = Roster::from_proto(reply.roster)
                && roster.named(&self.config.name).is_some()
            {
                return true;
            }
        }
        false
    }

    /// Where others of the cluster may be reached.
    fn addresses(&self) -> BTreeSet<String> {
        let roster = self.roster.load();
        let known = roster.nodes().filter(|node| node.state.counts()).map(|node| &node.peer);
        let all = known.chain(&self.config.seeds).cloned();
        all.filter(|address| *address != self.config.peer).collect()
    }

    async fn ask_for_a_place(
        &self,
        next: Incarnation,
        reason: &str,
    ) -> Result<AdoptRequest, String> {
        let mut waits_for = "no other node of the cluster is known; name some as seeds".to_owned();
        let former = self.identity.load().incarnation;
        let former =
            if former == next || former == Incarnation::ZERO { None } else { Some(former) };
        for address in self.addresses() {
            let request = RejoinRequest {
                former: former
                    .map_or_else(Bytes::new, |life| Bytes::copy_from_slice(life.as_bytes())),
                next: Bytes::copy_from_slice(next.as_bytes()),
                role: self.config.role.to_string(),
                peer: self.config.peer.clone(),
                endpoint: self.config.endpoint.clone(),
                reason: reason.to_owned(),
            };
            let asked = async {
                let channel = Connector::greeting(self.host.clone(), &address).connect().await;
                let channel = channel.map_err(|error| chain(&error))?;
                let reply = PeerClient::new(channel).rejoin(request).await;
                reply.map_err(|status| status.message().to_owned())
            };
            waits_for = match timeout(ASK, asked).await {
                Ok(Ok(reply)) => match reply.into_inner().outcome {
                    Some(Outcome::Place(place)) => return Ok(place),
                    Some(Outcome::Waiting(what)) => what,
                    None => format!("{address}: it answered nothing"),
                },
                Ok(Err(reason)) => format!("{address}: {reason}"),
                Err(_) => format!("{address}: no answer in time"),
            };
        }
        Err(waits_for)
    }

    /// Writes down the new place, and has the process begin it.
    async fn note_place(&self, quarantine: &Quarantine, place: AdoptRequest) -> Result<(), String> {
        let (place, roster) = read_place(place)?;
        let (node, place) = (place.node, Some(place));
        let identity = Identity { incarnation: quarantine.next, place };
        let note =
            Note { task: Task::Begin { identity, roster }, reason: quarantine.reason.clone() };
        let directory = self.config.directory.clone();
        let saved = tokio::task::spawn_blocking(move || note.save(&directory)).await;
        saved.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        self.fatal.end(End::Again(format!("the machine comes back as node {node}")));
        Ok(())
    }

    /// Answers a machine that asks to come back.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] when it must not; [`ClusterError::Unavailable`] to ask again.
    pub(crate) async fn readmit(
        &self,
        machine: &ConnectionIdentity,
        request: RejoinRequest,
    ) -> Result<RejoinReply, ClusterError> {
        let refused = |reason: String| ClusterError::Refused(reason);
        let place = self.identity.load().place;
        let place = place.filter(|_| self.quarantine.get().is_none()).ok_or_else(|| {
            refused("this node is in no cluster itself, or in quarantine".to_owned())
        })?;
        let malformed = |_| refused("the request is malformed".to_owned());
        let next = Incarnation::parse(&request.next).map_err(malformed)?;
        let former = match request.former.is_empty() {
            true => None,
            false => Some(Incarnation::parse(&request.former).map_err(malformed)?),
        };
        let role = parse_role(&request.role).map_err(|reason| refused(reason.to_owned()))?;
        let (facts, roster) = self.system().await?;
        let holder = roster.named(&machine.name).ok_or_else(|| {
            refused(format!(
                "no node called {} is in the registry, or an operator removed it: an operator must let it join",
                machine.name
            ))
        })?;
        let id = if holder.incarnation == next {
            holder.id
        } else {
            if let Some(waiting) = self.retire(holder, former, &next, &request.reason).await? {
                return Ok(RejoinReply { outcome: Some(Outcome::Waiting(waiting)) });
            }
            let new = NewNode {
                name: machine.name.clone(),
                dc: machine.dc.clone(),
                role,
                peer: request.peer,
                endpoint: request.endpoint,
                incarnation: next,
            };
            let order = self.order(&[
                b"return",
                next.as_bytes(),
                new.peer.as_bytes(),
                new.endpoint.as_bytes(),
            ]);
            let registered = self.must(GroupId::SYSTEM, order, SystemCommand::RegisterNode(new));
            let SystemReply::Registered { node } = registered.await? else {
                return Err(ClusterError::Unavailable(
                    "group 0 answered another question".to_owned(),
                ));
            };
            tracing::info!(former = %holder.id, now = %node, name = machine.name, "a machine is back under a new id");
            node
        };
        let (_, roster) = self.system().await?;
        let adopt = AdoptRequest {
            cluster: Bytes::copy_from_slice(place.cluster.as_bytes()),
            node: id.0,
            incarnation: Bytes::copy_from_slice(next.as_bytes()),
            roster: roster.to_proto(),
            wallet_groups: place.wallet_groups,
            initialize: Vec::new(),
            voters: Vec::new(),
            allow_single_dc: facts.allow_single_dc(),
        };
        Ok(RejoinReply { outcome: Some(Outcome::Place(adopt)) })
    }

    /// Brings a former life to its end: what it still waits for, or none when nothing counts on it.
    async fn retire(
        &self,
        holder: &NodeInfo,
        former: Option<Incarnation>,
        next: &Incarnation,
        reason: &str,
    ) -> Result<Option<String>, ClusterError> {
        let id = holder.id;
        if former != Some(holder.incarnation)
            && let Ok((_, reply)) = identify(&self.host, &holder.peer).await
            && reply.incarnation == holder.incarnation.as_bytes()[..]
        {
            return Err(ClusterError::Refused(format!(
                "node {id} still runs as {} with its own directory: stop it first",
                holder.name
            )));
        }
        if holder.state != NodeState::Fenced {
            tracing::warn!(node = %id, name = holder.name, reason, "a machine asks to come back; its node is fenced");
            let order = self.order(&[b"fence", &id.0.to_be_bytes(), next.as_bytes()]);
            let fence = SystemCommand::SetNodeState { node: id, state: NodeState::Fenced };
            self.must(GroupId::SYSTEM, order, fence).await?;
        }
        let (facts, _) = self.system().await?;
        if facts.places(id) {
            return Ok(Some(format!(
                "node {id} is fenced; its replicas are being placed elsewhere"
            )));
        }
        let groups = self.groups.borrow().clone();
        for group in groups.values() {
            let unread =
                |error: String| ClusterError::Unavailable(format!("group {}: {error}", group.id));
            group.reads.barrier().await.map_err(|error| unread(error.to_string()))?;
            // What has been applied is committed: no later leader can still count on the node.
            let applied = group.cell.machine().applied();
            let Some((_, bytes)) = applied.membership else {
                return Err(unread("it has no membership yet".to_owned()));
            };
            let membership = entry::decode_membership(bytes.into())
                .map_err(|error| unread(error.to_string()))?;
            if membership.get_node(&id.0).is_some() {
                return Ok(Some(format!("node {id} is fenced; it is leaving group {}", group.id)));
            }
        }
        Ok(None)
    }

    /// The name of an act that this node does by itself.
    pub(crate) fn order(&self, act: &[&[u8]]) -> Order {
        Order::of_node(self.tls.cluster(), &self.config.name, act)
    }
}

/// The place that another node has for this one: what stands in it is begun by wiping everything.
fn read_place(place: AdoptRequest) -> Result<(Place, Roster), String> {
    let malformed = |problem: &str| format!("the new place is malformed: {problem}");
    let cluster = ClusterId::parse(&place.cluster).map_err(|_| malformed("no cluster's id"))?;
    let roster = Roster::from_proto(place.roster).map_err(malformed)?;
    let place = Place::checked(cluster, NodeId(place.node), place.wallet_groups);
    Ok((place.map_err(malformed)?, roster))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn place(wallet_groups: u32) -> AdoptRequest {
        let cluster = Bytes::copy_from_slice(&[3; 16]);
        AdoptRequest { cluster, node: 7, wallet_groups, ..AdoptRequest::default() }
    }

    /// Whoever believed it would reserve marks of four billion groups, at this start and at every later one.
    #[test]
    fn a_place_among_more_groups_than_there_can_be_is_refused() {
        for wallet_groups in [1, 4096] {
            let (found, _) = read_place(place(wallet_groups)).unwrap();
            assert_eq!((found.node, found.wallet_groups), (NodeId(7), wallet_groups));
        }
        for wallet_groups in [0, 4097, u32::MAX] {
            let refused = read_place(place(wallet_groups)).unwrap_err();
            assert!(refused.contains("1 to 4096 wallet groups"), "{refused}");
        }
        let nowhere = AdoptRequest { cluster: Bytes::copy_from_slice(&[0; 16]), ..place(4) };
        assert!(read_place(nowhere).is_err());
    }
}
