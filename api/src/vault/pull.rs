//! Pulls: what changed in a wallet since a head.
//!
//! A pull is of one moment: it pins the state that it began with. It is produced part by part, so that
//! neither a large wallet nor a slow reader holds more memory than one part, and each part is read and
//! opened apart from the threads that serve connections.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use store::Reader;
use store::read::Changes;
use types::{Entry, HeadHash, MemberId, RecordId, SignedHead, SignedLink, WalletId};

use super::Vault;
use super::error::VaultError;
use super::judge::open_data_key;
use super::outer::{OpenError, Outer};
use super::push::LIGHT_RECORDS;
use super::session::reading;
use crate::auth::Caller;

/// How old the state behind a weaker read may be.
pub(super) const RECENT: Duration = Duration::from_secs(1);
/// About how many bytes are made ready at a time. A frame has at most as many, or is one object.
const PART_BYTES: usize = 256 << 10;

/// What the caller of a pull holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The wallet.
    pub wallet: WalletId,
    /// The place of the head it holds; 0 if it holds none.
    pub seq: u64,
    /// The hash of that head; zero if it holds none.
    pub head: HeadHash,
    /// How many links it holds.
    pub links: u32,
}

/// How fresh the answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It shows everything acknowledged before the request.
    Linearizable,
    /// It shows at least the head that the caller holds, and may lag by a second.
    AtLeast,
}

/// A part of a pull, in the order in which they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The present head, and what follows.
    Start {
        /// The head.
        head: SignedHead,
        /// Nothing changed: no part but the end follows.
        unchanged: bool,
        /// The full list of entries follows instead of what was removed.
        full: bool,
    },
    /// Heads before the present one, newest first.
    Trail(Vec<SignedHead>),
    /// One link.
    Link(SignedLink),
    /// Hashes of the heads after the caller's.
    HeadHashes(Vec<HeadHash>),
    /// Removed records.
    Removed(Vec<RecordId>),
    /// Entries of the full list.
    Entries(Vec<Entry>),
    /// A record's envelope, as its device sealed it.
    Envelope(Vec<u8>),
    /// That was all.
    End,
}

/// A pull under way.
pub struct Pull {
    reader: Reader,
    outer: Outer,
    held: Held,
    head: SignedHead,
    steps: VecDeque<Step>,
}

/// What is left to do, front first.
enum Step {
    Ready(Box<Part>),
    Links { next: u32, end: u32 },
    HeadHashes { next: u64, last: u64 },
    Envelopes(VecDeque<(RecordId, u64)>),
}

impl Vault {
    /// Begins a pull for a session's member.
    ///
    /// # Errors
    /// [`types::Rejection::MemberInactive`] if it is no member any more; [`VaultError::Unavailable`] if
    /// the state here cannot be shown to be fresh enough.
    pub async fn pull(
        &self,
        caller: &Caller,
        held: Held,
        freshness: Freshness,
    ) -> Result<Pull, VaultError> {
        caller.may_read(&held.wallet)?;
        self.serves()?;
        let group = self.group_of(&held.wallet)?;
        let reader = match freshness {
            Freshness::Linearizable => self.read(group).await?,
            Freshness::AtLeast => {
                let recent = self.read_recent(group, RECENT).await?;
                // A caller that came from a faster replica must not be shown less.
                if has_reached(&recent, &held)? { recent } else { self.read(group).await? }
            }
        };
        let pull = self.begin(reader, held, caller.member).await?;
        if freshness == Freshness::AtLeast && pull.head.head().seq < held.seq {
            return Err(VaultError::Unavailable(
                "no majority holds the head that the request names",
            ));
        }
        Ok(pull)
    }

    /// Begins a pull of the state that `reader` shows.
    pub(super) async fn begin(
        &self,
        reader: Reader,
        held: Held,
        member: MemberId,
    ) -> Result<Pull, VaultError> {
        let records = reader.wallet(held.wallet)?.map_or(0, |row| row.records);
        let keyring = Arc::clone(&self.keyring);
        let begin = move || Pull::begin(reader, &keyring, held, &member);
        if records <= LIGHT_RECORDS { begin() } else { self.apart(begin).await }
    }

    /// The next parts of a pull, and the pull itself unless that was all.
    ///
    /// # Errors
    /// A fault of this node; the pull is over then.
    pub async fn more(&self, mut pull: Pull) -> Result<(Vec<Part>, Option<Pull>), VaultError> {
        self.apart(move || {
            let parts = pull.next_parts()?;
            Ok((parts, (!pull.steps.is_empty()).then_some(pull)))
        })
        .await
        .inspect_err(|error| self.count_unopened(error))
    }

    /// Counts what was stored here and could not be read back.
    pub(super) fn count_unopened(&self, error: &VaultError) {
        if matches!(error, VaultError::Broken) {
            self.metrics.unopened();
        }
    }
}

fn has_reached(reader: &Reader, held: &Held) -> Result<bool, VaultError> {
    Ok(reader.wallet(held.wallet)?.is_some_and(|row| row.head.head().seq >= held.seq))
}

impl Pull {
    /// A pull of the state that `reader` shows, for an active member.
    fn begin(
        reader: Reader,
        keyring: &seal::ServerKeyring,
        held: Held,
        member: &MemberId,
    ) -> Result<Self, VaultError> {
        reading(reader.membership(held.wallet)?, member)?;
        let row = reader.wallet(held.wallet)?.ok_or(types::Rejection::NotFound)?;
        let outer = open_data_key(&reader, keyring, held.wallet)?;
        let head = row.head;
        let mut pull = Self { reader, outer, held, head, steps: VecDeque::new() };
        pull.plan()?;
        Ok(pull)
    }

