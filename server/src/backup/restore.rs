//! A backup being brought into a fresh cluster.
//!
//! First everything is read and verified: manifest, chunks, rows, the journal stream; then the cluster is
//! looked at; only then the first write. From then on every step may be repeated: a restore that was
//! interrupted goes on where it stopped when the same command is given again, and until it is finished
//! the groups are closed to everybody.

use futures::{StreamExt, TryStreamExt, stream};
use proto::admin::restore_request::Step;
use proto::admin::{
    RestoreBegin, RestoreFacts, RestoreFinish, RestoreReply, RestoreRequest, RestoreRows,
};
use store::backup::{GroupBackup, GroupExport, chunk};
use types::GroupId;

use super::archive::Archive;
use super::check::{check, chunks};
use super::error::{BackupError, Damage, Refusal};
use super::find::{Found, file_of, time_text};
use super::journal::{JournalReach, JournalSource, Stream};
use super::nodes::{Nodes, new_request_id};
use super::take::Frames;
use super::told::{Doing, Told};
use super::trust::Trust;

/// A step of rows or facts is sent when it has this many bytes.
const STEP: usize = 1 << 20;
/// So many groups are restored at once.
const AT_ONCE: usize = 4;

/// Where a restore takes its journal from.
pub enum RestoreOptions {
    /// This stream, which must go beyond the backup.
    With(JournalSource),
    /// None: what happened after the backup is given up.
    WithoutJournal,
    /// None, and that is not accepted.
    Unsaid,
}

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Rows of the backup that the cluster now holds.
    pub rows: u64,
    /// Wallets.
    pub wallets: u64,
    /// What the journal brought; none without it.
    pub journal: Option<JournalReach>,
}

/// A backup of which everything was read and believed, and the journal with it.
pub(super) struct Verified<'a> {
    archive: &'a Archive,
    found: &'a Found,
    trust: &'a Trust,
    /// The regions of the cluster that was backed up.
    regions: Vec<u8>,
    stream: Option<Stream>,
}

/// Brings a backup into the cluster of `nodes`, which must be bootstrapped, hold no wallets and have as
/// many wallet groups and the same regions.
///
/// # Errors
/// Whatever is not as it should be; nothing was written then, unless a node said no or went away in the
/// middle: the same call goes on.
pub async fn restore(
    archive: &Archive,
    found: &Found,
    options: &RestoreOptions,
    trust: &Trust,
    nodes: &Nodes,
    tell: &(dyn Fn(Told) + Sync),
) -> Result<Restored, BackupError> {
    Verified::read(archive, found, options, trust, tell).await?.bring(nodes, tell).await
}

impl<'a> Verified<'a> {
    /// Reads everything and writes nothing.
    pub(super) async fn read(
        archive: &'a Archive,
        found: &'a Found,
        options: &RestoreOptions,
        trust: &'a Trust,
        tell: &(dyn Fn(Told) + Sync),
    ) -> Result<Self, BackupError> {
        let manifest = &found.manifest;
        if matches!(options, RestoreOptions::Unsaid) {
            let since = time_text(manifest.created_ms);
            return Err(Refusal::NoJournal { since }.into());
        }
        let checked = check(archive, &found.name, manifest, tell).await?;
        let stream = match options {
            RestoreOptions::With(source) => Some(source.read(trust, manifest, tell).await?),
            _ => None,
        };
        Ok(Verified { archive, found, trust, regions: checked.cluster.regions, stream })
    }

    /// Brings it into a fresh cluster.
    pub(super) async fn bring(
        &self,
        nodes: &Nodes,
        tell: &(dyn Fn(Told) + Sync),
    ) -> Result<Restored, BackupError> {
        fits(nodes, self.found, &self.regions).await?;
        let restoring = Restoring { verified: self, nodes, tell };
        let groups: Vec<&GroupBackup> = restored_groups(self.found).collect();
        for group in &groups {
            restoring.step(group.meta.group, Step::Begin(RestoreBegin {})).await?;
        }
        stream::iter(groups.into_iter().map(|group| restoring.group(group)))
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(Restored {
            rows: restored_groups(self.found).map(|group| group.summary.restored_rows).sum(),
            wallets: self.found.manifest.wallets(),
            journal: self.stream.as_ref().map(|stream| stream.reach),
        })
    }
}

/// The groups that a restore brings: all but the system's, which is the new cluster's own.
pub(super) fn restored_groups(found: &Found) -> impl Iterator<Item = &GroupBackup> {
    found.manifest.groups.iter().filter(|group| group.meta.group != GroupId::SYSTEM)
}

