//! The journal stream beside the backups: what must never go back, as it happens.
//!
//! A [`Follower`] asks each wallet group for the facts behind the last one kept and appends them as
//! signed segments, each naming the one before it; then it says, signed too, how far it has come. A
//! restore reads the stream through [`JournalSource`], whole and before it writes anything.

use proto::admin::{JournalReply, JournalRequest};
use store::backup::{GroupReach, Reach, Segment, SignedFile, SignedKind, file_hash};
use types::{ClusterId, GroupId};

use super::archive::{Archive, Put};
use super::error::{BackupError, Damage, Refusal};
use super::nodes::{Nodes, Shape};
use super::trust::{Signer, Trust};

mod source;

pub(super) use source::Stream;
pub use source::{JournalReach, JournalSource};

const SUFFIX: &str = ".facts";

/// Appends to the stream of one cluster. One follower at a time writes a stream.
pub struct Follower {
    archive: Archive,
    shape: Shape,
    tails: Vec<GroupReach>,
}

/// What one round brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Facts that were kept.
    pub facts: u64,
    /// Segments that were written.
    pub segments: u64,
    /// Up to when the stream now goes, in Unix milliseconds.
    pub reaches_ms: u64,
}

impl Follower {
    /// Goes on where the stream of this cluster in `archive` ends, or begins it.
    ///
    /// # Errors
    /// There is no cluster, or the end of the stream is not what its reach says.
    pub async fn open(
        archive: &Archive,
        nodes: &Nodes,
        trust: &Trust,
    ) -> Result<Follower, BackupError> {
        let shape = nodes.shape().await?;
        let reach = open_reach(archive, trust, shape.cluster).await?;
        let mut tails = Vec::new();
        for group in wallet_groups(shape.groups) {
            let told = reach.iter().flat_map(|reach| &reach.groups).find(|at| at.group == group);
            tails.push(tail(archive, trust, shape.cluster, group, told).await?);
        }
        Ok(Follower { archive: archive.clone(), shape, tails })
    }

    /// Appends what happened since, and says how far the stream goes.
    ///
    /// # Errors
    /// A group cannot be asked, the archive cannot be written, or somebody else writes the stream too.
    pub async fn advance(
        &mut self,
        nodes: &Nodes,
        signer: &Signer,
    ) -> Result<Followed, BackupError> {
        let mut followed = Followed { reaches_ms: super::now_ms(), ..Followed::default() };
        for number in 0..self.tails.len() {
            while self.advance_group(number, nodes, signer, &mut followed).await? {}
        }
        let reach = Reach {
            cluster: self.shape.cluster,
            created_ms: followed.reaches_ms,
            groups: self.tails.clone(),
        };
        let file = reach_file(self.shape.cluster);
        let signed = signer.sign(SignedKind::Reach, &reach.encode());
        let signed = signed.map_err(|what| BackupError::damaged(&file, what))?;
        self.archive.put(&file, signed).await?;
        Ok(followed)
    }

    /// One page of one group; whether there is more.
    async fn advance_group(
        &mut self,
        number: usize,
        nodes: &Nodes,
        signer: &Signer,
        followed: &mut Followed,
    ) -> Result<bool, BackupError> {
        let Some(tail) = self.tails.get_mut(number) else { return Ok(false) };
        let (cluster, group, from) = (self.shape.cluster, tail.group, tail.next);
        let request = JournalRequest { group: group.0, from };
        let reply: JournalReply =
            nodes.ask(request, async |mut node, request| node.journal(request).await).await?;
        let found = ClusterId::parse(&reply.cluster).unwrap_or(ClusterId::ZERO);
        if found != cluster {
            let endpoint = nodes.endpoints().join(", ");
            return Err(Refusal::OtherCluster { endpoint, found, expected: cluster }.into());
        }
        if reply.next <= from {
            return Ok(false);
        }
        let (facts, created_ms) = (reply.facts.len() as u64, followed.reaches_ms);
        let (next, before) = (reply.next, tail.last);
        let segment =
            Segment { cluster, group, from, next, before, created_ms, facts: reply.facts };
        let file = segment_file(cluster, group, from, next);
        let signed = signer.sign(SignedKind::Segment, &segment.encode());
        let signed = signed.map_err(|what| BackupError::damaged(&file, what))?;
        let last = file_hash(&signed);
        if self.archive.put_new(&file, signed).await? == Put::Exists {
            return Err(Refusal::OtherFollower { file }.into());
        }
        *tail = GroupReach { group, next, last };
        followed.facts += facts;
        followed.segments += 1;
        Ok(reply.more)
    }
}

