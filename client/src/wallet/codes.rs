//! Codes on paper: shown to their owner before the cluster knows of them, so that no accepted code
//! was ever lost on the way to a screen.

use seal::{MemberKeys, RecoveryCode, RevokerCode};
use types::{Add, LinkPayload, MemberKind, Revoke, ids::MemberId};

use super::Wallet;
use crate::{
    error::{ClientError, Refusal},
    sync::{
        MergeReport,
        draft::{Chain, Sealed},
    },
};

/// Codes to be written down, now: they are not kept.
pub struct Codes {
    /// By which the wallet is recovered; none if its owner declined one.
    pub recovery: Option<RecoveryCode>,
    /// Which can revoke devices and nothing else.
    pub revoker: Option<RevokerCode>,
}

impl Wallet {
    /// Replaces the recovery code: the new one is announced, then added, and the old one revoked, in one
    /// commit, together with a new wallet key. From then on the old code opens nothing.
    ///
    /// # Errors
    /// [`Refusal::NotActive`] if `old` is not the wallet's recovery code; otherwise as [`Wallet::push`].
    pub async fn replace_recovery_code(
        &mut self,
        old: &RecoveryCode,
        announce: impl FnOnce(&RecoveryCode),
    ) -> Result<(), ClientError> {
        let old = old.member_keys();
        let fresh = RecoveryCode::generate(&mut self.random);
        let new = fresh.member_keys();
        let mut merged = MergeReport::default();
        self.finish(&mut merged).await?;
        self.pull().await?;
        let is_active =
            |id: &MemberId| self.known().map(|known| known.membership.active(id).is_some());
        if !is_active(&old.id())? {
            return Err(Refusal::NotActive(old.id()).into());
        }
        announce(&fresh);
        let make = |wallet: &mut Self| {
            let known = wallet.known()?;
            let generation = known.membership.generation();
            let mut chain = Chain::of(known);
            let before = wallet.wallet_key()?;
            let seal = Some(before.seal_to(&mut wallet.random, new.member())?);
            let add = LinkPayload::Add(Add { member: *new.member(), generation, seal });
            chain.append(&[&old, &new], add, &mut wallet.random)?;
            let codes = chain.membership().active_members();
            let codes = codes.filter(|state| {
                state.member.kind() == MemberKind::RecoveryCode && state.id != new.id()
            });
            for member in codes.map(|state| state.id).collect::<Vec<_>>() {
                // Signed by the new code, which is a member by now: no code signs its own end.
                let revoke = LinkPayload::Revoke(Revoke { member, reason: 0 });
                chain.append(&[&new], revoke, &mut wallet.random)?;
            }
            chain.rotate(&wallet.member, &before, &mut wallet.random)?;
            wallet.draft(chain, Sealed::default()).map(Some)
        };
        self.submit(make, &mut merged).await?;
        Ok(())
    }
}
