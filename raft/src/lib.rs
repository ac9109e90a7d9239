//! Many Raft groups on one node: log, peers, membership, reads.
//!
//! What is promised: a command that [`Node::propose`] answered is on disk on a majority of its group's
//! voters, and stays in the group's history for ever; a [`Node::read`] shows everything that was
//! answered before it began, on any replica; a voter set that the loss of one data centre could
//! outvote never comes about unless the cluster allows it; a node that lost part of its log, or came
//! back with another directory, neither votes nor acknowledges.
//!
//! | where | what |
//! |---|---|
//! | [`Node`] | the public face: propose, read, cluster acts, status, shutdown |
//! | `log` | all groups' logs behind one writer thread: one sync for all |
//! | `machine`, `snapshot` | openraft's state machine and snapshots on [`store::Machine`] |
//! | `peer`, `tls`, [`listener`] | authenticated connections between nodes, and the TLS listener |
//! | `membership` | bootstrap, join, drain, remove; placements and the steps towards them |
//! | `repair`, `upkeep`, `watched` | damage: found, named, and repaired from peers |
//! | `recovery` | going on without data centres that are lost, where no majority is left |
//! | `propose`, `read`, `rounds` | batching of commands, shared read indexes |
//! | [`registry`] | the numbers of a node, each described |
//!
//! Left out: what commands mean (`store`), who may ask for them (`api`), and openraft's types, which
//! do not leave this crate.

mod bounds;
pub mod certificate;
mod config;
mod durable;
mod error;
mod evidence;
mod facts;
mod fatal;
#[cfg(test)]
mod frozen;
#[cfg(fuzzing)]
pub mod fuzzing;
mod host;
mod identity;
mod level;
pub mod listener;
mod log;
mod machine;
mod membership;
mod metrics;
mod node;
mod peer;
mod propose;
mod read;
mod recovery;
pub mod registry;
mod repair;
mod report;
mod roster;
mod rounds;
#[cfg(test)]
mod simulation;
mod snapshot;
mod status;
mod timing;
mod tls;
mod trace;
mod types;
mod upkeep;
mod watched;
mod wire;

pub use certificate::{ConnectionIdentity, IdentityKind};
pub use config::{NodeConfig, PROPOSAL_BYTES};
pub use error::{ClusterError, ProposeError, ReadError, StartError};
pub use fatal::End;
pub use identity::{Identity, IdentityError, Place};
pub use log::LogError;
pub use membership::act::Order;
pub use membership::bootstrap::NewCluster;
pub use node::Node;
pub use peer::handshake::HelloError;
pub use recovery::{GroupRecovery, RecoveryPlan};
pub use repair::{Opened, open};
pub use status::{GroupStatus, NodeStatus, ReplicaStatus};
pub use timing::{Timing, TimingError};
pub use tls::{PeerTls, TlsError};
pub use upkeep::Upkeep;

use axum::Router;
use proto::peer::peer_server::PeerServer;

/// Registers every number of this crate, at zero: for whoever describes what a node shows.
pub fn show_metrics(registry: &mut registry::Registry) {
    metrics::NodeMetrics::register(registry);
}

/// What a node serves to its peers. Add what else peers may ask, and serve it with
/// [`listener::serve_with`] under [`listener::Limits::PEER`] and [`PeerTls::server`].
pub fn peer_routes(node: &Node) -> Router {
    let service = PeerServer::new(peer::server::PeerServer { node: node.inner.clone() })
        .max_decoding_message_size(peer::MESSAGE_BYTES)
        .max_encoding_message_size(peer::MESSAGE_BYTES);
    tonic::service::Routes::new(service).prepare().into_axum_router()
}
