//! How far a survivor's logs go: what its disk says, not what its memory does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use proto::peer::peer_client::PeerClient;
use proto::peer::{RecoverReply, RecoverRequest, Standing as WireStanding};
use tokio::time::timeout;
use types::{GroupId, NodeId};

use crate::bounds;
use crate::error::chain;
use crate::host::offload;
use crate::log::marks::Mark;
use crate::log::{entry, recover};
use crate::node::Inner;
use crate::peer::handshake;
use crate::recovery::mandate::{decode_position, position};
use crate::status::LATELY;
use crate::types::{LogId, Membership};

/// How long a survivor may take to read the ends of its logs.
const ASK: Duration = Duration::from_secs(10);

/// What one survivor has.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    /// The plan in force since the node started.
    pub(super) plan: Option<[u8; 32]>,
    /// Whether its cuts are decided there.
    pub(super) cut: bool,
    pub(super) groups: BTreeMap<GroupId, Standing>,
    /// Whom it has heard of lately.
    pub(super) hears: BTreeSet<NodeId>,
}

/// How far one group's log goes on one node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    /// The highest term that the node has voted in.
    pub(super) term: u64,
    pub(super) last: Option<LogId>,
    /// The latest membership in that log.
    pub(super) membership: Membership,
}

/// The surveys of several nodes, group by group.
pub(super) fn by_group(
    surveys: &BTreeMap<NodeId, Survey>,
) -> BTreeMap<GroupId, BTreeMap<NodeId, Standing>> {
    let mut groups: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (node, survey) in surveys {
        for (group, standing) in &survey.groups {
            groups.entry(*group).or_default().insert(*node, standing.clone());
        }
    }
    groups
}

impl Survey {
    pub(crate) fn to_proto(&self) -> RecoverReply {
        let groups = self.groups.iter().map(|(group, standing)| WireStanding {
            group: group.0,
            term: standing.term,
            last: position(standing.last.as_ref()).into(),
            membership: entry::encode_membership(&standing.membership),
        });
        RecoverReply {
            plan: self.plan.map_or_else(Bytes::new, |plan| Bytes::copy_from_slice(&plan)),
            cut: self.cut,
            groups: groups.collect(),
            hears: self.hears.iter().map(|node| node.0).collect(),
        }
    }

    pub(super) fn from_proto(reply: RecoverReply) -> Result<Self, String> {
        let malformed = |error: crate::wire::DecodeError| error.to_string();
        let plan = match reply.plan.is_empty() {
            true => None,
            false => Some(
                <[u8; 32]>::try_from(&reply.plan[..])
                    .map_err(|_| "the plan's name is malformed")?,
            ),
        };
        let mut groups = BTreeMap::new();
        for group in reply.groups {
            if !bounds::is_lawful(group.term) {
                return Err(format!("group {}: {}", group.group, bounds::BEYOND));
            }
            let standing = Standing {
                term: group.term,
                last: decode_position(group.last).map_err(malformed)?,
                membership: entry::decode_membership(group.membership).map_err(malformed)?,
            };
            groups.insert(GroupId(group.group), standing);
        }
        let hears = reply.hears.into_iter().map(NodeId).collect();
        Ok(Survey { plan, cut: reply.cut, groups, hears })
    }
}

impl Inner {
    /// What this node has.
    ///
    /// # Errors
    /// It must not be believed, or does not run all its groups yet.
    pub(crate) async fn survey(&self) -> Result<Survey, String> {
        if let Some(repair) = self.quarantine.get() {
            return Err(format!("in quarantine: {}", repair.reason));
        }
        let place = self.identity.load().place.ok_or("it is in no cluster")?;
        let mut memberships = BTreeMap::new();
        for id in place.groups() {
            let group = self.group(id).ok_or("its groups do not run yet")?;
            let membership = group.report().now().membership_config.membership().clone();
            memberships.insert(id, membership);
        }
        let engine = self.engine.clone();
        let read = offload(engine.blocks(), move || {
            memberships
                .into_iter()
                .map(|(id, membership)| {
                    // The marks were held against the log at the start; since then it may have been cut back.
                    let log = recover(&engine, id, Mark::default())?;
                    Ok((id, Standing { term: log.term(), last: log.tail().last(), membership }))
                })
                .collect::<Result<BTreeMap<_, _>, crate::log::LogError>>()
        });
        let groups = read.await.map_err(|error| error.to_string())?;
        let groups = groups.map_err(|error| chain(&error))?;
        let mandate = self.mandate();
        let roster = self.roster.load();
        let heard = |id: &NodeId| self.health.silent_for(*id).is_some_and(|silent| silent < LATELY);
        Ok(Survey {
            plan: mandate.as_ref().map(|mandate| mandate.plan),
            cut: mandate.is_some_and(|mandate| mandate.cuts.is_some()),
            groups,
            hears: roster.nodes().map(|node| node.id).filter(heard).collect(),
        })
    }

    /// Asks a survivor what it has, and gives it a mandate if there is one.
    pub(super) async fn ask_survivor(&self, id: NodeId, mandate: Bytes) -> Result<Survey, String> {
        let info = self.node(id).ok_or("it is not in the registry")?;
        let hello =
            handshake::hello(&self.identity.load(), &info).map_err(|error| error.to_string())?;
        let peer = self.peers.get(id).ok_or("it is not in the registry")?;
        let mut client = PeerClient::new(peer.snapshot.clone());
        let asked = client.recover(RecoverRequest { hello: Some(hello), mandate });
        let reply = timeout(ASK, asked).await.map_err(|_| "no answer in time".to_owned())?;
        Survey::from_proto(reply.map_err(|status| status.message().to_owned())?.into_inner())
    }
}
