//! One node from settings to drain, and whole clusters of them.
//!
//! ```text
//! settings ─► config ─► run: engine ─► raft::Node ─► keyring ─► api::Service ─► listeners
//!                        └─► drain: leaderships away ─► open calls end ─► sync ─► exit
//! cluster: files, certificates, processes of whole clusters; used by dev, demo, bench, tests
//! backup:  archives of whole clusters: taken, verified, restored, drilled; journals followed
//! ```
//!
//! Promises: a node starts only from a configuration that was checked as a whole; it leaves
//! without losing what it acknowledged, whichever way it leaves; a failed disk ends the process
//! with a message and an exit code that a supervisor can tell apart.
//!
//! Not here: what a request means (`api`), how it is replicated (`raft`), what is stored (`store`).

pub mod backup;
pub mod cluster;
pub mod config;
pub mod drain;
pub mod epoch_key;
pub mod metrics;
mod renewal;
pub mod run;
pub mod settings;
mod supervisor;
pub mod telemetry;
pub mod tls;
