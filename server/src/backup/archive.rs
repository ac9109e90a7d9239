//! Where backups are kept: a directory, or a bucket that speaks S3.
//!
//! Promises: a file is there whole or not at all; what is written to a directory is synced with it, and a
//! directory that is made here is its owner's alone. Credentials of a bucket come from the environment
//! (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`, …), never from an argument.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig};

use super::error::{BackupError, Damage, UsageError};

/// An archive is asked again for so long when it does not answer.
const RETRY_FOR: Duration = Duration::from_secs(60);

/// An archive. Clones are the same one.
#[derive(Clone)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    /// What stands before every path in a bucket.
    root: Path,
    place: String,
}

/// Whether a file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It was.
    Written,
    /// One of this name is there, and was left as it is.
    Exists,
}

impl Archive {
    /// The archive in `place`, a directory or `s3://BUCKET/PREFIX`, to be read.
    ///
    /// # Errors
    /// [`UsageError::Place`].
    pub fn open(place: &str) -> Result<Archive, UsageError> {
        if let Some(rest) = place.strip_prefix("s3://") {
            return Archive::bucket(place, rest);
        }
        let bad = |reason: &dyn std::fmt::Display| UsageError::Place {
            place: place.to_owned(),
            reason: reason.to_string(),
        };
        if place.contains("://") {
            return Err(bad(&"it is neither a directory nor s3://"));
        }
        let store = LocalFileSystem::new_with_prefix(place).map_err(|error| bad(&error))?;
        let store = Arc::new(store.with_fsync(true));
        Ok(Archive { store, root: Path::default(), place: place.to_owned() })
    }

    /// As [`Archive::open`], to be written: the directory is made if it is not there.
    ///
    /// # Errors
    /// [`UsageError::Place`].
    pub fn create(place: &str) -> Result<Archive, UsageError> {
        if !place.contains("://") {
            DirBuilder::new().recursive(true).mode(0o700).create(place).map_err(|error| {
                UsageError::Place { place: place.to_owned(), reason: error.to_string() }
            })?;
        }
        Archive::open(place)
    }

    fn bucket(place: &str, rest: &str) -> Result<Archive, UsageError> {
        let bad = |reason: String| UsageError::Place { place: place.to_owned(), reason };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(bad("it names no bucket".into()));
        }
        let root = Path::parse(prefix.trim_matches('/')).map_err(|error| bad(error.to_string()))?;
        let retry = RetryConfig { retry_timeout: RETRY_FOR, ..RetryConfig::default() };
        let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
        let store = builder.build().map_err(|error| bad(error.to_string()))?;
        Ok(Archive { store: Arc::new(store), root, place: place.to_owned() })
    }

    /// As it was named.
    pub fn place(&self) -> &str {
        &self.place
    }

    fn path(&self, file: &str) -> Path {
        file.split('/').fold(self.root.clone(), |path, part| path.join(part))
    }

    fn failed(
        &self,
        doing: &'static str,
        file: &str,
    ) -> impl FnOnce(object_store::Error) -> BackupError {
        let (place, file) = (self.place.clone(), file.to_owned());
        move |source| BackupError::Archive { place, doing, file, source: source.into() }
    }

    /// The bytes of a file; none if it is not there.
    pub(super) async fn get(&self, file: &str) -> Result<Option<Bytes>, BackupError> {
        let got = match self.store.get(&self.path(file)).await {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed("read", file)(error)),
        };
        got.bytes().await.map(Some).map_err(self.failed("read", file))
    }

    /// The bytes of a file that must be there.
    pub(super) async fn expect(&self, file: &str) -> Result<Bytes, BackupError> {
        let found = self.get(file).await?;
        found.ok_or_else(|| BackupError::damaged(file, Damage::Missing))
    }

    /// Writes a file in place of whatever is there.
    pub(super) async fn put(&self, file: &str, bytes: Vec<u8>) -> Result<(), BackupError> {
        let put = self.store.put(&self.path(file), PutPayload::from(bytes)).await;
        put.map(drop).map_err(self.failed("write", file))
    }

    /// Writes a file that is not there yet.
    pub(super) async fn put_new(&self, file: &str, bytes: Vec<u8>) -> Result<Put, BackupError> {
        let options = PutOptions::from(PutMode::Create);
        let payload = PutPayload::from(bytes);
        match self.store.put_opts(&self.path(file), payload, options).await {
            Ok(_) => Ok(Put::Written),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Put::Exists),
            Err(error) => Err(self.failed("write", file)(error)),
        }
    }

    /// The names of the files of a folder, sorted; those of folders in it are not among them.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<String>, BackupError> {
        let listed = self.store.list_with_delimiter(Some(&self.path(folder))).await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(object_store::Error::NotFound { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("list", folder)(error)),
        };
        let names = listed.objects.iter().filter_map(|found| found.location.filename());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }
}
