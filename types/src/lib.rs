//! The vocabulary of Holdfast: ids, the layouts of everything that is signed or sealed, the rules
//! that need no key, lawful refusals and limits.
//!
//! Promises: every parser is strict (one encoding per value, nothing after the end, lists sorted),
//! bounded, and total: no input makes it panic. A value of a type from here that carries a layout
//! was either parsed by these rules or built by a constructor that keeps them.
//!
//! | module | holds |
//! |---|---|
//! | [`ids`], [`hash`], [`layout`], [`suite`] | fixed-length names, the tagged hash, reading and writing layouts |
//! | [`member`], [`wrapped`], [`link`], [`membership`] | who belongs to a wallet, and the chain of links that says so |
//! | [`head`], [`tree`], [`root`], [`commit`] | the state a device signs, and how it is pushed |
//! | [`mod@accept`], [`mod@follow`] | whether a commit, or a pull, may follow what is held |
//! | [`envelope`], [`padding`], [`cost`], [`challenge`] | sealed bytes from outside, and what a device signs to be let in |
//! | [`rejection`], [`node`], [`limits`], [`secret`], [`sealed`] | words shared by server and client |
//!
//! Not here: keys, ciphers, signatures and points on the curve (`seal`), time, I/O, async.

pub mod accept;
pub mod challenge;
pub mod commit;
pub mod cost;
pub mod envelope;
#[cfg(test)]
mod fixtures;
pub mod follow;
pub mod hash;
pub mod head;
pub mod ids;
pub mod layout;
pub mod limits;
pub mod link;
pub mod member;
pub mod membership;
pub mod node;
pub mod padding;
pub mod rejection;
pub mod root;
pub mod sealed;
pub mod secret;
mod serial;
pub mod signature;
pub mod suite;
pub mod tree;
pub mod wrapped;

pub use accept::{Accepted, Refused, Stored, accept};
pub use challenge::{Challenge, ChallengeUse};
pub use commit::{Commit, CommitError, RecordHeader};
pub use cost::{Argon2Cost, PassphraseFront};
pub use envelope::{Envelope, EnvelopeHeader, Purpose};
pub use follow::{FollowRefused, Followed, Pulled, PulledEntries, follow};
pub use hash::tagged;
pub use head::{Head, SignedHead};
pub use ids::{
    BodyHash, ClusterId, GroupId, HeadHash, Incarnation, LinkHash, Locator, MemberId, NodeId,
    RecordId, RequestId, Root, Slot, TreeHash, WalletId,
};
pub use layout::{FormatError, Problem};
pub use link::{Add, Genesis, Link, LinkKind, LinkPayload, Revoke, Rotate, SignedLink};
pub use member::{Member, MemberKind, PublicKey};
pub use membership::{LinkRefused, MemberState, Membership};
pub use node::{NodeInfo, NodeState, Role, zero_loss};
pub use rejection::Rejection;
pub use root::{Entries, Entry};
pub use sealed::Sealed;
pub use secret::Secret;
pub use signature::MemberSignature;
pub use suite::Suite;
pub use tree::Frontier;
pub use wrapped::WrappedSeal;
