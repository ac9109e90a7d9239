//! A backup being taken: exports into chunks, everything read back, and then the manifest.

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use proto::admin::ExportRequest;
use std::time::{Duration, Instant};
use store::backup::chunk::Chunk;
use store::backup::{GroupBackup, GroupExport, Manifest, SignedKind, file_hash};
use types::GroupId;

use super::archive::{Archive, Put};
use super::check::{check, chunk_file};
use super::error::{BackupError, Damage, Refusal};
use super::find::{self, file_of, name_of};
use super::nodes::{Nodes, Shape};
use super::told::{Doing, Told};
use super::trust::{Signer, Trust};

/// So many chunks are written at once.
const AT_ONCE: usize = 4;
/// The next frame of an export comes within this, or the node is given up.
const FRAME_WITHIN: Duration = Duration::from_secs(60);
/// A group is exported anew for so long when nodes come and go.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// A backup that was taken, and read back.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its name.
    pub name: String,
    /// The hash of its manifest's file, by which nodes know it.
    pub hash: [u8; 32],
    /// What it consists of.
    pub manifest: Manifest,
    /// What was written for it.
    pub written: Written,
}

/// Chunks that were written, and those that were there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many chunks were written.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many chunks an earlier backup had written.
    pub shared_chunks: u64,
    /// Their bytes.
    pub shared_bytes: u64,
}

/// Takes a backup of the whole cluster: every group as of one moment of its own that is not before the
/// call.
///
/// # Errors
/// There is no cluster, a group cannot be exported whole, or the archive does not give back what was
/// written. No manifest is written then.
pub async fn take(
    archive: &Archive,
    nodes: &Nodes,
    signer: &Signer,
    trust: &Trust,
    tell: &(dyn Fn(Told) + Sync),
) -> Result<Taken, BackupError> {
    let shape = nodes.shape().await?;
    let created_ms = super::now_ms();
    let before = before(archive, trust, shape, tell).await?;
    let mut written = Written::default();
    let mut groups = Vec::new();
    for number in 0..shape.groups {
        let group = GroupId(number);
        tell(Told::Group { doing: Doing::Export, group });
        groups.push(export(archive, nodes, shape, group, &mut written, tell).await?);
    }
    let manifest = Manifest {
        cluster: shape.cluster,
        created_ms,
        before,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        wallet_groups: shape.wallet_groups(),
        groups,
    };
    let (name, hash) = seal(archive, signer, trust, &manifest, tell).await?;
    Ok(Taken { name, hash, manifest, written })
}

/// Reads back everything that a manifest names, and then writes it, signed. Gives name and hash.
pub(super) async fn seal(
    archive: &Archive,
    signer: &Signer,
    trust: &Trust,
    manifest: &Manifest,
    tell: &(dyn Fn(Told) + Sync),
) -> Result<(String, [u8; 32]), BackupError> {
    let content = manifest.encode();
    let wrong = |what| BackupError::damaged("the new manifest", what);
    let file = signer.sign(SignedKind::Manifest, &content).map_err(wrong)?;
    let hash = file_hash(&file);
    let name = name_of(manifest.created_ms, &hash);
    let path = file_of(&name);
    find::read(trust, &name, &file).map_err(|what| BackupError::damaged(&path, what))?;
    check(archive, &name, manifest, tell).await?;
    if archive.put_new(&path, file).await? == Put::Exists {
        return Err(BackupError::damaged(&path, Damage::Name));
    }
    let (_, read) = find::open(archive, trust, &name).await?;
    if read != *manifest {
        return Err(BackupError::damaged(&path, Damage::Signature));
    }
    Ok((name, hash))
}

/// The hash of the newest manifest of this cluster that can be believed; 0 if there is none.
async fn before(
    archive: &Archive,
    trust: &Trust,
    shape: Shape,
    tell: &(dyn Fn(Told) + Sync),
) -> Result<[u8; 32], BackupError> {
    for name in find::names(archive).await?.iter().rev() {
        match find::open(archive, trust, name).await {
            Ok((hash, manifest)) if manifest.cluster == shape.cluster => return Ok(hash),
            Ok(_) => {}
            Err(BackupError::Damaged { file, what }) => {
                tell(Told::Note(format!("an earlier backup is of no use: {file}: {what}")));
            }
            Err(error) => return Err(error),
        }
    }
    Ok([0; 32])
}

