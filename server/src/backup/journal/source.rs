//! A journal stream as a restore reads it: from the backup's place on, without a gap.

use store::backup::Manifest;
use store::journal::Fact;
use types::{ClusterId, GroupId};

use super::{names, open_reach, open_segment, reach_file, segment_file, wallet_groups};
use crate::backup::archive::Archive;
use crate::backup::error::{BackupError, Damage, Refusal};
use crate::backup::find::time_text;
use crate::backup::told::{Doing, Told};
use crate::backup::trust::Trust;

/// Where a stream is.
pub struct JournalSource {
    archive: Archive,
}

/// How far a stream that was read goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalReach {
    /// Up to when, in Unix milliseconds: what happened later is not in it.
    pub reaches_ms: u64,
    /// How many facts behind the backup's places it has.
    pub facts: u64,
}

/// The part of a stream that goes beyond a backup, verified.
pub(in crate::backup) struct Stream {
    archive: Archive,
    cluster: ClusterId,
    /// By group: place and hash of each segment.
    segments: Vec<(GroupId, Vec<Place>)>,
    pub(in crate::backup) reach: JournalReach,
}

struct Place {
    from: u64,
    next: u64,
    hash: [u8; 32],
}

impl JournalSource {
    /// The stream in this archive.
    pub fn in_archive(archive: Archive) -> JournalSource {
        JournalSource { archive }
    }

    /// Reads the whole stream of the cluster that `manifest` is of, and verifies that it goes from the
    /// backup on to a time after it, every segment following the one before.
    pub(in crate::backup) async fn read(
        &self,
        trust: &Trust,
        manifest: &Manifest,
        tell: &(dyn Fn(Told) + Sync),
    ) -> Result<Stream, BackupError> {
        let (archive, cluster) = (&self.archive, manifest.cluster);
        let too_short =
            |reaches| Refusal::JournalTooShort { place: archive.place().to_owned(), reaches };
        let Some(reach) = open_reach(archive, trust, cluster).await? else {
            return Err(too_short("holds no stream of this cluster".into()).into());
        };
        let until = time_text(reach.created_ms);
        if reach.created_ms < manifest.created_ms {
            return Err(too_short(format!("ends at {until}, before the backup")).into());
        }
        let mut stream = Stream {
            archive: archive.clone(),
            cluster,
            segments: Vec::new(),
            reach: JournalReach { reaches_ms: reach.created_ms, facts: 0 },
        };
        for group in wallet_groups(manifest.groups.len() as u32) {
            tell(Told::Group { doing: Doing::CheckJournal, group });
            let place = manifest.groups.iter().find(|backup| backup.meta.group == group);
            let place = place.map_or(0, |backup| backup.summary.journal_next);
            let told = reach.groups.iter().find(|at| at.group == group);
            let Some(told) = told.filter(|told| told.next >= place) else {
                return Err(too_short(format!("ends before the backup in group {group}")).into());
            };
            let segments = stream.read_group(trust, group, place, (told.next, told.last)).await?;
            stream.segments.push((group, segments));
        }
        Ok(stream)
    }
}

impl Stream {
    /// The segments of a group that go beyond `place`, after all of them were read; `told` must be
    /// where one of them ends.
    async fn read_group(
        &mut self,
        trust: &Trust,
        group: GroupId,
        place: u64,
        told: (u64, [u8; 32]),
    ) -> Result<Vec<Place>, BackupError> {
        let (archive, cluster) = (&self.archive, self.cluster);
        let file = |(from, next)| segment_file(cluster, group, from, next);
        let mut beyond = Vec::new();
        let mut before: Option<((u64, u64), [u8; 32])> = None;
        let mut reached = told.0 == 0;
        for at in names(archive, cluster, group).await? {
            let (hash, segment) = open_segment(archive, trust, cluster, group, at).await?;
            let follows = match before {
                None => segment.from <= place,
                Some((last, hash)) => segment.from == last.1 && segment.before == hash,
            };
            if !follows {
                let before = before.map_or_else(|| reach_file(cluster), |(last, _)| file(last));
                return Err(BackupError::damaged(&file(at), Damage::Chain { before }));
            }
            let unreadable = |source| BackupError::damaged(&file(at), Damage::Fact(source));
            for fact in &segment.facts {
                Fact::decode(fact).map_err(unreadable)?;
            }
            reached |= (segment.next, hash) == told;
            if segment.next > place {
                self.reach.facts += segment.facts.len() as u64;
                beyond.push(Place { from: segment.from, next: segment.next, hash });
            }
            before = Some((at, hash));
        }
        if reached {
            return Ok(beyond);
        }
        Err(BackupError::damaged(&reach_file(cluster), Damage::Ends { told: told.0 }))
    }

    /// The facts of one group, segment by segment, as they were verified.
    pub(in crate::backup) async fn facts(
        &self,
        trust: &Trust,
        group: GroupId,
    ) -> Result<Vec<Vec<u8>>, BackupError> {
        let mut facts = Vec::new();
        let places = self.segments.iter().filter(|(of, _)| *of == group).flat_map(|(_, all)| all);
        for place in places {
            let at = (place.from, place.next);
            let (hash, segment) =
                open_segment(&self.archive, trust, self.cluster, group, at).await?;
            if hash != place.hash {
                let file = segment_file(self.cluster, group, at.0, at.1);
                return Err(BackupError::damaged(&file, Damage::Name));
            }
            facts.extend(segment.facts);
        }
        Ok(facts)
    }
}
