//! Real clusters in one process: RocksDB in temporary directories, mutual TLS over loopback, ports
//! free at run time.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

use raft::PeerTls;

mod certificates;
mod changes;
mod elections;
mod harness;
mod hostile;
mod refusals;
mod snapshots;
