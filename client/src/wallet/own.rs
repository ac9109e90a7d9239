//! Commits of this device: kept before they are sent, sent until their fate is known, taken over when
//! they were accepted.
//!
//! The request id of a push is its head's hash, so the bytes that were kept are the retry: after a lost
//! answer, or a kill, the same commit is sent again and has one effect.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use prost::Message;
use proto::v1;
use seal::{MemberKeys, WalletKey};
use types::{Commit, SignedLink, accept, commit::RecordHeader, ids::RecordId};

use super::Wallet;
use crate::{
    clock,
    error::ClientError,
    local::{Fresh, Known, LocalError, Update},
    record::Record,
    sync::{
        AtHead, Change, Work,
        draft::{self, Chain, Draft, Sealed},
        keyring::Keyring,
    },
};

/// A wallet key that was not used for this long is opened anew.
const KEY_IDLE: Duration = Duration::from_secs(5 * 60);

/// A wallet key in memory, wiped when it goes.
pub(super) struct OpenKey {
    key: Arc<WalletKey>,
    used: Instant,
}

/// A commit under way.
pub(super) struct Pending {
    pub(super) commit: Commit,
    wire: v1::Commit,
    /// What is known once it is accepted, unless it was begun before a restart.
    after: Option<(Known, Vec<Fresh>)>,
}

/// What became of it.
pub(super) enum Fate {
    /// The head holds it, and the local copy knows.
    Accepted,
    /// The head has moved on, as the cluster's answer says: merge and begin anew.
    Conflict(ClientError),
}

impl Wallet {
    /// The commit that was begun and whose fate is not known.
    pub(super) fn pending(&self) -> Result<Option<Pending>, ClientError> {
        let Some(bytes) = self.local.pending()? else { return Ok(None) };
        let damaged = || LocalError::Damaged("the commit under way");
        let wire = v1::Commit::decode(bytes.as_slice()).map_err(|_| damaged())?;
        let commit = Commit::try_from(&wire).map_err(|_| damaged())?;
        Ok(Some(Pending { commit, wire, after: None }))
    }

    /// Keeps a commit, so that it is what will be sent, now or after a restart.
    pub(super) fn keep(&mut self, draft: Draft) -> Result<Pending, ClientError> {
        let Draft { commit, after, fresh } = draft;
        let wire = v1::Commit::from(&commit);
        self.local.set_pending(&wire.encode_to_vec())?;
        Ok(Pending { commit, wire, after: Some((after, fresh)) })
    }

    /// A commit of this device on top of what is known.
    pub(super) fn draft(&mut self, chain: Chain, changes: Sealed) -> Result<Draft, ClientError> {
        let (known, random) = (self.known.as_ref(), &mut self.random);
        draft::commit(known, chain, changes, &self.member, clock::now_s(), random)
    }

