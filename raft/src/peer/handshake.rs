//! Who is speaking to whom: checked in both directions before anything else is said.
//!
//! A node is the same as before only if its certificate names it, and its cluster, id and
//! incarnation are those that the registry knows. Another directory under the same id fails on the
//! incarnation, a stranger on the certificate, a node of another cluster on the cluster. An empty directory
//! has no id to greet with: it asks for a new one ([`crate::membership::rejoin`]).

use bytes::Bytes;
use proto::peer::Hello;
use types::{ClusterId, Incarnation, NodeId, NodeInfo, NodeState};

use crate::certificate::{ConnectionIdentity, IdentityKind};
use crate::identity::Identity;
use crate::roster::Roster;

/// Why a peer is not spoken to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// This node belongs to no cluster yet.
    #[error("this node has not joined a cluster")]
    Fresh,
    /// The connection showed no certificate of a node.
    #[error("the connection shows no certificate of a node")]
    NoCertificate,
    /// Bytes that are no ids.
    #[error("the greeting is malformed")]
    Malformed,
    /// Another cluster.
    #[error("the peer belongs to another cluster")]
    OtherCluster,
    /// Meant for another node, or another life of this one.
    #[error("the peer means another node, or this one before its directory was replaced")]
    NotMeant,
    /// Nobody the registry knows, or knows no longer.
    #[error("node {0} is not in the registry, or has been removed")]
    Unknown(NodeId),
    /// A node that the cluster counts on no more.
    #[error("node {0} is fenced: its machine comes back under another id")]
    Fenced(NodeId),
    /// The certificate of another machine or data centre.
    #[error("the certificate names {found}, but node {node} is {expected}")]
    OtherMachine {
        /// The node it says it is.
        node: NodeId,
        /// The machine that node is.
        expected: String,
        /// The machine that spoke.
        found: String,
    },
    /// Another directory under an id that is given.
    #[error(
        "node {0} has another directory than the registry knows: bring that one back, or begin with an \
         empty one, from which the machine comes back under a new id"
    )]
    OtherIncarnation(NodeId),
}

/// The greeting to `to`.
pub(crate) fn hello(own: &Identity, to: &NodeInfo) -> Result<Hello, HelloError> {
    let place = own.place.ok_or(HelloError::Fresh)?;
    Ok(Hello {
        cluster: Bytes::copy_from_slice(place.cluster.as_bytes()),
        from: place.node.0,
        from_incarnation: Bytes::copy_from_slice(own.incarnation.as_bytes()),
        to: to.id.0,
        to_incarnation: Bytes::copy_from_slice(to.incarnation.as_bytes()),
    })
}

/// Checks a greeting against the certificate it came with, and says who it is from.
pub(crate) fn check(
    own: &Identity,
    roster: &Roster,
    certificate: Option<&ConnectionIdentity>,
    hello: &Hello,
) -> Result<NodeInfo, HelloError> {
    let place = own.place.ok_or(HelloError::Fresh)?;
    let certificate = certificate
        .filter(|found| found.kind == IdentityKind::Node)
        .ok_or(HelloError::NoCertificate)?;
    let cluster = ClusterId::parse(&hello.cluster).map_err(|_| HelloError::Malformed)?;
    let from_incarnation =
        Incarnation::parse(&hello.from_incarnation).map_err(|_| HelloError::Malformed)?;
    let to_incarnation =
        Incarnation::parse(&hello.to_incarnation).map_err(|_| HelloError::Malformed)?;
    if cluster != place.cluster {
        return Err(HelloError::OtherCluster);
    }
    if hello.to != place.node.0 || to_incarnation != own.incarnation {
        return Err(HelloError::NotMeant);
    }
    let id = NodeId(hello.from);
    let node = match roster.get(id) {
        Some(node) if node.state == NodeState::Fenced => return Err(HelloError::Fenced(id)),
        Some(node) if node.state.counts() => node,
        _ => return Err(HelloError::Unknown(id)),
    };
    if node.name != certificate.name || node.dc != certificate.dc {
        return Err(HelloError::OtherMachine {
            node: id,
            expected: node.name.clone(),
            found: certificate.name.clone(),
        });
    }
    if node.incarnation != from_incarnation {
        return Err(HelloError::OtherIncarnation(id));
    }
    Ok(node.clone())
}

#[cfg(test)]
mod tests;
