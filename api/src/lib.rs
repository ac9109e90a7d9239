//! Who may do what: the use cases of a node, and the doors through which they are reached.
//!
//! Promises: whatever comes in is bounded before it is looked at; a push is believed for its signatures,
//! a read for its session, its proof and a fresh look at the members, an operator for a certificate;
//! nothing that this node stores or replicates can be read without the wallet's key and, besides, the
//! server's own; every refusal has a stable code and says whether a retry is safe.
//!
//! ```text
//! gRPC ─────────► door ─► grpc ─► vault ─► raft    door: room, deadline, session or certificate
//! JSON ─► http ─────┘      │        └────► seal    http: each route asks one method of grpc, behind the door
//!                          │                       vault: one use case, one file, free of transport
//!                          └─► forward ─► the leader's grpc, once
//! ```
//!
//! [`Service`] ties it together and gives out routes; who serves them is not decided here. Not here
//! either: replication (`raft`), what is stored and how (`store`), settings and files (`server`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prost::Message;
use tonic::Status;

mod admin;
mod auth;
mod clock;
mod door;
mod duties;
mod forward;
mod grpc;
mod http;
mod keys;
mod methods;
mod metrics;
mod policy;
mod service;
mod shed;
mod trace;
mod vault;

pub use auth::rate::Rate;
pub use auth::{Caller, Operator};
pub use clock::Clock;
pub use keys::{KeySource, KeySourceError, NoSource};
pub use methods::{Access, Class, METHODS, Method};
pub use metrics::Metrics;
pub use policy::{Limits, Policy, Registration, RegistrationTokens};
pub use service::{Parts, Service};
pub use vault::{
    Code, Freshness, Held, Invitation, Links, Nonce, Opened, Part, Pull, Pushed, Vault, VaultError,
    Watch,
};

/// What the parsers of this crate are held to, for libFuzzer.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use crate::http::fuzzing::request;
}

use door::Deadline;
use forward::Forwarder;
use shed::Permits;

/// What all handlers of one node share.
pub(crate) struct Inner {
    pub(crate) vault: Arc<Vault>,
    pub(crate) permits: Arc<Permits>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) forwarder: Forwarder,
    pub(crate) keys: Arc<dyn KeySource>,
    pub(crate) trust_domain: String,
    pub(crate) leaving: AtomicBool,
}

pub(crate) type Shared = Arc<Inner>;

impl Inner {
    /// Passes a push on to the leader if this node is not it.
    pub(crate) async fn or_leader(
        &self,
        path: &str,
        request: &impl Message,
        deadline: Deadline,
        answer: Result<proto::v1::PushReply, VaultError>,
    ) -> Result<proto::v1::PushReply, Status> {
        match answer {
            Ok(reply) => Ok(reply),
            Err(VaultError::NotLeader { leader: Some(leader) }) if !self.is_own(leader.id) => {
                let method = Method::of(path).ok_or(VaultError::Unimplemented)?;
                let reply: proto::v1::PushReply =
                    self.forwarder.call(leader.id, method, request, deadline).await?;
                Ok(proto::v1::PushReply { leader: leader.endpoint, ..reply })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Passes an answered challenge on to the node that gave it, if that is another one.
    pub(crate) async fn or_elsewhere<R: Message + Default>(
        &self,
        path: &str,
        request: &impl Message,
        deadline: Deadline,
        answer: Result<R, VaultError>,
    ) -> Result<R, Status> {
        match answer {
            Err(VaultError::Elsewhere(node)) => {
                // The nonce says which node, and a stranger may have made it up.
                let known = self.vault.node().node(node).filter(|_| !self.is_own(node));
                let known = known.ok_or(VaultError::Challenge)?;
                let method = Method::of(path).ok_or(VaultError::Unimplemented)?;
                self.forwarder.call(known.id, method, request, deadline).await
            }
            answer => Ok(answer?),
        }
    }

    /// Whether the node can serve clients now, and if not, why.
    pub(crate) fn ready(&self) -> Result<(), &'static str> {
        let node = self.vault.node();
        if self.leaving.load(Ordering::Relaxed) {
            Err("leaving")
        } else if node.failed().is_some() {
            Err("failed")
        } else if node.identity().place.is_none() {
            Err("not in a cluster")
        } else if !node.knows_cluster() {
            Err("starting")
        } else if self.vault.keyring().is_locked() {
            Err("locked")
        } else if node.groups().into_iter().any(|group| node.leader(group).is_none()) {
            Err("a group has no leader")
        } else {
            Ok(())
        }
    }

    fn is_own(&self, node: types::NodeId) -> bool {
        self.vault.node().identity().place.is_some_and(|place| place.node == node)
    }
}
