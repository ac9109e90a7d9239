//! How nodes reach each other.
//!
//! To every peer a node keeps a connection for control (votes, heartbeats, read indexes of all
//! groups), one for log entries and, while it is needed, one for a snapshot, so that bulk never
//! starves heartbeats; each announces its use in TLS SNI (`control`, `log`, `snapshot`, `forward`, and
//! `greeting` between nodes that do not know each other yet), where a network can tell them apart. All are
//! mutually authenticated: the certificate names the machine, and the first frame both ways says which
//! cluster, node and incarnation is meant ([`handshake`]).
//!
//! [`link`] keeps a connection standing, [`control`] and [`session`] speak over it, [`network`] is
//! openraft's way in; [`server`] is the other end. [`acknowledged`] remembers what each peer said that
//! it has; [`fetch`] gets a lost state back.

pub(crate) mod acknowledged;
pub(crate) mod connector;
pub(crate) mod control;
pub(crate) mod convert;
pub(crate) mod fetch;
pub(crate) mod handshake;
pub(crate) mod link;
pub(crate) mod network;
pub(crate) mod pool;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod snapshot;

/// No message between peers is larger: the largest entry and what is around it.
pub(crate) const MESSAGE_BYTES: usize = store::Command::MAX_BYTES + (2 << 20);
