//! The service of whole nodes, from its routes to the state: what a device, an operator or a stranger
//! meets.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "tests")]

mod support;

mod administration;
mod backups;
mod bounds;
mod crossed;
mod doors;
mod forwarding;
mod limits;
mod malformed;
mod pulls;
mod pushes;
mod recovery;
mod sessions;
mod watches;
mod web;
