//! Pull: what the cluster holds, verified, with the local changes carried over to it.

use std::collections::BTreeMap;

use proto::v1;
use types::{Entries, ids::RecordId};

use super::{
    Wallet,
    own::{Pending, Sent},
};
use crate::{
    client::CallError,
    error::ClientError,
    fetch,
    local::{Local, LocalError, Update},
    record::Record,
    sync::{
        AtHead, MergeReport,
        merge::{Heads, merge},
        received::Received,
        verify::{Verified, verify},
    },
};

/// What a pull brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullReport {
    /// Number of the head now.
    pub seq: u64,
    /// Whether the head is the one that this device held already.
    pub unchanged: bool,
    /// Names of records that are new or changed.
    pub changed: Vec<String>,
    /// How many records were removed.
    pub removed: usize,
    /// What merging with the changes of this device did.
    pub merged: MergeReport,
    /// Whether a watch brought it while its stream was open; not what a pull, or the opening, was answered.
    pub live: bool,
}

impl Wallet {
    /// Gets what other devices changed, and verifies all of it before taking it over.
    ///
    /// # Errors
    /// [`ClientError::Integrity`] names what was tried; nothing was taken over then.
    /// [`crate::Unavailable`] if no node answers in time. [`crate::Refusal::NotActive`] if this device
    /// was revoked.
    pub async fn pull(&mut self) -> Result<PullReport, ClientError> {
        let received = self.fetch(false).await?;
        self.take_in(received)
    }

    /// Gets what the node that is asked holds by now: never less than this device knows, but perhaps a
    /// second less than the whole. For a device that only wants to show something; a session that the
    /// member was revoked in may be served for that second.
    ///
    /// # Errors
    /// As [`Wallet::pull`].
    pub async fn pull_at_least(&mut self) -> Result<PullReport, ClientError> {
        let received = self.fetch(true).await?;
        self.take_in(received)
    }

    async fn fetch(&mut self, at_least: bool) -> Result<Received, ClientError> {
        let mut again = true;
        loop {
            let session = self.take_session().await?;
            let known = self.known.as_ref();
            let request = v1::PullRequest { at_least, ..fetch::request(&session, known) };
            match fetch::pull(&self.client, &session, &request, &mut self.random).await {
                Ok(received) => {
                    self.session = Some(session);
                    return Ok(received);
                }
                Err(CallError::SessionEnded(_)) if again => again = false,
                Err(error) => return Err(self.told(error.flatten())),
            }
        }
    }

    /// Verifies a pull and takes it over.
    pub(super) fn take_in(&mut self, received: Received) -> Result<PullReport, ClientError> {
        if let Some(known) = &self.known
            && known.head.hash() == received.head.hash()
        {
            let seq = known.head.head().seq;
            return Ok(PullReport { seq, unchanged: true, ..PullReport::default() });
        }
        let links = self.local.links()?;
        let verified =
            verify(self.local.wallet(), self.known.as_ref(), &links, &self.member, &received)?;
        self.advance(verified)
    }

    /// Takes a verified pull over, carries the local changes to it, and settles a commit under way.
    pub(super) fn advance(&mut self, verified: Verified) -> Result<PullReport, ClientError> {
        let Verified { known, links, head_hashes, fresh, removed } = verified;
        let pending = self.pending()?;
        let fate = pending.as_ref().and_then(|pending| self.fate(pending, &head_hashes));
        let sent = match &pending {
            Some(pending) if fate == Some(true) => {
                Some(Sent::of(&pending.commit, &self.opened(&pending.commit)?))
            }
            _ => None,
        };
        let mut works = self.local.works()?;
        if let Some(sent) = &sent {
            works = sent.settle(works, |id| known.entries.get(id).is_some());
        }
        let decoded = fresh.iter().map(|fresh| {
            let record = Record::decode(fresh.data.expose()).ok();
            (fresh.entry.id, AtHead { version: fresh.entry.version, record })
        });
        let heads =
            Step { local: &self.local, sent, fresh: decoded.collect(), entries: &known.entries };
        let (works, merged) = merge(works, &heads)?;
        let mut changed: Vec<String> = heads
            .fresh
            .values()
            .filter_map(|at_head| Some(at_head.record.as_ref()?.name.clone()))
            .filter(|name| !name.starts_with(crate::record::RESERVED_PREFIX))
            .collect();
        changed.sort_unstable();
        let update = Update {
            known: &known,
            links: &links,
            head_hashes: &head_hashes,
            fresh: &fresh,
            removed: &removed,
            works: &works,
            settles_pending: fate.is_some(),
        };
        self.local.apply(&update, &mut self.random)?;
        let seq = known.head.head().seq;
        self.known = Some(known);
        let removed = removed.len();
        Ok(PullReport { seq, unchanged: false, changed, removed, merged, live: false })
    }

    /// Whether a commit under way was accepted; none while its place is not taken yet.
    fn fate(&self, pending: &Pending, head_hashes: &[types::HeadHash]) -> Option<bool> {
        let held = self.known.as_ref().map_or(0, |known| known.head.head().seq);
        let head = &pending.commit.head;
        let at = head.head().seq.checked_sub(held + 1)?;
        let hash = head_hashes.get(usize::try_from(at).ok()?)?;
        Some(*hash == head.hash())
    }
}

/// The wallet before and after a pull, for the merge.
struct Step<'a> {
    local: &'a Local,
    sent: Option<Sent>,
    fresh: BTreeMap<RecordId, AtHead>,
    entries: &'a Entries,
}

impl Heads for Step<'_> {
    fn before(&self, id: &RecordId) -> Result<Option<AtHead>, LocalError> {
        match self.sent.as_ref().and_then(|sent| sent.at_head(id)) {
            Some(sent) => Ok(Some(sent)),
            None => self.local.at_head(id),
        }
    }

    fn after(&self, id: &RecordId) -> Result<Option<AtHead>, LocalError> {
        if self.entries.get(id).is_none() {
            return Ok(None);
        }
        match self.fresh.get(id) {
            Some(fresh) => Ok(Some(fresh.clone())),
            None => self.local.at_head(id),
        }
    }

    fn holds(&self, id: &RecordId) -> bool {
        self.entries.get(id).is_some()
    }

    fn named(&self, name: &str) -> Result<Vec<RecordId>, LocalError> {
        let mut ids = self.local.named(name)?;
        ids.extend(self.fresh.keys());
        ids.sort_unstable();
        ids.dedup();
        let mut named = Vec::new();
        for id in ids {
            let record = self.after(&id)?.and_then(|at_head| at_head.record);
            if record.is_some_and(|record| record.name == name) {
                named.push(id);
            }
        }
        Ok(named)
    }
}
