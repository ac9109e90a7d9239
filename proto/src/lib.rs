//! The protobuf schema, its generated code, and conversions to `types`.
//!
//! Promises: nothing in here decides anything. Signed and sealed objects stay opaque bytes on the
//! wire; `convert` parses them inwards and is infallible outwards.
//!
//! Not here: who may call what (`api`), what the peers' opaque bodies mean (`raft`).

pub mod convert;
mod secret;
pub mod trace;

/// `holdfast.v1`: what wallets are offered.
#[allow(
    missing_docs,
    clippy::all,
    unreachable_pub,
    reason = "generated from wallets.proto and its siblings"
)]
pub mod v1 {
    tonic::include_proto!("holdfast.v1");
}

/// `holdfast.admin.v1`: what operators are offered.
#[allow(missing_docs, clippy::all, unreachable_pub, reason = "generated from admin.proto")]
pub mod admin {
    tonic::include_proto!("holdfast.admin.v1");
}

/// `holdfast.peer.v1`: what nodes say to each other.
#[allow(missing_docs, clippy::all, unreachable_pub, reason = "generated from peer.proto")]
pub mod peer {
    tonic::include_proto!("holdfast.peer.v1");
}

/// The file descriptors of the public services, for reflection.
pub const PUBLIC_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/public.bin"));

/// The file descriptors of the operators' service: not for reflection, but for whoever has to know
/// every method that there is.
pub const ADMIN_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/admin.bin"));
