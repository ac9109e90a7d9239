//! What a node is told when it starts. Checked by whoever read it from a file.

use std::path::PathBuf;

use store::formats::Levels;
use types::Role;

use crate::timing::Timing;
use crate::upkeep::Upkeep;

/// What [`NodeConfig::proposal_bytes`] is unless somebody knows better.
pub const PROPOSAL_BYTES: usize = 128 << 20;

/// The settings of one node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The machine's name, as its certificate says.
    pub name: String,
    /// Its data centre, as its certificate says.
    pub dc: String,
    /// What the node is for.
    pub role: Role,
    /// Where peers reach it: `host:port`.
    pub peer: String,
    /// Where clients reach it: `https://host:port`.
    pub endpoint: String,
    /// Where it keeps who it is, and how far its log was on disk. Must exist.
    pub directory: PathBuf,
    /// Where other nodes of the cluster are reached, asked once at the start: `host:port`.
    pub seeds: Vec<String>,
    /// How long things may take.
    pub timing: Timing,
    /// Bytes of commands of all groups that may wait or be under way.
    pub proposal_bytes: usize,
    /// What the program knows of formats.
    pub levels: Levels,
    /// How it looks after itself.
    pub upkeep: Upkeep,
}
