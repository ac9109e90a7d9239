//! Many Raft groups on one node: log, peers, membership, reads.
