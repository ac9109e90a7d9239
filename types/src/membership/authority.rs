//! Authority: which kind of member may sign which change (docs/formats.md, Link).
//!
//! | signer | may |
//! |---|---|
//! | device | Rotate, MinSuite, Add(device), Revoke(device, not itself); Add(recovery code) while none ever stood |
//! | passphrase | Rotate, Add(device) |
//! | revoker | Revoke(device) |
//! | recovery code | everything, and alone: Erase, and every other Add and Revoke |
//!
//! Two devices do not replace a recovery code, because one device can add the other.

use super::{LinkRefused, MemberState, Membership};
use crate::link::LinkPayload;
use crate::member::MemberKind::{Device, Passphrase, RecoveryCode, Revoker};

/// Whether `signer`, active in `before`, may sign `payload`.
pub(super) fn check(
    before: &Membership,
    signer: &MemberState,
    payload: &LinkPayload,
) -> Result<(), LinkRefused> {
    let allowed = match (signer.member.kind(), payload) {
        (RecoveryCode, _) => true,
        (Device, LinkPayload::Rotate(_) | LinkPayload::MinSuite(_)) => true,
        (Device, LinkPayload::Add(add)) => match add.member.kind() {
            Device => true,
            RecoveryCode => !before.had_recovery_code(),
            Passphrase | Revoker => false,
        },
        (Device, LinkPayload::Revoke(revoke)) => {
            revoke.member != signer.id && revokes_device(before, &revoke.member)?
        }
        (Passphrase, LinkPayload::Rotate(_)) => true,
        (Passphrase, LinkPayload::Add(add)) => add.member.kind() == Device,
        (Revoker, LinkPayload::Revoke(revoke)) => revokes_device(before, &revoke.member)?,
        _ => false,
    };
    let (signer, link) = (signer.member.kind(), payload.kind());
    if allowed { Ok(()) } else { Err(LinkRefused::NotAllowed { signer, link }) }
}

fn revokes_device(before: &Membership, member: &crate::ids::MemberId) -> Result<bool, LinkRefused> {
    let target = before.active(member).ok_or(LinkRefused::NotAMember)?;
    Ok(target.member.kind() == Device)
}
