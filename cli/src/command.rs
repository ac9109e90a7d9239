//! The commands, one file each.

pub(crate) mod admin;
pub(crate) mod cluster;
pub(crate) mod dev;
pub(crate) mod node;
pub(crate) mod wallet;
