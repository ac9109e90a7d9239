//! The one table of errors: stable code, gRPC and HTTP status, and whether the request may be sent again.
//!
//! `docs/errors.md` is this table; a test holds the two together. Codes are never reused and never
//! change their meaning; clients decide by them, not by the message.

use http::StatusCode;
use proto::v1::error_detail::Retry;
use tonic::Code as Status;

macro_rules! codes {
    ($($name:ident $code:literal $status:ident $http:ident $retry:ident $meaning:literal)*) => {
        /// Why a request was not answered with what it asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable name, for programs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The gRPC status that carries it.
            pub const fn status(self) -> Status {
                match self { $(Self::$name => Status::$status,)* }
            }

            /// The HTTP status that carries it.
            pub const fn http(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$http,)* }
            }

            /// Whether the same request may be sent again.
            pub const fn retry(self) -> Retry {
                match self { $(Self::$name => Retry::$retry,)* }
            }

            /// What it means and what to do, for people.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    // The request itself.
    Malformed "malformed" InvalidArgument BAD_REQUEST Never
        "A part of the request is not what the format says; the message names part, byte and rule."
    Update "update" FailedPrecondition UNPROCESSABLE_ENTITY Never
        "A newer version of Holdfast made a part of the request: update the servers."
    TooLarge "too_large" InvalidArgument PAYLOAD_TOO_LARGE Never
        "The request passes a limit of size or number; the message names it. Send smaller parts."
    Unimplemented "unimplemented" Unimplemented NOT_FOUND Never
        "This version of the servers has no such method."

    // Who asks.
    Denied "denied" Unauthenticated UNAUTHORIZED Never
        "Nobody known here signed this. Whether the wallet, the member or the signature is at fault is not said to strangers."
    Challenge "challenge" Unauthenticated UNAUTHORIZED Never
        "The challenge has expired, was used, or was not given by this cluster: ask for a new one."
    Session "session" Unauthenticated UNAUTHORIZED Never
        "There is no session token, or it is not valid any more: open a new session."
    Proof "proof" Unauthenticated UNAUTHORIZED Never
        "The DPoP proof is missing, used, too old, or for another request, token or key: make a new one."
    OtherWallet "other_wallet" PermissionDenied FORBIDDEN Never
        "The request, or a part of it, names another wallet than the one it may touch."
    Operator "operator" PermissionDenied FORBIDDEN Never
        "Only an operator's certificate of this cluster may ask this."
    Registration "registration" PermissionDenied FORBIDDEN Never
        "Creating a wallet needs a valid registration token here."
    MemberInactive "member_inactive" PermissionDenied FORBIDDEN Never
        "The member is not, or no longer, active in the wallet."
    BadSignature "bad_signature" PermissionDenied FORBIDDEN Never
        "A signature does not verify under the key of the member it names."
    BadKey "bad_key" InvalidArgument UNPROCESSABLE_ENTITY Never
        "A link brings in a public key that is not a point of P-256."

    // What the wallet allows.
    NotFound "not_found" NotFound NOT_FOUND Never
        "There is no such wallet, node or group."
    Exists "exists" AlreadyExists CONFLICT Never
        "The thing to be made exists already."
    Conflict "conflict" Aborted CONFLICT Never
        "The head has moved on; the detail names the stored one. Pull, merge and push again."
    Precondition "precondition" FailedPrecondition PRECONDITION_FAILED Never
        "If-Match names another head than the commit follows: pull, merge and push again."
    RotationDue "rotation_due" FailedPrecondition CONFLICT Never
        "A member was revoked: rotate the wallet key before changing records."
    Erased "erased" FailedPrecondition GONE Never
        "The wallet was erased."
    RequestReused "request_reused" FailedPrecondition CONFLICT Never
        "The request id was used for other content: use a new one."
    TooOld "too_old" FailedPrecondition CONFLICT Never
        "The request is older than what is remembered of requests: look at the state before trying anew."
    QuotaFull "quota_full" ResourceExhausted CONFLICT Never
        "A limit of the wallet would be passed; the message names it."
    LinkRefused "link_refused" FailedPrecondition UNPROCESSABLE_ENTITY Never
        "A link breaks a rule of the chain; the message names link and rule."
    NotAuthorised "not_authorised" PermissionDenied FORBIDDEN Never
        "A link does what its signer may not do."
    HeadRefused "head_refused" InvalidArgument UNPROCESSABLE_ENTITY Never
        "The head does not follow from what is stored: sequence number, history, links or suite."
    RecordRefused "record_refused" InvalidArgument UNPROCESSABLE_ENTITY Never
        "A record does not follow from what is stored: version, generation, suite or id."
    Root "root" InvalidArgument UNPROCESSABLE_ENTITY Never
        "The head's root is not the hash over what the wallet would hold, or changes where it must not."
    Region "region" FailedPrecondition CONFLICT Never
        "This cluster does not keep wallets of this residency region."
    WrongGroup "wrong_group" Unavailable SERVICE_UNAVAILABLE Safe
        "The wallet is moving to, or lives in, another group: ask again."

    // What the servers can do now.
    NotLeader "not_leader" Unavailable SERVICE_UNAVAILABLE Safe
        "The node asked does not lead the wallet's group; the detail names the leader if it is known."
    Unavailable "unavailable" Unavailable SERVICE_UNAVAILABLE Safe
        "No majority could be reached in time, or the node is starting or stopping. Nothing was done; try again, also elsewhere."
    Restoring "restoring" Unavailable SERVICE_UNAVAILABLE Safe
        "A backup is being restored into the wallet's group: until that is done, nothing else is."
    Locked "locked" Unavailable SERVICE_UNAVAILABLE Safe
        "The node lacks its epoch key: an operator has to unlock it. Try another node."
    Busy "busy" ResourceExhausted TOO_MANY_REQUESTS Safe
        "Too much is under way here. Nothing was done; wait as long as the detail says."
    DiskFull "disk_full" Unavailable INSUFFICIENT_STORAGE Safe
        "The disk of the group's leader is nearly full. Nothing was done; revocations still pass. Try again later."
    Deadline "deadline" DeadlineExceeded GATEWAY_TIMEOUT Safe
        "The request's deadline passed, or the reader of a stream took nothing for too long. It only reads: nothing was done."
    Unknown "unknown" Unknown INTERNAL_SERVER_ERROR SameRequest
        "The outcome is not known: it may have been done, or yet be. Send exactly the same request again."
    Internal "internal" Internal INTERNAL_SERVER_ERROR SameRequest
        "This node has a fault; its log says which. Send exactly the same request to another node."

    // Acts of operators on the cluster.
    NoCluster "no_cluster" Unavailable SERVICE_UNAVAILABLE Safe
        "The node belongs to no cluster yet: bootstrap one, or let it join. Another node may be in one."
    NoSuchNode "no_such_node" NotFound NOT_FOUND Never
        "There is no node of this name or id."
    NoSuchGroup "no_such_group" NotFound NOT_FOUND Never
        "There is no such group."
    NodeKnown "node_known" FailedPrecondition CONFLICT Never
        "The name belongs to a node with another directory: remove that node first."
    NodeDiffers "node_differs" FailedPrecondition CONFLICT Never
        "The node is registered with another role or data centre: remove it first."
    NodePlaced "node_placed" FailedPrecondition CONFLICT Never
        "The node still has replicas: place them elsewhere first."
    NodeRemoved "node_removed" FailedPrecondition CONFLICT Never
        "The node was removed for ever: let its machine join anew."
    NodeFenced "node_fenced" FailedPrecondition CONFLICT Never
        "The node is fenced, or another one is and still has replicas: wait until that one is out of its groups."
    StalePlacement "stale_placement" Aborted CONFLICT Never
        "The placement was changed meanwhile: look at it and decide anew."
    ZeroLoss "zero_loss" FailedPrecondition CONFLICT Never
        "The voters would be such that the loss of one data centre loses acknowledged writes."
    BelowFloor "below_floor" InvalidArgument UNPROCESSABLE_ENTITY Never
        "A limit is too low to run a cluster with."
    Epoch "epoch" FailedPrecondition CONFLICT Never
        "The key epoch does not follow from those known."
    NotEmpty "not_empty" FailedPrecondition CONFLICT Never
        "A backup is restored into a fresh cluster only, and this group is in use, or holds another backup."
    NotRestoring "not_restoring" FailedPrecondition CONFLICT Never
        "This backup is not being restored into the group: begin first."
    RestoreGap "restore_gap" FailedPrecondition CONFLICT Never
        "These rows do not follow those that are there; the message says how many are."
    RestoreDiffers "restore_differs" FailedPrecondition CONFLICT Never
        "What is there is not what the backup has: bring the rest, or begin in a fresh cluster."
    JournalGap "journal_gap" FailedPrecondition CONFLICT Never
        "A part of the journal is missing between the backup and these facts."
    JournalForeign "journal_foreign" FailedPrecondition CONFLICT Never
        "The journal is not that of the cluster which the backup is of."
    BehindJournal "behind_journal" FailedPrecondition CONFLICT Never
        "The wallet was restored, and its links had gone further than the backup: push from a device that knows them."
    Passphrase "passphrase" PermissionDenied FORBIDDEN Never
        "The passphrase does not open the node's epoch key."
    Refused "refused" FailedPrecondition CONFLICT Never
        "The act is not possible as the cluster is; the message says why."
}

impl Code {
    /// The code of this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

#[cfg(test)]
mod tests;
