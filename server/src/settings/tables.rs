//! The tables of the configuration file. The defaults are written once, here.

use super::{Setting, unplaced};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a node does in its groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleSetting {
    /// Votes, keeps state, may lead, serves clients.
    Data,
    /// Votes and keeps state; hands leadership on at once and serves no clients.
    Witness,
}

/// `[listen]`: the sockets that this node opens.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenSettings {
    /// gRPC and HTTP for clients and operators, TLS 1.3: address and port.
    pub public: Setting<String>,
    /// Replication between nodes, mutual TLS: address and port.
    pub peer: Setting<String>,
    /// `/metrics`, `/livez` and `/readyz` in plain HTTP: address and port, or empty for none. They
    /// show nothing secret, but who can reach them sees how busy the node is.
    pub metrics: Setting<String>,
    /// Whether gRPC reflection shows the public services.
    pub reflection: Setting<bool>,
}

impl Default for ListenSettings {
    fn default() -> Self {
        ListenSettings {
            public: unplaced("127.0.0.1:7600".into()),
            peer: unplaced("127.0.0.1:7601".into()),
            metrics: unplaced(String::new()),
            reflection: unplaced(true),
        }
    }
}

/// `[advertise]`: what this node tells others to call it by.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdvertiseSettings {
    /// The public endpoint, `https://HOST:PORT`; empty: `listen.public`.
    pub public: Setting<String>,
    /// The peer address, `HOST:PORT`; empty: `listen.peer`.
    pub peer: Setting<String>,
}

impl Default for AdvertiseSettings {
    fn default() -> Self {
        AdvertiseSettings { public: unplaced(String::new()), peer: unplaced(String::new()) }
    }
}

/// `[tls]`: PEM files.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// The authority that signed the certificates of all nodes and operators of this cluster.
    pub ca: Setting<PathBuf>,
    /// This node's certificate. It names the cluster, the node and, as OU, the data centre.
    pub cert: Setting<PathBuf>,
    /// The key of the certificate; mode 0600.
    pub key: Setting<PathBuf>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        TlsSettings {
            ca: unplaced("/etc/holdfast/ca.pem".into()),
            cert: unplaced("/etc/holdfast/node.pem".into()),
            key: unplaced("/etc/holdfast/node.key".into()),
        }
    }
}

/// Where the epoch key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EpochKeySource {
    /// From a file, at start.
    File,
    /// From a file that a passphrase opens: the node starts locked, until `holdfast admin unlock`.
    Passphrase,
}

/// `[epoch_key]`: the key that wraps the data keys of all wallets, the same on every node.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EpochKeySettings {
    /// `file` opens unattended; `passphrase` needs a person at every start.
    pub source: Setting<EpochKeySource>,
    /// The key file, as `holdfast cluster new` wrote it; mode 0600.
    pub file: Setting<PathBuf>,
}

impl Default for EpochKeySettings {
    fn default() -> Self {
        EpochKeySettings {
            source: unplaced(EpochKeySource::File),
            file: unplaced("/etc/holdfast/epoch.key".into()),
        }
    }
}

/// Who may create wallets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationMode {
    /// Everyone.
    Open,
    /// Whoever shows the registration token.
    Token,
}

/// `[registration]`: who may create wallets.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationSettings {
    /// `open` lets everyone create wallets; `token` only callers with a token.
    pub mode: Setting<RegistrationMode>,
    /// The file with the tokens, one on each line; mode 0600. Read only in mode `token`.
    pub token_file: Setting<PathBuf>,
}

impl Default for RegistrationSettings {
    fn default() -> Self {
        RegistrationSettings {
            mode: unplaced(RegistrationMode::Token),
            token_file: unplaced("/etc/holdfast/registration.token".into()),
        }
    }
}

