//! What comes from a server and goes to it: nothing is taken over that the wallet's members did not sign.
//!
//! | file | idea |
//! |---|---|
//! | [`received`] | the frames of a pull, bounded and in order |
//! | [`verify`] | whether a pull may follow what is held, with every signature and every body |
//! | [`keyring`] | the wallet keys, from the links, as far back as needed |
//! | [`merge`] | what becomes of local changes when the head has moved on |
//! | [`draft`] | a commit of our own |

use types::{FollowRefused, FormatError, ids::RecordId};

use seal::SignatureRefused;

pub(crate) mod draft;
pub(crate) mod keyring;
pub(crate) mod merge;
pub(crate) mod received;
pub(crate) mod verify;

pub use merge::MergeReport;
pub(crate) use merge::{AtHead, Change, Work};

/// What a server, or somebody through it, tried. Nothing of the pull was taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The heads, links or entries do not follow from what this device has seen.
    #[error("{}", chain(.0))]
    Follow(#[source] FollowRefused),
    /// A link is not signed by those who must have signed it.
    #[error("forged membership: link {n}: {why}")]
    LinkSignature {
        /// Its number.
        n: u32,
        /// Whose signature is wrong.
        #[source]
        why: SignatureRefused,
    },
    /// A head is not signed by the member it names.
    #[error("forged head: head {seq}: {why}")]
    HeadSignature {
        /// Its number.
        seq: u64,
        /// Whose signature is wrong.
        #[source]
        why: SignatureRefused,
    },
    /// The wallet key that a link hands to this member is not the one that the link commits to.
    #[error(
        "forged key: generation {generation} of the wallet key does not open, or is another than its link says"
    )]
    Key {
        /// Which generation.
        generation: u32,
    },
    /// A record does not open under the wallet key.
    #[error("altered body: record {0} does not open")]
    Body(RecordId),
    /// The head covers a record whose body was not given.
    #[error("incomplete pull: the body of record {0} is missing")]
    Withheld(RecordId),
    /// A recovery code is shown as a member, but it never signed the link that added it.
    #[error("forged membership: this recovery code did not sign its place in the wallet")]
    ForgedCode,
    /// The server gave something that is not laid out as the format says.
    #[error("malformed pull: {0}")]
    Malformed(&'static str),
    /// A signed or sealed object is not laid out as the format says.
    #[error("malformed pull: {0}")]
    Format(#[from] FormatError),
    /// The server gave more than any wallet can hold.
    #[error("flood: the pull has more than {limit} {what}")]
    Flood {
        /// What there is too much of.
        what: &'static str,
        /// The most that is taken.
        limit: usize,
    },
}

/// A refused link says more in its cause.
fn chain(refused: &FollowRefused) -> String {
    match refused {
        FollowRefused::Link { why, .. } => format!("{refused}: {why}"),
        FollowRefused::BodyFormat { error, .. } => format!("{refused}: {error}"),
        _ => refused.to_string(),
    }
}

impl From<FollowRefused> for Violation {
    fn from(refused: FollowRefused) -> Self {
        Violation::Follow(refused)
    }
}
