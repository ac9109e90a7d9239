//! A whole backup, read and held against its manifest.

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use store::backup::{BackupRefused, ChunkRef, GroupBackup, GroupCheck, Manifest, file_hash};
use store::rows::ClusterRow;

use super::archive::Archive;
use super::error::{BackupError, Damage};
use super::find::file_of;
use super::told::{Doing, Told};

/// So many chunks are asked for at once.
const AHEAD: usize = 4;

/// What a backup that was read whole is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What the cluster said of itself.
    pub cluster: ClusterRow,
}

/// Reads every chunk of a backup and every row in it: each under its hash, in order, readable, and all
/// together what the manifest says.
///
/// # Errors
/// [`BackupError::Damaged`] names the file; [`BackupError::Archive`] if one cannot be read at all.
pub async fn check(
    archive: &Archive,
    name: &str,
    manifest: &Manifest,
    tell: &(dyn Fn(Told) + Sync),
) -> Result<Checked, BackupError> {
    let manifest_file = file_of(name);
    let mut system = None;
    for group in &manifest.groups {
        let number = group.meta.group;
        tell(Told::Group { doing: Doing::Check, group: number });
        let damaged =
            |file: &str, source| BackupError::damaged(file, Damage::Rows { group: number, source });
        let mut check = GroupCheck::of(group);
        let mut chunks = chunks(archive, group);
        while let Some((file, bytes)) = chunks.try_next().await? {
            check.chunk(&bytes).map_err(|source| damaged(&file, source))?;
            tell(Told::Bytes(bytes.len() as u64));
        }
        let found = check.finish().map_err(|source| damaged(&manifest_file, source))?;
        let Some(found) = found.filter(|found| found.cluster == manifest.cluster) else {
            let what = Damage::Identity { group: number };
            return Err(BackupError::damaged(&manifest_file, what));
        };
        system = system.or(Some(found));
    }
    let cluster = system.filter(|cluster| cluster.wallet_groups == manifest.wallet_groups);
    let group = types::GroupId::SYSTEM;
    cluster
        .map(|cluster| Checked { cluster })
        .ok_or_else(|| BackupError::damaged(&manifest_file, Damage::Identity { group }))
}

/// The chunks of a group in order, with their files; each has the hash that the manifest names.
pub(super) fn chunks<'a>(
    archive: &'a Archive,
    group: &'a GroupBackup,
) -> impl Stream<Item = Result<(String, Bytes), BackupError>> + Unpin + 'a {
    let number = group.meta.group;
    let read = move |chunk: &'a ChunkRef| async move {
        let file = chunk_file(&chunk.hash);
        let bytes = archive.expect(&file).await?;
        if bytes.len() != chunk.length as usize || file_hash(&bytes) != chunk.hash {
            let what = Damage::Rows { group: number, source: BackupRefused::Hash };
            return Err(BackupError::damaged(&file, what));
        }
        Ok((file, bytes))
    };
    Box::pin(stream::iter(&group.chunks).map(read).buffered(AHEAD))
}

/// The file of a chunk.
pub(super) fn chunk_file(hash: &[u8; 32]) -> String {
    let hex = hex::encode(hash);
    format!("rows/{}/{hex}", &hex[..2])
}