/// `[raft]`: timing of replication. The same on every node.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RaftSettings {
    /// How often a leader says that it is alive, in milliseconds.
    pub heartbeat_ms: Setting<u64>,
    /// The shortest time that a follower waits before it stands for election, in milliseconds.
    pub election_min_ms: Setting<u64>,
    /// The longest such time, in milliseconds. Without a leader writes are refused for at most
    /// about twice as long.
    pub election_max_ms: Setting<u64>,
    /// After how many entries of a group its state is made durable and its log cut. A replica that
    /// is further behind than this catches up by a snapshot.
    pub snapshot_entries: Setting<u64>,
}

impl Default for RaftSettings {
    fn default() -> Self {
        RaftSettings {
            heartbeat_ms: unplaced(100),
            election_min_ms: unplaced(300),
            election_max_ms: unplaced(400),
            snapshot_entries: unplaced(10_000),
        }
    }
}

/// `[memory]`: what the database may take.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemorySettings {
    /// Blocks of files kept for reading, in MiB.
    pub block_cache_mib: Setting<u64>,
    /// What is gathered before it is written to a file, for log and state each, in MiB. Up to three
    /// times as much waits while the disk is slow.
    pub write_buffer_mib: Setting<u64>,
}

impl Default for MemorySettings {
    fn default() -> Self {
        MemorySettings { block_cache_mib: unplaced(128), write_buffer_mib: unplaced(64) }
    }
}

/// `[disk]`: what stays free on the disk of `data_dir`. Below the lesser of both the node gives up
/// leadership and refuses pushes until there is room; revocations still pass.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskSettings {
    /// In MiB.
    pub reserve_mib: Setting<u64>,
    /// In hundredths of the disk.
    pub reserve_percent: Setting<u64>,
}

impl Default for DiskSettings {
    fn default() -> Self {
        DiskSettings { reserve_mib: unplaced(1_024), reserve_percent: unplaced(5) }
    }
}

/// `[repair]`: how damage is looked for and dead nodes are replaced. The same on every node.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RepairSettings {
    /// After how many entries of a group its replicas compare their states.
    pub digest_entries: Setting<u64>,
    /// How often a node reads its whole disk again, in seconds; 0: never.
    pub scrub_s: Setting<u64>,
    /// For how many seconds a node may be away before a spare node of its data centre takes its place;
    /// 0: for ever.
    pub replace_after_s: Setting<u64>,
}

impl Default for RepairSettings {
    fn default() -> Self {
        RepairSettings {
            digest_entries: unplaced(10_000),
            scrub_s: unplaced(86_400),
            replace_after_s: unplaced(900),
        }
    }
}

/// `[limits]`: bounds on what callers may ask of this node at once.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Connections on the public port; more are turned away. Fewer if the process may open fewer
    /// files.
    pub connections: Setting<u64>,
    /// Of them from one address; of IPv6, from one network of 64 bits.
    pub connections_per_address: Setting<u64>,
    /// Requests at once on one connection.
    pub requests_per_connection: Setting<u64>,
    /// How long a connection may take to its handshake, from there to its first request, and to the
    /// end of the headers of each, in milliseconds.
    pub handshake_ms: Setting<u64>,
    /// How long a caller may take nothing of its answer, in milliseconds.
    pub stall_ms: Setting<u64>,
    /// Requests being worked on; what comes on top is told to try again. Reads may take twelve
    /// sixteenths, pushes fourteen; the rest is for recovery and revocation.
    pub requests: Setting<u64>,
    /// Of them from one address. To be raised where many callers come through one proxy.
    pub requests_per_address: Setting<u64>,
    /// Memory that requests may take, in MiB, at least 48. The largest request takes up to 19 by gRPC
    /// and 42 by HTTP.
    pub request_mib: Setting<u64>,
    /// Requests of one address that may be refused in a second for what they are or who sends them;
    /// ten times as many in a burst. Whoever had more waits.
    pub refusals_per_second: Setting<u64>,
    /// The longest time that one request may take, in milliseconds.
    pub request_ms: Setting<u64>,
    /// Requests that other nodes passed on, being worked on.
    pub forwarded: Setting<u64>,
    /// Memory that these may take, in MiB.
    pub forwarded_mib: Setting<u64>,
    /// Commands that may wait to be replicated, in MiB; half of it for one group.
    pub proposals_mib: Setting<u64>,
    /// Pushes of one wallet being replicated.
    pub pushes_per_wallet: Setting<u64>,
    /// Pulls that are being streamed.
    pub pulls: Setting<u64>,
    /// Of them of one wallet.
    pub pulls_per_wallet: Setting<u64>,
    /// Watches that are open.
    pub watches: Setting<u64>,
    /// Of them of one wallet.
    pub watches_per_wallet: Setting<u64>,
    /// Pulls and watches of one member.
    pub reads_per_member: Setting<u64>,
    /// Answers of pulls and watches that are ready and not yet taken, in MiB.
    pub stream_mib: Setting<u64>,
    /// Requests of operators being worked on.
    pub operators: Setting<u64>,
    /// Recoveries that may be begun in a second; five times as many in a burst.
    pub recoveries_per_second: Setting<u64>,
    /// Recoveries that may be begun in a minute with one code; five in a burst.
    pub recoveries_per_code: Setting<u64>,
}