/// Whether the backup can be brought into this cluster, as far as that can be known before it is tried.
async fn fits(nodes: &Nodes, found: &Found, regions: &[u8]) -> Result<(), BackupError> {
    let shape = nodes.shape().await?;
    let say =
        |groups, regions: &[u8]| format!("{groups} wallet groups and the regions {regions:?}");
    let backup = say(found.manifest.wallet_groups, regions);
    let system = look(nodes, GroupId::SYSTEM).await?;
    let target = say(shape.wallet_groups(), &system.regions);
    if backup != target {
        return Err(Refusal::OtherShape { backup, target }.into());
    }
    for group in (GroupId::FIRST_WALLET.0..shape.groups).map(GroupId) {
        match look(nodes, group).await {
            Ok(seen) if seen.wallets && seen.restored_from != Some(found.hash) => {
                return Err(Refusal::NotEmpty { group }.into());
            }
            Ok(_) => {}
            // Begun, and not finished: whether it is this backup is for the group to say.
            Err(error) if error.is_restoring() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a group of the target is before anything is written.
struct Seen {
    regions: Vec<u8>,
    wallets: bool,
    /// The backup that was restored into it, wholly.
    restored_from: Option<[u8; 32]>,
}

async fn look(nodes: &Nodes, group: GroupId) -> Result<Seen, BackupError> {
    let (export, endpoint) = read_export(nodes, GroupExport::of(group), group).await?;
    let (wallets, restored_from) = (export.holds_wallets(), export.restored_from());
    let finished = export.finish();
    let (_, _, cluster) =
        finished.map_err(|source| BackupError::Export { endpoint, group, source })?;
    let regions = cluster.map(|cluster| cluster.regions).unwrap_or_default();
    Ok(Seen { regions, wallets, restored_from })
}

/// Reads a whole export of a group, from the first node that gives one.
pub(super) async fn read_export(
    nodes: &Nodes,
    mut export: GroupExport,
    group: GroupId,
) -> Result<(GroupExport, String), BackupError> {
    let endpoint = nodes.answering().await?;
    let mut frames = Frames::ask(nodes, &endpoint, group).await?;
    while let Some(frame) = frames.next().await? {
        export.frame(&frame).map_err(|source| BackupError::Export {
            endpoint: endpoint.clone(),
            group,
            source,
        })?;
    }
    Ok((export, endpoint))
}

/// One restore under way.
struct Restoring<'a> {
    verified: &'a Verified<'a>,
    nodes: &'a Nodes,
    tell: &'a (dyn Fn(Told) + Sync),
}

impl Restoring<'_> {
    async fn step(&self, group: GroupId, step: Step) -> Result<RestoreReply, BackupError> {
        let request = RestoreRequest {
            group: group.0,
            request_id: new_request_id(),
            backup: self.verified.found.hash.to_vec(),
            step: Some(step),
        };
        self.nodes.ask(request, async |mut node, request| node.restore(request).await).await
    }

    async fn group(&self, backup: &GroupBackup) -> Result<(), BackupError> {
        let group = backup.meta.group;
        (self.tell)(Told::Group { doing: Doing::Restore, group });
        let begun = self.step(group, Step::Begin(RestoreBegin {})).await?;
        if begun.finished {
            return Ok(());
        }
        self.rows(backup, begun.rows).await?;
        if let Some(stream) = &self.verified.stream {
            for facts in batches(stream.facts(self.verified.trust, group).await?) {
                self.step(group, Step::Facts(RestoreFacts { facts })).await?;
            }
        }
        let (rows, digest) = (backup.summary.restored_rows, backup.summary.restored.to_bytes());
        let finish = RestoreFinish { rows, digest: digest.to_vec() };
        self.step(group, Step::Finish(finish)).await?;
        Ok(())
    }

    /// Sends the rows of a group behind the first `there`, which the cluster has.
    async fn rows(&self, backup: &GroupBackup, there: u64) -> Result<(), BackupError> {
        let group = backup.meta.group;
        let mut chunks = chunks(self.verified.archive, backup);
        let (mut first, mut next, mut rows) = (there, 0, Vec::new());
        while let Some((file, bytes)) = chunks.try_next().await? {
            let unreadable = |what| BackupError::damaged(&file, Damage::Layout(what));
            for (key, row) in chunk::read_keyed(&bytes).map_err(unreadable)? {
                if !key.is_restored() {
                    continue;
                }
                next += 1;
                if next <= there {
                    continue;
                }
                chunk::push_row(&mut rows, row);
                if rows.len() >= STEP {
                    first = self.send(group, first, &mut rows, next).await?;
                }
            }
        }
        if !rows.is_empty() {
            self.send(group, first, &mut rows, next).await?;
        }
        if next == backup.summary.restored_rows {
            return Ok(());
        }
        let what = Damage::Rows { group, source: store::backup::BackupRefused::Count };
        Err(BackupError::damaged(&file_of(&self.verified.found.name), what))
    }

    async fn send(
        &self,
        group: GroupId,
        first: u64,
        rows: &mut Vec<u8>,
        next: u64,
    ) -> Result<u64, BackupError> {
        let rows = std::mem::take(rows);
        let length = rows.len() as u64;
        self.step(group, Step::Rows(RestoreRows { first, rows })).await?;
        (self.tell)(Told::Bytes(length));
        Ok(next)
    }
}

/// Facts in steps of about [`STEP`] bytes.
fn batches(facts: Vec<Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let mut batches = Vec::new();
    let (mut batch, mut length) = (Vec::new(), 0);
    for fact in facts {
        length += fact.len();
        batch.push(fact);
        if length >= STEP {
            batches.push(std::mem::take(&mut batch));
            length = 0;
        }
    }
    batches.extend((!batch.is_empty()).then_some(batch));
    batches
}
