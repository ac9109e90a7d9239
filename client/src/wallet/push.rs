//! Push: local changes into commits, commits to the cluster, merged anew whenever the head has moved on.

use std::time::Instant;

use seal::MemberKeys;
use tokio::time;
use types::Commit;

use super::{Wallet, own::Fate};
use crate::{
    error::{ClientError, Refusal, Unavailable},
    sync::{
        MergeReport,
        draft::{Chain, Changes, Draft},
    },
};

/// How often a commit is made anew because the head moved on, before its owner is asked for patience.
const ATTEMPTS_MAX: u32 = 50;

/// What a push did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushReport {
    /// Commits that were accepted.
    pub commits: u32,
    /// Records written.
    pub written: usize,
    /// Records removed.
    pub removed: usize,
    /// Number of the head afterwards.
    pub seq: u64,
    /// What merging with other devices' changes did.
    pub merged: MergeReport,
}

impl PushReport {
    fn add(&mut self, commit: &Commit) {
        self.commits += 1;
        self.written += commit.envelopes.len();
        self.removed += commit.removed.len();
    }
}

impl Wallet {
    /// Sends everything that was changed here. What does not fit one commit goes into several.
    ///
    /// # Errors
    /// [`Unavailable`] if no node answers in time: what was not confirmed is sent again by the next push,
    /// with one effect. [`ClientError::Integrity`] if another device's changes do not verify.
    /// [`Refusal::NotActive`] if this device was revoked.
    pub async fn push(&mut self) -> Result<PushReport, ClientError> {
        let mut report = PushReport::default();
        if let Some(commit) = self.finish(&mut report.merged).await? {
            report.add(&commit);
        }
        while let Some(commit) = self.submit(Self::next_records, &mut report.merged).await? {
            report.add(&commit);
        }
        report.seq = self.known()?.head.head().seq;
        Ok(report)
    }

    /// Sends everything that was changed here, as [`Wallet::push`] does, but only onto the head that this
    /// device knows: nothing is merged.
    ///
    /// # Errors
    /// [`Refusal::Cluster`] with `conflict` if the head has moved on. Then nothing of the commit that was
    /// refused has happened or will; the changes are still here, for [`Wallet::push`] to merge or for
    /// [`Wallet::discard`]. Otherwise as [`Wallet::push`].
    pub async fn push_unmerged(&mut self) -> Result<PushReport, ClientError> {
        let mut report = PushReport::default();
        loop {
            let mut pending = match self.pending()? {
                Some(pending) => pending,
                None => match self.next_records()? {
                    Some(draft) => self.keep(draft)?,
                    None => break,
                },
            };
            match self.send(&mut pending, "").await? {
                Fate::Accepted => report.add(&pending.commit),
                Fate::Conflict(conflict) => {
                    self.local.clear_pending()?;
                    return Err(conflict);
                }
            }
        }
        report.seq = self.known()?.head.head().seq;
        Ok(report)
    }

    /// Gives up everything that was changed here and not pushed. A push whose answer was lost may still
    /// have happened: the next pull shows it.
    ///
    /// # Errors
    /// [`crate::LocalError`].
    pub fn discard(&mut self) -> Result<(), ClientError> {
        Ok(self.local.discard()?)
    }

    /// Ends a commit that was begun earlier: gives it if it was accepted.
    pub(super) async fn finish(
        &mut self,
        merged: &mut MergeReport,
    ) -> Result<Option<Commit>, ClientError> {
        let Some(mut pending) = self.pending()? else { return Ok(None) };
        match self.send(&mut pending, "").await? {
            Fate::Accepted => Ok(Some(pending.commit)),
            Fate::Conflict(_) => {
                merged.join(self.pull().await?.merged);
                Ok(None)
            }
        }
    }

    /// Makes a commit and sends it; when the head has moved on, pulls, and makes it anew.
    /// Nothing is sent when `make` gives nothing.
    pub(super) async fn submit(
        &mut self,
        mut make: impl FnMut(&mut Self) -> Result<Option<Draft>, ClientError>,
        merged: &mut MergeReport,
    ) -> Result<Option<Commit>, ClientError> {
        let begun = Instant::now();
        for attempts in 1.. {
            let mut pending = match self.pending()? {
                Some(pending) => pending,
                None => match make(self)? {
                    Some(draft) => self.keep(draft)?,
                    None => return Ok(None),
                },
            };
            match self.send(&mut pending, "").await? {
                Fate::Accepted => return Ok(Some(pending.commit)),
                Fate::Conflict(_) => merged.join(self.pull().await?.merged),
            }
            if attempts >= ATTEMPTS_MAX && begun.elapsed() > self.client.deadlines().overall {
                return Err(Unavailable::Contended { attempts }.into());
            }
            time::sleep(self.client.pause(attempts.min(4))).await;
        }
        Ok(None)
    }

    /// The next commit of local changes; none when the head holds everything.
    fn next_records(&mut self) -> Result<Option<Draft>, ClientError> {
        let known = self.known()?;
        if known.membership.erased() {
            return Err(Refusal::Erased.into());
        }
        if known.membership.active(&self.member.id()).is_none() {
            return Err(Refusal::NotActive(self.member.id()).into());
        }
        let changes = Changes::batch(&self.local.works()?, &known.entries)?;
        let rotates = known.membership.rotation_due();
        if changes.is_empty() && !rotates {
            return Ok(None);
        }
        let mut chain = Chain::of(known);
        let mut key = self.wallet_key()?;
        if rotates {
            key = chain.rotate(&self.member, &key, &mut self.random)?.into();
        }
        let sealed = changes.seal(&key, &mut self.random)?;
        self.draft(chain, sealed).map(Some)
    }
}