impl Default for LimitSettings {
    fn default() -> Self {
        LimitSettings {
            connections: unplaced(10_000),
            connections_per_address: unplaced(1_000),
            requests_per_connection: unplaced(128),
            handshake_ms: unplaced(10_000),
            stall_ms: unplaced(20_000),
            requests: unplaced(1_024),
            requests_per_address: unplaced(512),
            request_mib: unplaced(256),
            refusals_per_second: unplaced(50),
            request_ms: unplaced(60_000),
            forwarded: unplaced(1_024),
            forwarded_mib: unplaced(256),
            proposals_mib: unplaced(128),
            pushes_per_wallet: unplaced(8),
            pulls: unplaced(256),
            pulls_per_wallet: unplaced(32),
            watches: unplaced(10_000),
            watches_per_wallet: unplaced(32),
            reads_per_member: unplaced(16),
            stream_mib: unplaced(128),
            operators: unplaced(16),
            recoveries_per_second: unplaced(10),
            recoveries_per_code: unplaced(6),
        }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Plain,
    /// One JSON object on each line, in the terms of the Elastic Common Schema.
    Json,
}

/// `[log]`: what goes to standard error.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// `plain` or `json`.
    pub format: Setting<LogFormat>,
    /// Levels by module, as `info` or `info,openraft=warn,raft=debug`.
    pub filter: Setting<String>,
}

impl Default for LogSettings {
    fn default() -> Self {
        LogSettings {
            format: unplaced(LogFormat::Plain),
            filter: unplaced("info,openraft=warn".into()),
        }
    }
}

/// `[telemetry]`: traces of requests, by OTLP over gRPC.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// The collector, `http://HOST:PORT` or `https://HOST:PORT`; empty for none.
    pub endpoint: Setting<String>,
    /// The authority that signed the certificate of an `https` collector; empty otherwise.
    pub ca: Setting<String>,
    /// The share of traces begun here that are recorded, from 0 to 1. A caller that names a trace decides
    /// itself whether it is recorded.
    pub sample_ratio: Setting<f64>,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        TelemetrySettings {
            endpoint: unplaced(String::new()),
            ca: unplaced(String::new()),
            sample_ratio: unplaced(0.01),
        }
    }
}

/// `[drain]`: what happens on SIGTERM.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrainSettings {
    /// How long leaderships may take to move and open requests to end, in milliseconds.
    pub timeout_ms: Setting<u64>,
}

impl Default for DrainSettings {
    fn default() -> Self {
        DrainSettings { timeout_ms: unplaced(10_000) }
    }
}
