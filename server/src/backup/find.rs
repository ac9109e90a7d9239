//! The backups of an archive: by name, by time, and whether their manifests can be believed.

use store::backup::{Manifest, SignedFile, SignedKind, file_hash};
use time::OffsetDateTime;

use super::archive::Archive;
use super::error::{BackupError, Damage, Refusal};
use super::trust::Trust;

/// The folder of manifests.
const FOLDER: &str = "backups";
const SUFFIX: &str = ".manifest";

/// A backup whose manifest can be believed. Its rows were not looked at.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// The hash of its manifest's file, by which nodes know it.
    pub hash: [u8; 32],
    /// What it consists of.
    pub manifest: Manifest,
    /// The name of the newest one in the archive.
    pub newest: String,
}

/// A backup in a list.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it consists of; an error if its manifest cannot be believed.
    pub manifest: Result<Manifest, BackupError>,
}

/// The backup of this name, or the newest.
///
/// # Errors
/// There is none, or its manifest is damaged or signed by nobody who is believed.
pub async fn find(
    archive: &Archive,
    trust: &Trust,
    name: Option<&str>,
) -> Result<Found, BackupError> {
    let place = || archive.place().to_owned();
    let names = names(archive).await?;
    let newest = names.last().ok_or_else(|| Refusal::NoBackup { place: place() })?;
    let name = name.map_or(newest.as_str(), |name| name.strip_suffix(SUFFIX).unwrap_or(name));
    if !names.iter().any(|known| known == name) {
        return Err(Refusal::NoSuchBackup { place: place(), name: name.to_owned() }.into());
    }
    let (hash, manifest) = open(archive, trust, name).await?;
    Ok(Found { name: name.to_owned(), hash, manifest, newest: newest.clone() })
}

/// Every backup, oldest first.
///
/// # Errors
/// The archive cannot be read, or holds none.
pub async fn list(archive: &Archive, trust: &Trust) -> Result<Vec<Listed>, BackupError> {
    let names = names(archive).await?;
    if names.is_empty() {
        return Err(Refusal::NoBackup { place: archive.place().to_owned() }.into());
    }
    let mut listed = Vec::with_capacity(names.len());
    for name in names {
        let manifest = open(archive, trust, &name).await.map(|(_, manifest)| manifest);
        listed.push(Listed { name, manifest });
    }
    Ok(listed)
}

/// The names of all backups, oldest first: a name begins with the time.
pub(super) async fn names(archive: &Archive) -> Result<Vec<String>, BackupError> {
    let files = archive.list(FOLDER).await?;
    let names = files.iter().filter_map(|file| file.strip_suffix(SUFFIX));
    Ok(names.map(str::to_owned).collect())
}

/// Reads a manifest: signed by an operator, and under its own name.
pub(super) async fn open(
    archive: &Archive,
    trust: &Trust,
    name: &str,
) -> Result<([u8; 32], Manifest), BackupError> {
    let file = file_of(name);
    let bytes = archive.expect(&file).await?;
    read(trust, name, &bytes).map_err(|what| BackupError::damaged(&file, what))
}

/// As [`open`], of bytes at hand.
pub(super) fn read(
    trust: &Trust,
    name: &str,
    bytes: &[u8],
) -> Result<([u8; 32], Manifest), Damage> {
    let signed = SignedFile::parse(SignedKind::Manifest, bytes)?;
    let manifest = Manifest::parse(signed.content)?;
    trust.verify(&signed, manifest.created_ms)?;
    let hash = file_hash(bytes);
    if name != name_of(manifest.created_ms, &hash) {
        return Err(Damage::Name);
    }
    Ok((hash, manifest))
}

/// The file of a backup.
pub(super) fn file_of(name: &str) -> String {
    format!("{FOLDER}/{name}{SUFFIX}")
}

/// The name of the backup that was begun at this time and whose manifest has this hash.
pub(super) fn name_of(created_ms: u64, hash: &[u8; 32]) -> String {
    format!("{}-{}", time_text(created_ms), hex::encode(&hash[..4]))
}

/// A time in Unix milliseconds as names and sentences have it, in UTC.
pub fn time_text(ms: u64) -> String {
    let at =
        i64::try_from(ms / 1000).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
    let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        ms % 1000
    )
}
