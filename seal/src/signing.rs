//! Signing and verifying what members sign: links, heads, challenges.
//!
//! Promises: a link verifies only with every signature that its kind asks for, each under the key
//! of the member that must sign; members that a link brings in have keys on the curve.
//!
//! Not here: whether a link is allowed at all (`types::Membership::admit`), or a head follows
//! (`types::accept`, `types::follow`). Those come first; neither is enough without the other.

use rand::CryptoRng;
use types::challenge::CHALLENGE_TAG;
use types::hash::signed_message;
use types::head::HEAD_TAG;
use types::link::LINK_TAG;
use types::{
    Challenge, ChallengeUse, Head, Link, LinkPayload, Member, MemberId, MemberKind,
    MemberSignature, Membership, SignedHead, SignedLink,
};

use crate::error::SealError;
use crate::es256::{self, Signature};
use crate::member_keys::{MemberKeys, check_member};

/// Why something signed was refused. Says who and why: signatures are no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefused {
    /// The signer never was a member.
    #[error("{0} is not a member of the wallet")]
    NotAMember(MemberId),
    /// The signature stands, but the signer of a head is no member any more.
    #[error("{0} is no longer a member of the wallet")]
    Revoked(MemberId),
    /// The signature is not this member's over these bytes, or has the refused high `s`.
    #[error("the signature of member {0} does not verify")]
    BadSignature(MemberId),
    /// A member that the link brings in has a key that is not a point of P-256.
    #[error("a key of member {0} is not a point of P-256")]
    BadKey(MemberId),
    /// The challenge is for another member, or for the other kind of use.
    #[error("the challenge is not one that this member signs")]
    WrongChallenge,
}

/// Signs a link with everybody's keys whose signature it needs.
///
/// # Errors
/// [`SealError::KeyUnavailable`] if the keys of a required signer are not among `signers`, or cannot
/// be used; [`SealError::Format`] if the link has no layout.
pub fn sign_link(
    rng: &mut dyn CryptoRng,
    signers: &[&dyn MemberKeys],
    link: &Link,
) -> Result<SignedLink, SealError> {
    let message = signed_message(LINK_TAG, &link.encode()?);
    let mut signatures = Vec::new();
    for member in link.required_signers() {
        let keys = signers.iter().find(|keys| keys.id() == member).ok_or_else(|| {
            SealError::KeyUnavailable(format!("the link needs the signature of member {member}"))
        })?;
        signatures.push(MemberSignature { member, signature: keys.sign(rng, &message)? });
    }
    Ok(SignedLink::new(link, signatures)?)
}

/// Verifies every signature of a link that `membership` admitted, now or earlier: it knows the key
/// of everyone who had to sign, since a member's keys never change and no member is forgotten.
///
/// # Errors
/// [`SignatureRefused`].
pub fn verify_link(membership: &Membership, link: &SignedLink) -> Result<(), SignatureRefused> {
    let brought: &[Member] = match &link.link().payload {
        LinkPayload::Genesis(genesis) => &genesis.members,
        LinkPayload::Add(add) => std::slice::from_ref(&add.member),
        _ => &[],
    };
    for member in brought {
        check_member(member).map_err(|_| SignatureRefused::BadKey(member.id()))?;
    }
    let message = signed_message(LINK_TAG, link.bytes());
    for signature in link.signatures() {
        let id = signature.member;
        let signer = membership.member(&id).ok_or(SignatureRefused::NotAMember(id))?;
        verify(&signer.member, &message, signature)?;
    }
    Ok(())
}

/// Signs a head. The head must name this member as its signer.
///
/// # Errors
/// [`SealError::Format`] if it names another; [`SealError::KeyUnavailable`].
pub fn sign_head(
    rng: &mut dyn CryptoRng,
    keys: &dyn MemberKeys,
    head: &Head,
) -> Result<SignedHead, SealError> {
    let signature = keys.sign(rng, &signed_message(HEAD_TAG, &head.encode()))?;
    Ok(SignedHead::new(head, MemberSignature { member: keys.id(), signature })?)
}

/// Verifies a head's signature. `after` is the membership after the links of its commit.
///
/// # Errors
/// [`SignatureRefused`].
pub fn verify_head(after: &Membership, head: &SignedHead) -> Result<(), SignatureRefused> {
    let id = head.head().signer;
    let state = after.member(&id).ok_or(SignatureRefused::NotAMember(id))?;
    verify(&state.member, &signed_message(HEAD_TAG, &head.bytes()), head.signature())?;
    // Only whoever holds the key is told what became of it.
    if after.active(&id).is_some() { Ok(()) } else { Err(SignatureRefused::Revoked(id)) }
}

/// Signs a challenge. The caller has checked that it is one this member wants to answer.
///
/// # Errors
/// [`SealError::KeyUnavailable`].
pub fn sign_challenge(
    rng: &mut dyn CryptoRng,
    keys: &dyn MemberKeys,
    challenge: &Challenge,
) -> Result<MemberSignature, SealError> {
    let signature = keys.sign(rng, &signed_message(CHALLENGE_TAG, &challenge.encode()))?;
    Ok(MemberSignature { member: keys.id(), signature })
}

/// Verifies the answer to a challenge: by this member, and of the use that fits its kind. Cluster,
/// wallet, nonce and expiry are for whoever made the challenge to compare.
///
/// # Errors
/// [`SignatureRefused`].
pub fn verify_challenge(
    member: &Member,
    challenge: &Challenge,
    signature: &MemberSignature,
) -> Result<(), SignatureRefused> {
    let usage = match member.kind() {
        MemberKind::Device => ChallengeUse::Session,
        _ => ChallengeUse::Recovery,
    };
    let id = member.id();
    if (challenge.usage, challenge.member, signature.member) != (usage, id, id) {
        return Err(SignatureRefused::WrongChallenge);
    }
    verify(member, &signed_message(CHALLENGE_TAG, &challenge.encode()), signature)
}

fn verify(
    member: &Member,
    message: &[u8],
    signature: &MemberSignature,
) -> Result<(), SignatureRefused> {
    let bytes: &Signature = &signature.signature;
    es256::verify_own(member.sign(), message, bytes)
        .map_err(|_| SignatureRefused::BadSignature(signature.member))
}
