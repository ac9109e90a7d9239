//! Sessions for members that are not devices: found by locator, over all groups that hold wallets.
//!
//! A locator is known to members only, and a stranger who guesses one learns nothing without the key.
//! Tries are limited per locator and in total all the same.

use std::time::Instant;

use futures::future::try_join_all;
use types::{ChallengeUse, GroupId, Locator, Membership, WalletId};

use super::Vault;
use super::error::VaultError;
use super::session::{Answer, Opened, evenly};

impl Vault {
    /// Exchanges a locator and a challenge signed by the member it leads to for one session of each
    /// wallet in which that member is active.
    ///
    /// # Errors
    /// [`VaultError::Elsewhere`] names the node that gave the nonce. [`VaultError::Denied`] if the
    /// locator leads nowhere, or to nobody who signed this, without saying which;
    /// [`VaultError::TooFast`].
    pub async fn open_by_locator(
        &self,
        locator: &[u8],
        challenge: &[u8],
        signature: &[u8],
    ) -> Result<Vec<Opened>, VaultError> {
        let locator = Locator::parse(locator)?;
        let answer = self.read_answer(ChallengeUse::Recovery, challenge, signature)?;
        self.serves()?;
        self.recoveries.take(locator, Instant::now()).map_err(|wait| VaultError::TooFast {
            what: "recoveries",
            wait_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
        })?;
        evenly(self.open_located(locator, &answer)).await
    }

    async fn open_located(
        &self,
        locator: Locator,
        answer: &Answer,
    ) -> Result<Vec<Opened>, VaultError> {
        let groups = self.node.wallet_groups();
        let found =
            try_join_all(groups.into_iter().map(|group| self.located(group, locator))).await?;
        let opened: Vec<Membership> =
            found.into_iter().flatten().filter(|members| opens(members, locator, answer)).collect();
        if opened.is_empty() {
            answer.take_as_long();
            return Err(VaultError::Denied);
        }
        self.spend(answer)?;
        opened.iter().map(|members| self.issue(members, answer)).collect()
    }

    /// The members of every wallet of the group to which the locator leads.
    async fn located(
        &self,
        group: GroupId,
        locator: Locator,
    ) -> Result<Vec<Membership>, VaultError> {
        let reader = self.read(group).await?;
        let of_wallet = |wallet: WalletId| reader.membership(wallet).transpose();
        Ok(reader.locator(locator)?.into_iter().filter_map(of_wallet).collect::<Result<_, _>>()?)
    }
}

/// Whether the member that answered is active in the wallet, under this locator.
fn opens(members: &Membership, locator: Locator, answer: &Answer) -> bool {
    let member = members.active(&answer.challenge.member).map(|state| &state.member);
    !members.erased()
        && member.is_some_and(|member| {
            member.locator() == Some(&locator) && answer.signed_by(member).is_ok()
        })
}