    /// Sends a kept commit until it is accepted or refused.
    ///
    /// On an error that leaves it in doubt the commit stays kept; a refusal ends it.
    pub(super) async fn send(
        &mut self,
        pending: &mut Pending,
        token: &str,
    ) -> Result<Fate, ClientError> {
        let wallet = self.local.wallet();
        let commit = Some(pending.wire.clone());
        let sent = match pending.commit.head.head().seq {
            1 => {
                let request = v1::CreateRequest { commit, registration_token: token.to_owned() };
                self.client.create(&wallet, &request).await
            }
            _ => self.client.push(&wallet, &v1::PushRequest { commit }).await,
        };
        match sent {
            Ok(_) => {
                self.take_over(pending)?;
                Ok(Fate::Accepted)
            }
            Err(error) if error.refusal_code() == Some("conflict") => Ok(Fate::Conflict(error)),
            Err(error @ ClientError::Refused(_)) => {
                self.local.clear_pending()?;
                Err(self.told(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Takes over a commit of our own that was accepted.
    fn take_over(&mut self, pending: &mut Pending) -> Result<(), ClientError> {
        let (known, fresh) = match pending.after.take() {
            Some(after) => after,
            None => (self.known_after(&pending.commit)?, self.opened(&pending.commit)?),
        };
        let commit = &pending.commit;
        let sent = Sent::of(commit, &fresh);
        let works = sent.settle(self.local.works()?, |id| known.entries.get(id).is_some());
        let update = Update {
            known: &known,
            links: &commit.links,
            head_hashes: &[commit.head.hash()],
            fresh: &fresh,
            removed: &commit.removed,
            works: &works,
            settles_pending: true,
        };
        self.local.apply(&update, &mut self.random)?;
        self.known = Some(known);
        Ok(())
    }

    /// What is known once a commit of our own is accepted. It was made on what is known now.
    fn known_after(&self, commit: &Commit) -> Result<Known, ClientError> {
        let stored = self.known.as_ref().map(Known::stored);
        let accepted = accept(stored.as_ref(), commit)
            .map_err(|_| LocalError::Damaged("the commit under way"))?;
        Ok(Known {
            head: commit.head,
            frontier: accepted.history,
            membership: accepted.membership,
            entries: accepted.entries,
        })
    }

    /// What our own commit sealed.
    pub(super) fn opened(&self, commit: &Commit) -> Result<Vec<Fresh>, ClientError> {
        if commit.envelopes.is_empty() {
            return Ok(Vec::new());
        }
        let damaged = || LocalError::Damaged("the commit under way");
        let links = self.links_with(&commit.links)?;
        let headers = commit.envelopes.iter().map(|envelope| RecordHeader::parse(envelope));
        let headers = headers.collect::<Result<Vec<_>, _>>().map_err(|_| damaged())?;
        let oldest = headers.iter().map(|record| record.header.generation).min().unwrap_or(1);
        let keyring = Keyring::open(&self.member, self.local.wallet(), &links, oldest)?;
        let mut fresh = Vec::with_capacity(headers.len());
        for (record, envelope) in headers.iter().zip(&commit.envelopes) {
            let key = keyring.get(record.header.generation).ok_or_else(damaged)?;
            let data = key
                .open_record(&record.header.id, record.header.version, envelope)
                .map_err(|_| damaged())?;
            fresh.push(Fresh { entry: record.entry(), data });
        }
        Ok(fresh)
    }

    /// The stored links with new ones after them.
    pub(super) fn links_with(&self, fresh: &[SignedLink]) -> Result<Vec<SignedLink>, ClientError> {
        let mut links = self.local.links()?;
        links.extend_from_slice(fresh);
        Ok(links)
    }

    /// The wallet key that is due now. It stays open for the pushes that follow soon.
    pub(super) fn wallet_key(&mut self) -> Result<Arc<WalletKey>, ClientError> {
        let generation = self.known()?.membership.generation();
        let still_due =
            |open: &OpenKey| open.key.generation() == generation && open.used.elapsed() < KEY_IDLE;
        let key = match self.key.take().filter(still_due) {
            Some(open) => open.key,
            None => Arc::new(self.newest_key(&self.member)?),
        };
        self.key = Some(OpenKey { key: key.clone(), used: Instant::now() });
        Ok(key)
    }

    /// The wallet key that is due now, as any member opens it.
    pub(super) fn newest_key(&self, member: &dyn MemberKeys) -> Result<WalletKey, ClientError> {
        let keyring = Keyring::open(member, self.local.wallet(), &self.local.links()?, u32::MAX)?;
        keyring.newest().ok_or_else(|| LocalError::Damaged("the links").into())
    }
}

/// The record changes of a commit that was accepted, as a base for what was changed since.
pub(super) struct Sent {
    puts: BTreeMap<RecordId, (u64, Option<Record>)>,
    removed: Vec<RecordId>,
}

impl Sent {
    pub(super) fn of(commit: &Commit, fresh: &[Fresh]) -> Self {
        let put = |Fresh { entry, data }: &Fresh| {
            (entry.id, (entry.version, Record::decode(data.expose()).ok()))
        };
        Self { puts: fresh.iter().map(put).collect(), removed: commit.removed.clone() }
    }

    /// The record as the commit left it.
    pub(super) fn at_head(&self, id: &RecordId) -> Option<AtHead> {
        self.puts
            .get(id)
            .map(|(version, record)| AtHead { version: *version, record: record.clone() })
    }

    /// Local changes, now that the head holds (or held) what was sent: those are done, and what was
    /// changed since rests on them. `taken` tells which ids are in use.
    pub(super) fn settle(
        &self,
        mut works: BTreeMap<RecordId, Work>,
        taken: impl Fn(&RecordId) -> bool,
    ) -> BTreeMap<RecordId, Work> {
        works.retain(|id, work| match (&work.change, self.puts.get(id)) {
            (Change::Put(now), Some((_, Some(sent)))) => now.encode() != sent.encode(),
            (Change::Delete, _) => !self.removed.contains(id),
            _ => true,
        });
        for (id, (version, _)) in &self.puts {
            if let Some(work) = works.get_mut(id) {
                work.base = *version;
            }
        }
        for id in &self.removed {
            // Written again after its deletion was sent: an id is never used twice, so it gets a new one.
            if let Some(Work { base, change }) = works.remove(id) {
                let again = id.again_free(base, |id| taken(id) || works.contains_key(id));
                works.insert(again, Work { base: 0, change });
            }
        }
        works
    }
}
