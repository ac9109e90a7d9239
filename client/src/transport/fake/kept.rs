//! What a fake cluster holds of a wallet, and what it shows of it.

use std::collections::BTreeMap;

use proto::v1::{self, pull_reply::Part};
use types::{
    Accepted, Commit, Entries, Entry, Frontier, HeadHash, MemberKind, Membership, RecordId,
    SignedHead, SignedLink, Stored, accept,
};

/// What a pull shows. Tests change it at will.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) head: SignedHead,
    pub(crate) unchanged: bool,
    pub(crate) trail: Vec<SignedHead>,
    pub(crate) links: Vec<SignedLink>,
    pub(crate) head_hashes: Vec<HeadHash>,
    pub(crate) removed: Vec<RecordId>,
    pub(crate) entries: Option<Vec<Entry>>,
    pub(crate) envelopes: Vec<Vec<u8>>,
}

/// One wallet as the cluster holds it.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) heads: Vec<SignedHead>,
    pub(crate) links: Vec<SignedLink>,
    pub(crate) membership: Membership,
    pub(crate) history: Frontier,
    pub(crate) entries: Entries,
    pub(crate) bodies: BTreeMap<RecordId, (u64, Vec<u8>)>,
    pub(super) removed: Vec<(u64, RecordId)>,
}

impl Kept {
    /// Nothing yet.
    pub(super) fn empty(membership: Membership) -> Self {
        Self {
            heads: Vec::new(),
            links: Vec::new(),
            membership,
            history: Frontier::EMPTY,
            entries: Entries::EMPTY,
            bodies: BTreeMap::new(),
            removed: Vec::new(),
        }
    }

    /// A wallet after its first commit, whose signatures nobody looked at.
    pub(crate) fn of_first(commit: &Commit) -> Self {
        let accepted = accept(None, commit).unwrap();
        Self::empty(accepted.membership.clone()).after(commit, accepted)
    }

    pub(super) fn stored(&self) -> Stored<'_> {
        let head = self.heads.last().unwrap();
        Stored {
            head: head.head(),
            head_hash: head.hash(),
            history: &self.history,
            membership: &self.membership,
            entries: &self.entries,
        }
    }

    pub(super) fn after(mut self, commit: &Commit, accepted: Accepted) -> Self {
        let seq = commit.head.head().seq;
        self.heads.push(commit.head);
        self.links.extend(commit.links.iter().cloned());
        for (record, envelope) in accepted.records.iter().zip(&commit.envelopes) {
            self.bodies.insert(record.header.id, (seq, envelope.clone()));
        }
        for id in &commit.removed {
            self.bodies.remove(id);
            self.removed.push((seq, *id));
        }
        self.membership = accepted.membership;
        self.history = accepted.history;
        self.entries = accepted.entries;
        self
    }

    pub(super) fn shown(&self, request: &v1::PullRequest, full: bool) -> Shown {
        let head = *self.heads.last().unwrap();
        let unchanged = head.hash().as_bytes().as_slice() == &request.head[..];
        let held = usize::try_from(request.seq).unwrap();
        let by_device = |head: &SignedHead| {
            let signer = self.membership.member(&head.head().signer).unwrap();
            signer.member.kind() == MemberKind::Device
        };
        // Back to a head that a device signed, or to the caller's.
        let before = self.heads.iter().rev().zip(self.heads.iter().rev().skip(1));
        let trail = before
            .take_while(|(after, before)| !by_device(after) && before.head().seq >= request.seq)
            .map(|(_, before)| *before);
        Shown {
            head,
            unchanged,
            trail: trail.collect(),
            links: self.links.iter().skip(request.links as usize).cloned().collect(),
            head_hashes: self.heads.iter().skip(held).map(SignedHead::hash).collect(),
            removed: self
                .removed
                .iter()
                .filter(|(seq, _)| *seq > request.seq)
                .map(|(_, id)| *id)
                .collect(),
            entries: full.then(|| self.entries.as_slice().to_vec()),
            envelopes: self
                .bodies
                .values()
                .filter(|(seq, _)| *seq > request.seq)
                .map(|(_, envelope)| envelope.clone())
                .collect(),
        }
    }
}

impl Shown {
    pub(super) fn frames(self) -> Vec<v1::PullReply> {
        let start = v1::PullStart {
            head: Some((&self.head).into()),
            unchanged: self.unchanged,
            full: self.entries.is_some(),
        };
        let mut parts = vec![Part::Start(start)];
        if !self.trail.is_empty() {
            parts.push(Part::Trail(v1::HeadTrail {
                heads: self.trail.iter().map(Into::into).collect(),
            }));
        }
        parts.extend(self.links.iter().map(|link| Part::Link(link.into())));
        parts.push(Part::HeadHashes(joined(
            self.head_hashes.iter().map(|hash| hash.as_bytes().to_vec()),
        )));
        match &self.entries {
            Some(entries) => parts.push(Part::Entries(joined(entries.iter().map(Entry::encode)))),
            None => parts
                .push(Part::Removed(joined(self.removed.iter().map(|id| id.as_bytes().to_vec())))),
        }
        parts.extend(self.envelopes.into_iter().map(|envelope| Part::Envelope(envelope.into())));
        parts.push(Part::End(v1::PullEnd { leader: "https://node1:7000".to_owned() }));
        parts.into_iter().map(|part| v1::PullReply { part: Some(part) }).collect()
    }
}

fn joined(items: impl Iterator<Item = Vec<u8>>) -> bytes::Bytes {
    items.flatten().collect::<Vec<u8>>().into()
}
