//! Why a link may not follow a chain.

use thiserror::Error;

use crate::link::LinkKind;
use crate::member::MemberKind;

/// The rule that a link breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LinkRefused {
    /// The first link is another kind.
    #[error("a wallet begins with a genesis link")]
    NoGenesis,
    /// The genesis names nobody who could use the wallet.
    #[error("a genesis names at least one device")]
    GenesisWithoutDevice,
    /// The genesis is signed by another than the first device.
    #[error("a genesis is signed first by the first device it names")]
    GenesisSigner,
    /// The genesis names two recovery codes or more.
    #[error("a genesis names at most one recovery code")]
    GenesisRecoveryCodes,
    /// The genesis names a passphrase.
    #[error(
        "a passphrase cannot stand in a genesis: its keys need the wallet to exist; add it later"
    )]
    GenesisPassphrase,
    /// The link has another number than the next.
    #[error("the link is out of place: link {expected} is the next")]
    OutOfPlace {
        /// The next number.
        expected: u32,
    },
    /// The link belongs to another wallet.
    #[error("the link belongs to another wallet")]
    OtherWallet,
    /// The link names another link as the one before it.
    #[error("the link does not continue this chain")]
    OtherChain,
    /// The link, or something in it, uses a suite below the wallet's lowest.
    #[error("the suite is below the lowest that this wallet still admits")]
    SuiteTooLow,
    /// The second link is something else than the first rotation.
    #[error("the link after the genesis makes generation 1 of the wallet key")]
    RotateFirst,
    /// The signer is not an active member.
    #[error("the signer is not an active member")]
    SignerInactive,
    /// The signer's kind may not do this.
    #[error("a {signer} may not sign this {link} link")]
    NotAllowed {
        /// What the signer is.
        signer: MemberKind,
        /// What it signed.
        link: LinkKind,
    },
    /// The generation is not the one that must stand here.
    #[error("the generation of the wallet key is not the one due here")]
    Generation,
    /// The sealed old wallet key belongs elsewhere.
    #[error("the history in the rotation is not this wallet's")]
    History,
    /// The seals go to others than the active members with sealing keys.
    #[error("a rotation seals to exactly the active members that have a sealing key")]
    Seals,
    /// The new member, or one of its keys, stood in this wallet before.
    #[error("a member or public key that ever stood in this wallet cannot be added again")]
    KeyReused,
    /// Too many active members would have a sealing key.
    #[error("at most 255 active members may have a sealing key; revoke one first")]
    TooManyMembers,
    /// The member to be revoked is not an active member.
    #[error("only an active member can be revoked")]
    NotAMember,
    /// The lowest suite would not rise.
    #[error("the lowest suite only rises")]
    SuiteNotRising,
    /// The wallet was erased.
    #[error("nothing follows an erasure")]
    Erased,
}
