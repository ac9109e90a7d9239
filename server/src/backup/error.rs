//! Why a backup was not taken, not believed or not restored, sorted by what must happen next.

use std::path::PathBuf;

use proto::convert::detail_of;
use rustls_pki_types::pem;
use store::DecodeError;
use store::backup::BackupRefused;
use tonic::Code;
use types::layout::FormatError;
use types::{ClusterId, GroupId};

use crate::cluster::ClusterError;
use crate::cluster::admin::ConnectError;

/// Why a backup was not taken, not believed or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The call or a file that it names has to be changed first.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The answer is no, and nothing was done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something in the archive is not what was put there.
    #[error("{file}")]
    Damaged {
        /// Where, below the root of the archive.
        file: String,
        /// What is wrong with it.
        #[source]
        what: Damage,
    },
    /// The archive could not be read or written.
    #[error("{place}: {doing} {file}")]
    Archive {
        /// The archive.
        place: String,
        /// What was tried.
        doing: &'static str,
        /// The file, below its root.
        file: String,
        /// What the store said.
        source: Box<object_store::Error>,
    },
    /// No node could be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A node said no, or did not answer.
    #[error("{endpoint}: {}", status.message())]
    Node {
        /// The node's endpoint.
        endpoint: String,
        /// What it said.
        status: Box<tonic::Status>,
    },
    /// What a node exported is not whole. Ask again.
    #[error("{endpoint}: the export of group {group} is refused")]
    Export {
        /// The node's endpoint.
        endpoint: String,
        /// The group.
        group: GroupId,
        /// What is wrong with it.
        source: BackupRefused,
    },
    /// The temporary cluster of a drill.
    #[error("the temporary cluster")]
    Drill(#[source] Box<ClusterError>),
}

/// What has to be changed before it is called again.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// No archive can be there.
    #[error(
        "{place:?} is no place for an archive: {reason}; name a directory, or s3://BUCKET/PREFIX"
    )]
    Place {
        /// What was named.
        place: String,
        /// Why not.
        reason: String,
    },
    /// A file is not what it should be.
    #[error("{} holds no {what} in PEM: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What the parser found.
        source: pem::Error,
    },
    /// The key cannot sign.
    #[error(
        "{} holds no P-256 key in PKCS #8; convert it, for example with `openssl pkcs8 -topk8 -nocrypt`",
        file.display()
    )]
    Key {
        /// The file.
        file: PathBuf,
    },
    /// Key and certificate are not a pair.
    #[error("{} is not the key of {}", key.display(), certificate.display())]
    Pair {
        /// The key's file.
        key: PathBuf,
        /// The certificate's.
        certificate: PathBuf,
    },
    /// Whoever verifies would not believe what this operator signs.
    #[error("{} cannot sign for this cluster", certificate.display())]
    Signer {
        /// The certificate's file.
        certificate: PathBuf,
        /// Why not.
        source: Damage,
    },
    /// The authority's file holds nothing that can be one.
    #[error("{} holds no authority: {reason}", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The temporary directory of a drill.
    #[error("no temporary directory can be made: {0}; set TMPDIR to where there is room")]
    Scratch(std::io::Error),
}

