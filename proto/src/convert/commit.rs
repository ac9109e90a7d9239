//! Commits.

use types::{Commit, HeadHash, RecordId, SignedHead, SignedLink};

use super::ConvertError;
use crate::v1;

impl From<&Commit> for v1::Commit {
    fn from(commit: &Commit) -> Self {
        Self {
            head: Some((&commit.head).into()),
            between: commit.between.iter().map(|hash| hash.as_bytes().to_vec().into()).collect(),
            links: commit.links.iter().map(Into::into).collect(),
            envelopes: commit.envelopes.iter().map(|envelope| envelope.clone().into()).collect(),
            removed: commit.removed.iter().map(|id| id.as_bytes().to_vec().into()).collect(),
        }
    }
}

impl TryFrom<&v1::Commit> for Commit {
    type Error = ConvertError;

    /// Parses every part. Order and sizes of the lists are left to [`Commit::check_shape`].
    fn try_from(commit: &v1::Commit) -> Result<Self, ConvertError> {
        let missing = ConvertError::Missing { message: "the commit", field: "head" };
        let head = SignedHead::try_from(commit.head.as_ref().ok_or(missing)?)?;
        let between = commit.between.iter().enumerate().map(|(at, hash)| {
            HeadHash::parse(hash).map_err(ConvertError::format("head hash between", at))
        });
        let removed = commit.removed.iter().enumerate().map(|(at, id)| {
            RecordId::parse(id).map_err(ConvertError::format("removed record id", at))
        });
        Ok(Self {
            head,
            between: between.collect::<Result<_, _>>()?,
            links: commit.links.iter().map(SignedLink::try_from).collect::<Result<_, _>>()?,
            envelopes: commit.envelopes.iter().map(|envelope| envelope.to_vec()).collect(),
            removed: removed.collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests;