    /// The head that it shows.
    pub fn head(&self) -> &SignedHead {
        &self.head
    }

    /// The wallet that it shows.
    pub fn wallet(&self) -> &WalletId {
        &self.held.wallet
    }

    fn plan(&mut self) -> Result<(), VaultError> {
        let Held { wallet, seq: held_seq, head: held_head, links } = self.held;
        let present = *self.head.head();
        let unchanged = self.head.hash() == held_head && present.links == links;
        // Older than what the caller holds: it is shown the head, and will know what to think of it.
        let behind = present.seq < held_seq;
        if unchanged || behind {
            self.say(Part::Start { head: self.head, unchanged, full: false });
            self.say(Part::End);
            return Ok(());
        }
        let changes = self.reader.changes_since(wallet, held_seq)?;
        let full = matches!(changes, Changes::All(_));
        self.say(Part::Start { head: self.head, unchanged, full });
        // The trail goes back to a head that a device signed, or to the one that the caller holds.
        let trail = self.reader.trail(wallet)?;
        let trail: Vec<_> =
            trail.into_iter().take_while(|head| head.head().seq >= held_seq).collect();
        self.ready(&trail, SignedHead::LEN, Part::Trail);
        self.steps.push_back(Step::Links { next: links, end: present.links });
        self.steps
            .push_back(Step::HeadHashes { next: held_seq.saturating_add(1), last: present.seq });
        let changed = match changes {
            Changes::Since { changed, removed } => {
                self.ready(&removed, RecordId::LEN, Part::Removed);
                changed.into_iter().map(|entry| (entry.id, entry.version)).collect()
            }
            Changes::All(entries) => {
                self.ready(entries.as_slice(), Entry::LEN, Part::Entries);
                self.changed_of(entries.as_slice(), held_seq)?
            }
        };
        self.steps.push_back(Step::Envelopes(changed));
        self.say(Part::End);
        Ok(())
    }

    /// Those of the entries that were written after the head at `seq`.
    fn changed_of(
        &self,
        entries: &[Entry],
        seq: u64,
    ) -> Result<VecDeque<(RecordId, u64)>, VaultError> {
        let mut changed = VecDeque::new();
        for entry in entries {
            let row = self.reader.entry(self.held.wallet, entry.id)?;
            if row.is_some_and(|row| row.seq > seq) {
                changed.push_back((entry.id, entry.version));
            }
        }
        Ok(changed)
    }

    fn say(&mut self, part: Part) {
        self.steps.push_back(Step::Ready(Box::new(part)));
    }

    fn ready<T: Clone>(&mut self, items: &[T], item_bytes: usize, part: fn(Vec<T>) -> Part) {
        let parts = items.chunks(PART_BYTES / item_bytes);
        self.steps.extend(parts.map(|items| Step::Ready(Box::new(part(items.to_vec())))));
    }

    /// About [`PART_BYTES`] of parts; more only if one object has more.
    fn next_parts(&mut self) -> Result<Vec<Part>, VaultError> {
        let (mut parts, mut bytes) = (Vec::new(), 0);
        while bytes < PART_BYTES
            && let Some(step) = self.steps.pop_front()
        {
            if let Some(part) = self.take(step)? {
                bytes += part.size();
                parts.push(part);
            }
        }
        Ok(parts)
    }

    /// Does one piece of a step, and puts what is left of it back.
    fn take(&mut self, step: Step) -> Result<Option<Part>, VaultError> {
        let wallet = self.held.wallet;
        match step {
            Step::Ready(part) => Ok(Some(*part)),
            Step::Links { next, end } if next < end => {
                let row = self.reader.link(wallet, next)?.ok_or_else(|| missing("a link"))?;
                let link = self.outer.open_link(next, &row.sealed).map_err(closed)?;
                self.steps.push_front(Step::Links { next: next + 1, end });
                Ok(Some(Part::Link(link)))
            }
            Step::HeadHashes { next, last } if next <= last => {
                let end = last.min(next + (PART_BYTES / HeadHash::LEN) as u64 - 1);
                let hashes = self.reader.head_hashes(wallet, next, end)?;
                self.steps.push_front(Step::HeadHashes { next: end + 1, last });
                Ok(Some(Part::HeadHashes(hashes)))
            }
            Step::Envelopes(mut changed) => {
                let Some((id, version)) = changed.pop_front() else { return Ok(None) };
                let sealed = self.reader.body(wallet, id)?.ok_or_else(|| missing("a body"))?;
                let envelope = self.outer.open_record(&id, version, &sealed).map_err(closed)?;
                self.steps.push_front(Step::Envelopes(changed));
                Ok(Some(Part::Envelope(envelope)))
            }
            Step::Links { .. } | Step::HeadHashes { .. } => Ok(None),
        }
    }
}

impl Part {
    /// About how many bytes it has.
    fn size(&self) -> usize {
        match self {
            Self::Start { .. } => SignedHead::LEN,
            Self::Trail(heads) => heads.len() * SignedHead::LEN,
            Self::Link(link) => link.bytes().len(),
            Self::HeadHashes(hashes) => hashes.len() * HeadHash::LEN,
            Self::Removed(ids) => ids.len() * RecordId::LEN,
            Self::Entries(entries) => entries.len() * Entry::LEN,
            Self::Envelope(envelope) => envelope.len(),
            Self::End => 0,
        }
    }
}

pub(super) fn closed(error: OpenError) -> VaultError {
    VaultError::broken("open what this server sealed", &error)
}

pub(super) fn missing(what: &'static str) -> VaultError {
    tracing::error!(what, "a row that the head covers is not there");
    VaultError::Broken
}