/// Why the answer is no.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing to back up, or nowhere to restore to.
    #[error("there is no cluster yet: run `holdfast admin bootstrap` first")]
    NoCluster,
    /// The asked nodes belong to different clusters.
    #[error(
        "{endpoint} is a node of cluster {found}, not of {expected}; name the nodes of one cluster"
    )]
    OtherCluster {
        /// The endpoint.
        endpoint: String,
        /// Its cluster.
        found: ClusterId,
        /// The others'.
        expected: ClusterId,
    },
    /// The archive holds no backup.
    #[error("{place} holds no backup; take one with `holdfast admin backup --to`")]
    NoBackup {
        /// The archive.
        place: String,
    },
    /// The archive holds no backup of this name.
    #[error(
        "{place} holds no backup {name}; `holdfast admin backup list` names those that are there"
    )]
    NoSuchBackup {
        /// The archive.
        place: String,
        /// What was asked for.
        name: String,
    },
    /// Nobody said what happened after the backup.
    #[error(
        "what happened after {since} is at risk without the journal: devices that were revoked since would be \
         let in again, erased wallets would come back, older key generations would be taken for the latest; \
         name the stream with --journal, or accept that with --without-journal"
    )]
    NoJournal {
        /// When the backup was taken.
        since: String,
    },
    /// The stream ends too early.
    #[error(
        "the journal in {place} {reaches}: what happened since the backup is at risk, revocations, erasures and \
         key generations among it; name a stream that was written after the backup, or accept that with \
         --without-journal"
    )]
    JournalTooShort {
        /// The archive of the stream.
        place: String,
        /// How far it goes, in words.
        reaches: String,
    },
    /// Somebody else wrote the segment that was to be written.
    #[error(
        "{file} was written by another `holdfast admin journal`; let one at a time write a stream"
    )]
    OtherFollower {
        /// The file.
        file: String,
    },
    /// The clusters differ in what a restore cannot bring.
    #[error(
        "the backup is of {backup}, and this cluster has {target}; bootstrap one that has the same"
    )]
    OtherShape {
        /// What the backup has.
        backup: String,
        /// What the cluster has.
        target: String,
    },
    /// The cluster is not a fresh one.
    #[error("group {group} holds wallets already; restore into a fresh cluster")]
    NotEmpty {
        /// The group.
        group: GroupId,
    },
}

/// What is wrong with a file of an archive.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It is not there.
    #[error("it is missing")]
    Missing,
    /// It is not laid out as it should be.
    #[error("it cannot be read; it was changed or cut")]
    Layout(#[from] FormatError),
    /// The signature is not that of the certificate's key over these bytes.
    #[error("its signature does not verify; it was changed, or its signature removed")]
    Signature,
    /// The signer is nobody here.
    #[error("whoever signed it is no operator of this cluster: {0}")]
    Signer(String),
    /// It stands under another's name.
    #[error("its name is not that of its contents; it was renamed or exchanged")]
    Name,
    /// It is of another cluster.
    #[error("it is of cluster {found}, not of {expected}")]
    Cluster {
        /// Whose it is.
        found: ClusterId,
        /// Whose it should be.
        expected: ClusterId,
    },
    /// It does not follow the one before it.
    #[error("it does not follow {before}; a segment is missing, or was exchanged")]
    Chain {
        /// The file before it.
        before: String,
    },
    /// Its end is missing.
    #[error("the stream goes up to place {told} by its own word, and no segment there ends so")]
    Ends {
        /// The place.
        told: u64,
    },
    /// A fact cannot be read.
    #[error("a fact in it cannot be read")]
    Fact(#[source] DecodeError),
    /// Rows are not what the manifest says.
    #[error("group {group}")]
    Rows {
        /// The group.
        group: GroupId,
        /// What is wrong with them.
        #[source]
        source: BackupRefused,
    },
    /// The groups contradict each other.
    #[error("group {group} names another cluster than the manifest")]
    Identity {
        /// The group.
        group: GroupId,
    },
    /// What came back from a restore is not what went in.
    #[error("group {group}: {what} is not in the restored cluster as it is in the backup")]
    Restored {
        /// The group.
        group: GroupId,
        /// What differs.
        what: &'static str,
    },
}

impl BackupError {
    /// Whether another node, or the same one a little later, may give another answer.
    pub fn is_passing(&self) -> bool {
        match self {
            BackupError::Connect(error) => error.is_unreachable(),
            _ if self.is_restoring() => false,
            BackupError::Node { status, .. } => matches!(
                status.code(),
                Code::Unavailable
                    | Code::Unknown
                    | Code::Cancelled
                    | Code::DeadlineExceeded
                    | Code::ResourceExhausted
            ),
            _ => false,
        }
    }

    /// Whether a node said that a backup is being restored into the group.
    pub(super) fn is_restoring(&self) -> bool {
        let BackupError::Node { status, .. } = self else { return false };
        detail_of(status).is_some_and(|detail| detail.code == "restoring")
    }

    /// That a file of an archive is not what it should be.
    pub(super) fn damaged(file: &str, what: Damage) -> BackupError {
        BackupError::Damaged { file: file.to_owned(), what }
    }
}
