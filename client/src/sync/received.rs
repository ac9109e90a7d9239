//! The frames of a pull, put together: bounded, in the order the schema names, each parsed strictly.
//! A watch is one pull after another, with `idle` between them.

use proto::{
    convert::ConvertError,
    v1::{PullReply, pull_reply::Part},
};
use types::{
    Entry, SignedHead, SignedLink,
    ids::{BodyHash, HeadHash, RecordId},
    limits,
};

use super::Violation;
use crate::error::{ClientError, Usage};

/// Most head hashes in one pull: four million changes, 128 MiB.
const HEADS_MAX: usize = 4 << 20;
/// A wallet's limits are the cluster's to set; beyond so many times the default it is a flood.
const HEADROOM: usize = 4;
const BYTES_MAX: usize = HEADROOM * limits::WALLET_BYTES as usize;
const RECORDS_MAX: usize = HEADROOM * limits::WALLET_RECORDS as usize;
const LINKS_MAX: usize = HEADROOM * limits::WALLET_LINKS as usize;

/// Everything that one pull gave. Parsed, not yet believed.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) head: SignedHead,
    pub(crate) trail: Vec<SignedHead>,
    pub(crate) links: Vec<SignedLink>,
    /// Of the heads after the caller's, the present one included.
    pub(crate) head_hashes: Vec<HeadHash>,
    pub(crate) removed: Vec<RecordId>,
    /// The full list, when the caller's cursor was too old.
    pub(crate) entries: Option<Vec<Entry>>,
    pub(crate) envelopes: Vec<Vec<u8>>,
    pub(crate) leader: String,
}

/// Why frames make no pull.
#[derive(Debug)]
pub(crate) enum Unreadable {
    Violation(Violation),
    /// A newer version of Holdfast wrote it.
    Update,
}

impl From<Violation> for Unreadable {
    fn from(violation: Violation) -> Self {
        Unreadable::Violation(violation)
    }
}

impl From<Unreadable> for ClientError {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Violation(violation) => violation.into(),
            Unreadable::Update => Usage::Update("a format").into(),
        }
    }
}

impl From<ConvertError> for Unreadable {
    fn from(error: ConvertError) -> Self {
        match error {
            error if error.is_update() => Unreadable::Update,
            ConvertError::Missing { .. } => Violation::Malformed("a field is missing").into(),
            ConvertError::Format { error, .. } => Violation::Format(error).into(),
        }
    }
}

/// Puts frames together. A frame of an earlier stage than the last one is refused.
#[derive(Default)]
pub(crate) struct Collector {
    stage: Stage,
    received: Option<Received>,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Start,
    Trail,
    Links,
    Heads,
    Entries,
    Envelopes,
}

impl Collector {
    /// Takes one frame; gives the whole pull with its last.
    pub(crate) fn frame(&mut self, frame: PullReply) -> Result<Option<Received>, Unreadable> {
        let part = frame.part.ok_or(Violation::Malformed("an empty frame"))?;
        let (received, stage) = match (&mut self.received, &part) {
            (None, Part::Start(start)) => {
                self.received = Some(Received::begin(start)?);
                self.stage = Stage::Trail;
                return Ok(None);
            }
            (None, Part::Idle(_)) => return Ok(None),
            (None, _) => return Err(Violation::Malformed("it does not begin with a start").into()),
            (Some(received), part) => (received, stage_of(part)?),
        };
        if stage < self.stage {
            return Err(Violation::Malformed("its frames are out of order").into());
        }
        self.stage = stage;
        match part {
            Part::Start(_) | Part::Idle(_) => {
                return Err(Violation::Malformed("it starts twice").into());
            }
            Part::Trail(trail) => {
                bounded(received.trail.len() + trail.heads.len(), LINKS_MAX, "heads in the trail")?;
                for head in &trail.heads {
                    received.trail.push(SignedHead::try_from(head)?);
                }
            }
            Part::Link(link) => {
                bounded(received.links.len(), LINKS_MAX, "links")?;
                received.links.push(SignedLink::try_from(&link)?);
            }
            Part::HeadHashes(bytes) => {
                received.head_hashes.extend(fixed(&bytes, HeadHash::from_bytes, "head hashes")?);
                bounded(received.head_hashes.len(), HEADS_MAX, "heads")?;
            }
            Part::Removed(bytes) => {
                received.removed.extend(fixed(&bytes, RecordId::from_bytes, "removed ids")?);
                bounded(received.removed.len(), RECORDS_MAX, "removed records")?;
            }
            Part::Entries(bytes) => {
                let entries = received.entries.get_or_insert_default();
                entries.extend(fixed(&bytes, entry_of, "entries")?);
                bounded(entries.len(), RECORDS_MAX, "records")?;
            }
            Part::Envelope(bytes) => {
                self.bytes += bytes.len();
                bounded(self.bytes, BYTES_MAX, "bytes")?;
                bounded(received.envelopes.len(), RECORDS_MAX, "records")?;
                received.envelopes.push(bytes.into());
            }
            Part::End(end) => {
                received.leader = end.leader;
                return Ok(std::mem::take(self).received);
            }
        }
        Ok(None)
    }
}

impl Received {
    fn begin(start: &proto::v1::PullStart) -> Result<Self, Unreadable> {
        let head = start.head.as_ref().ok_or(Violation::Malformed("it has no head"))?;
        Ok(Self {
            head: SignedHead::try_from(head)?,
            trail: Vec::new(),
            links: Vec::new(),
            head_hashes: Vec::new(),
            removed: Vec::new(),
            entries: start.full.then(Vec::new),
            envelopes: Vec::new(),
            leader: String::new(),
        })
    }
}

fn stage_of(part: &Part) -> Result<Stage, Violation> {
    Ok(match part {
        Part::Start(_) | Part::Idle(_) => return Err(Violation::Malformed("it starts twice")),
        Part::Trail(_) => Stage::Trail,
        Part::Link(_) => Stage::Links,
        Part::HeadHashes(_) => Stage::Heads,
        Part::Removed(_) | Part::Entries(_) => Stage::Entries,
        Part::Envelope(_) | Part::End(_) => Stage::Envelopes,
    })
}

fn bounded(found: usize, limit: usize, what: &'static str) -> Result<(), Violation> {
    if found > limit { Err(Violation::Flood { what, limit }) } else { Ok(()) }
}

/// Splits a frame into items of one length.
fn fixed<'a, T, const N: usize>(
    bytes: &'a [u8],
    read: impl Fn([u8; N]) -> T + 'a,
    what: &'static str,
) -> Result<impl Iterator<Item = T> + 'a, Violation> {
    let (items, rest) = bytes.as_chunks::<N>();
    if rest.is_empty() {
        Ok(items.iter().map(move |item| read(*item)))
    } else {
        Err(Violation::Malformed(what))
    }
}

fn entry_of(bytes: [u8; Entry::LEN]) -> Entry {
    let (id, rest) = bytes.split_first_chunk::<16>().expect("an entry is longer");
    let (version, hash) = rest.split_first_chunk::<8>().expect("an entry is longer");
    let hash = hash.try_into().expect("56 less 24 is 32");
    Entry {
        id: RecordId::from_bytes(*id),
        version: u64::from_be_bytes(*version),
        body_hash: BodyHash::from_bytes(hash),
    }
}

#[cfg(test)]
mod tests;
