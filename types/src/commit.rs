//! Commits: what a device pushes.
//!
//! A commit is judged in two steps. Its shape needs nothing else: lists ascending and disjoint, every part
//! well-formed, sizes within limits. Whether it may follow what is stored is [`mod@crate::accept`]'s to say.

use std::collections::BTreeSet;
use std::fmt;

use thiserror::Error;

use crate::envelope::{Envelope, EnvelopeHeader, Purpose};
use crate::hash::tagged;
use crate::head::SignedHead;
use crate::ids::{BodyHash, HeadHash, RecordId, RequestId};
use crate::layout::{FormatError, Problem, Writer};
use crate::limits::{BETWEEN_MAX, PUSH_LINKS_MAX, PUSH_MAX, PUSH_RECORDS_MAX};
use crate::link::SignedLink;
use crate::root::Entry;
use crate::signature::MemberSignature;

/// A change of a wallet, under the head it makes. Its `Debug` counts what it holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Commit {
    /// The head after the change.
    pub head: SignedHead,
    /// The heads between the stored one and this one, the oldest first; empty except when healing.
    pub between: Vec<HeadHash>,
    /// New links, ascending by number.
    pub links: Vec<SignedLink>,
    /// New or changed records: envelopes of purpose 1 as received, ascending by id.
    pub envelopes: Vec<Vec<u8>>,
    /// Removed records, ascending.
    pub removed: Vec<RecordId>,
}

/// What a sealed record says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// The envelope's header, of purpose 1.
    pub header: EnvelopeHeader,
    /// The hash of the envelope.
    pub body_hash: BodyHash,
    /// Bytes of the envelope.
    pub size: usize,
}

impl RecordHeader {
    /// Reads an envelope that must hold a record.
    ///
    /// # Errors
    /// If it is malformed or of another purpose.
    pub fn parse(envelope: &[u8]) -> Result<Self, FormatError> {
        let parsed = Envelope::parse(envelope)?;
        if parsed.header.purpose != Purpose::Record {
            let problem = Problem::Value { field: "purpose", allowed: "1 (a record)" };
            return Err(FormatError::new("envelope", 7, problem));
        }
        Ok(Self { header: parsed.header, body_hash: parsed.body_hash(), size: envelope.len() })
    }

    /// The entry that it makes.
    pub const fn entry(&self) -> Entry {
        Entry { id: self.header.id, version: self.header.version, body_hash: self.body_hash }
    }
}

/// Why a commit is not one, whatever is stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommitError {
    /// A part is malformed.
    #[error("record {at} of the commit is malformed")]
    Record {
        /// Its place in the list, from 0.
        at: usize,
        /// What is wrong with it.
        #[source]
        error: FormatError,
    },
    /// A list is not strictly ascending.
    #[error("the {list} of a commit must be strictly ascending, without repetition")]
    Unsorted {
        /// The list.
        list: &'static str,
    },
    /// A record is both written and removed.
    #[error("record {id} is both written and removed")]
    Both {
        /// The record.
        id: RecordId,
    },
    /// A limit is passed.
    #[error("a commit may have at most {limit} {what}; push in smaller parts")]
    TooLarge {
        /// What is limited, with its unit.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl CommitError {
    /// Whether a newer version of Holdfast could read it.
    pub const fn is_update(&self) -> bool {
        matches!(self, Self::Record { error, .. } if error.is_update())
    }
}

impl Commit {
    /// Its request id, the same for every attempt: the hash of its head.
    pub fn request_id(&self) -> RequestId {
        self.head.hash().into()
    }

    /// Whether it brings back heads that the server does not have.
    pub fn is_healing(&self) -> bool {
        !self.between.is_empty()
    }

    /// Checks everything that needs nothing but the commit, and reads its records.
    ///
    /// # Errors
    /// The first rule of shape that it breaks.
    pub fn check_shape(&self) -> Result<Vec<RecordHeader>, CommitError> {
        self.check_size()?;
        let read = |(at, envelope): (usize, &Vec<u8>)| {
            RecordHeader::parse(envelope).map_err(|error| CommitError::Record { at, error })
        };
        let records: Vec<_> =
            self.envelopes.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        ascending("links", self.links.iter().map(|link| link.link().n))?;
        ascending("records", records.iter().map(|record| record.header.id))?;
        ascending("removed records", self.removed.iter().copied())?;
        let removed: BTreeSet<_> = self.removed.iter().collect();
        match records.iter().find(|record| removed.contains(&record.header.id)) {
            Some(both) => Err(CommitError::Both { id: both.header.id }),
            None => Ok(records),
        }
    }

    /// Healing brings back what a server lost: the wallet's quota bounds it, which whoever stores it knows.
    fn check_size(&self) -> Result<(), CommitError> {
        let links = self
            .links
            .iter()
            .map(|link| link.bytes().len() + link.signatures().len() * MemberSignature::LEN);
        let bytes = links.sum::<usize>() + self.envelopes.iter().map(Vec::len).sum::<usize>();
        let push = |limit| if self.is_healing() { usize::MAX } else { limit };
        for (what, found, limit) in [
            ("heads between", self.between.len(), BETWEEN_MAX),
            ("links", self.links.len(), push(PUSH_LINKS_MAX)),
            ("records", self.envelopes.len() + self.removed.len(), push(PUSH_RECORDS_MAX)),
            ("bytes", bytes, push(PUSH_MAX)),
        ] {
            if found > limit {
                return Err(CommitError::TooLarge { what, limit });
            }
        }
        Ok(())
    }

    /// The hash of everything in it but its signatures, which differ from one signing to the next: by it a
    /// retry is told from other content under the same request id.
    pub fn content_hash(&self) -> [u8; 32] {
        let mut writer = Writer::default().bytes(self.head.hash()).u64(self.between.len() as u64);
        for head in &self.between {
            writer = writer.bytes(head);
        }
        writer = writer.u64(self.links.len() as u64);
        for link in &self.links {
            writer = writer.bytes(link.hash());
        }
        writer = writer.u64(self.envelopes.len() as u64);
        for envelope in &self.envelopes {
            writer = writer.bytes(tagged("holdfast/1 body", &[envelope]));
        }
        writer = writer.u64(self.removed.len() as u64);
        for id in &self.removed {
            writer = writer.bytes(id);
        }
        tagged("holdfast/1 commit", &[&writer.finish()])
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commit")
            .field("head", &self.head.hash())
            .field("seq", &self.head.head().seq)
            .field("between", &self.between.len())
            .field("links", &self.links.len())
            .field("envelopes", &self.envelopes.len())
            .field("removed", &self.removed.len())
            .finish()
    }
}

fn ascending<T: Ord>(
    list: &'static str,
    keys: impl IntoIterator<Item = T>,
) -> Result<(), CommitError> {
    crate::layout::strictly_ascending("commit", list, keys)
        .map_err(|_| CommitError::Unsorted { list })
}

#[cfg(test)]
mod tests;