/// Where the stream of a group ends. What was told of it must be there; a follower that was killed
/// between a segment and its reach has told less.
async fn tail(
    archive: &Archive,
    trust: &Trust,
    cluster: ClusterId,
    group: GroupId,
    told: Option<&GroupReach>,
) -> Result<GroupReach, BackupError> {
    let told = told.copied().unwrap_or(GroupReach { group, next: 0, last: [0; 32] });
    let segments = names(archive, cluster, group).await?;
    let Some(&(from, next)) = segments.last() else {
        if told.next > 0 {
            let what = Damage::Missing;
            return Err(BackupError::damaged(&folder(cluster, group), what));
        }
        return Ok(told);
    };
    let file = segment_file(cluster, group, from, next);
    if next < told.next {
        return Err(BackupError::damaged(&file, Damage::Ends { told: told.next }));
    }
    let (last, _) = open_segment(archive, trust, cluster, group, (from, next)).await?;
    if next == told.next && last != told.last {
        return Err(BackupError::damaged(&file, Damage::Chain { before: reach_file(cluster) }));
    }
    Ok(GroupReach { group, next, last })
}

/// The groups that have a journal.
fn wallet_groups(groups: u32) -> impl Iterator<Item = GroupId> {
    (GroupId::FIRST_WALLET.0..groups).map(GroupId)
}

/// How far the stream of a cluster says that it goes; none if there is no stream.
async fn open_reach(
    archive: &Archive,
    trust: &Trust,
    cluster: ClusterId,
) -> Result<Option<Reach>, BackupError> {
    let file = reach_file(cluster);
    let Some(bytes) = archive.get(&file).await? else { return Ok(None) };
    let read = || {
        let signed = SignedFile::parse(SignedKind::Reach, &bytes)?;
        let reach = Reach::parse(signed.content)?;
        trust.verify(&signed, reach.created_ms)?;
        expect_cluster(reach.cluster, cluster)?;
        Ok(reach)
    };
    read().map(Some).map_err(|what| BackupError::damaged(&file, what))
}

/// Reads a segment: signed by an operator, of this place in this stream. Gives the hash of its file.
async fn open_segment(
    archive: &Archive,
    trust: &Trust,
    cluster: ClusterId,
    group: GroupId,
    (from, next): (u64, u64),
) -> Result<([u8; 32], Segment), BackupError> {
    let file = segment_file(cluster, group, from, next);
    let bytes = archive.expect(&file).await?;
    let read = || {
        let signed = SignedFile::parse(SignedKind::Segment, &bytes)?;
        let segment = Segment::parse(signed.content)?;
        trust.verify(&signed, segment.created_ms)?;
        expect_cluster(segment.cluster, cluster)?;
        if (segment.group, segment.from, segment.next) != (group, from, next) {
            return Err(Damage::Name);
        }
        Ok((file_hash(&bytes), segment))
    };
    read().map_err(|what| BackupError::damaged(&file, what))
}

fn expect_cluster(found: ClusterId, expected: ClusterId) -> Result<(), Damage> {
    if found == expected { Ok(()) } else { Err(Damage::Cluster { found, expected }) }
}

/// From where to where the segments of a group go, by their names, in order.
async fn names(
    archive: &Archive,
    cluster: ClusterId,
    group: GroupId,
) -> Result<Vec<(u64, u64)>, BackupError> {
    let folder = folder(cluster, group);
    let files = archive.list(&folder).await?;
    let segments = files.iter().filter(|file| file.ends_with(SUFFIX)).map(|file| {
        let places = file.strip_suffix(SUFFIX).and_then(|name| name.split_once('-'));
        let places = places.and_then(|(from, next)| Some((from.parse().ok()?, next.parse().ok()?)));
        places
            .filter(|&(from, next)| segment_file(cluster, group, from, next).ends_with(file))
            .ok_or_else(|| BackupError::damaged(&format!("{folder}/{file}"), Damage::Name))
    });
    segments.collect()
}

fn folder(cluster: ClusterId, group: GroupId) -> String {
    format!("journal/{cluster}/{group}")
}

pub(super) fn segment_file(cluster: ClusterId, group: GroupId, from: u64, next: u64) -> String {
    format!("{}/{from:020}-{next:020}{SUFFIX}", folder(cluster, group))
}

pub(super) fn reach_file(cluster: ClusterId) -> String {
    format!("journal/{cluster}/reach")
}