/// Exports a group from one node after the other until one has given all of it.
async fn export(
    archive: &Archive,
    nodes: &Nodes,
    shape: Shape,
    group: GroupId,
    written: &mut Written,
    tell: &(dyn Fn(Told) + Sync),
) -> Result<GroupBackup, BackupError> {
    let begun = Instant::now();
    loop {
        for endpoint in nodes.endpoints() {
            match export_from(archive, nodes, shape, group, endpoint, written, tell).await {
                Err(error) if error.is_passing() && begun.elapsed() < PATIENCE => {
                    tell(Told::Note(format!("{error}; asking another node")));
                }
                done => return done,
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn export_from(
    archive: &Archive,
    nodes: &Nodes,
    shape: Shape,
    group: GroupId,
    endpoint: &str,
    written: &mut Written,
    tell: &(dyn Fn(Told) + Sync),
) -> Result<GroupBackup, BackupError> {
    let refused = |source| {
        let endpoint = endpoint.to_owned();
        BackupError::Export { endpoint, group, source }
    };
    let mut frames = Frames::ask(nodes, endpoint, group).await?;
    let mut export = GroupExport::of(group);
    let mut writing = FuturesUnordered::new();
    while let Some(frame) = frames.next().await? {
        for chunk in export.frame(&frame).map_err(refused)? {
            writing.push(keep(archive, chunk));
        }
        while writing.len() >= AT_ONCE {
            count(writing.next().await, written, tell)?;
        }
    }
    let (last, backup, cluster) = export.finish().map_err(refused)?;
    writing.extend(last.map(|chunk| keep(archive, chunk)));
    while !writing.is_empty() {
        count(writing.next().await, written, tell)?;
    }
    let expected = shape.cluster;
    match cluster {
        Some(row) if row.cluster == expected && row.wallet_groups == shape.wallet_groups() => {
            Ok(backup)
        }
        Some(row) => {
            let (endpoint, found) = (endpoint.to_owned(), row.cluster);
            Err(Refusal::OtherCluster { endpoint, found, expected }.into())
        }
        None => Err(Refusal::NoCluster.into()),
    }
}

fn count(
    kept: Option<Result<(u64, Put), BackupError>>,
    written: &mut Written,
    tell: &(dyn Fn(Told) + Sync),
) -> Result<(), BackupError> {
    let Some(kept) = kept else { return Ok(()) };
    let (bytes, put) = kept?;
    let (chunks, sum) = match put {
        Put::Written => (&mut written.chunks, &mut written.bytes),
        Put::Exists => (&mut written.shared_chunks, &mut written.shared_bytes),
    };
    *chunks += 1;
    *sum += bytes;
    tell(Told::Bytes(bytes));
    Ok(())
}

/// Sees to it that the archive has a chunk: one that is there is read, and written anew if it is damaged.
pub(super) async fn keep(archive: &Archive, chunk: Chunk) -> Result<(u64, Put), BackupError> {
    let file = chunk_file(&chunk.name.hash);
    let length = u64::from(chunk.name.length);
    if archive.get(&file).await?.is_some_and(|found| found == chunk.bytes) {
        return Ok((length, Put::Exists));
    }
    archive.put(&file, chunk.bytes).await?;
    Ok((length, Put::Written))
}

/// The frames of an export as they come.
pub(super) struct Frames {
    endpoint: String,
    stream: tonic::Streaming<proto::admin::ExportFrame>,
}

impl Frames {
    pub(super) async fn ask(
        nodes: &Nodes,
        endpoint: &str,
        group: GroupId,
    ) -> Result<Frames, BackupError> {
        let request = ExportRequest { group: group.0 };
        let call = async |mut node: proto::admin::admin_client::AdminClient<_>, request| {
            node.export(request).await
        };
        let stream = nodes.ask_at(endpoint, request, call).await?;
        Ok(Frames { endpoint: endpoint.to_owned(), stream })
    }

    /// The next frame; none after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BackupError> {
        let failed = |status: tonic::Status| BackupError::Node {
            endpoint: self.endpoint.clone(),
            status: status.into(),
        };
        let next = tokio::time::timeout(FRAME_WITHIN, self.stream.message()).await;
        let next = next
            .map_err(|_| failed(tonic::Status::deadline_exceeded("the export stopped half-way")))?;
        Ok(next.map_err(failed)?.map(|frame| frame.frame.into()))
    }
}
