//! Tests of the store as its users see it: commands in, replies and readers out.
#![allow(clippy::unwrap_used, missing_docs)]

mod audit;
mod backups;
mod compaction;
mod damage;
mod dishonest;
mod engines;
mod formats;
mod levels;
mod model;
mod power;
mod receipts;
mod replicas;
mod restore;
mod scripts;
mod snapshots;
mod support;
