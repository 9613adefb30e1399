//! Decides where pictures are kept: in a folder or in a bucket, one file each, written whole or not at all.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use object_store::aws::AmazonS3;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::signer::{Method, Signer as _};
use object_store::{Attribute, Attributes, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutOptions};

use super::bucket::{BucketPatience, open_bucket};
use crate::config::{PICTURES_FOLDER, StoragePolicy};
use crate::model::PictureFile;

/// How long one request to the storage may take, with everything that is tried again.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(12);
/// A browser waits for the answer.
const PATIENCE: BucketPatience = BucketPatience {
    request_time_max: REQUEST_TIME_MAX,
    attempt_time_max: Duration::from_secs(5),
    connect_time_max: Duration::from_secs(2),
    retries_max: 2,
};
/// No picture of ours is larger, in bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The storage did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// It answered, or did not answer, with an error.
    #[error("the picture storage: {0}")]
    Failed(#[from] object_store::Error),
    /// It took too long.
    #[error("the picture storage took too long")]
    TimedOut,
    /// A file of the folder cannot be looked at.
    #[error("the picture folder: {0}")]
    Folder(#[from] io::Error),
    /// What was read is not what had been written.
    #[error("the picture storage gave back something else than was written")]
    Altered,
}

/// A file in the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPicture {
    /// Its name.
    pub file: PictureFile,
    /// Its size, in bytes.
    pub bytes: u64,
    /// When it was written, by the storage's clock.
    pub written_at: Timestamp,
}

/// A folder or a bucket of pictures; cheap to clone.
#[derive(Clone, Debug)]
pub struct Storage(Place);

#[derive(Clone, Debug)]
enum Place {
    Disk { files: LocalFileSystem, folder: PathBuf },
    Bucket(AmazonS3),
}

impl Storage {
    /// Opens what the policy says; makes no request yet.
    pub fn open(policy: &StoragePolicy) -> Result<Self, StorageError> {
        Ok(Self(match policy {
            StoragePolicy::Disk { folder } => {
                // Where the program was started; it may change its folder later.
                let folder = std::path::absolute(folder)?.join(PICTURES_FOLDER);
                // What the database refers to has to be there after a power cut, too.
                Place::Disk { files: LocalFileSystem::new().with_fsync(true), folder }
            }
            StoragePolicy::S3(policy) => Place::Bucket(open_bucket(policy, PATIENCE)?),
        }))
    }

    fn store(&self) -> &dyn ObjectStore {
        match &self.0 {
            Place::Disk { files, .. } => files,
            Place::Bucket(bucket) => bucket,
        }
    }

    fn prefix(&self) -> Result<Path, StorageError> {
        Ok(match &self.0 {
            Place::Disk { folder, .. } => Path::from_absolute_path(folder).map_err(object_store::Error::from)?,
            Place::Bucket(_) => Path::from(PICTURES_FOLDER),
        })
    }

    fn path(&self, file: &PictureFile) -> Result<Path, StorageError> {
        Ok(self.prefix()?.join(file.as_str()))
    }

    /// Writes a file; it is there as a whole once this is done, and not at all before.
    pub async fn put(&self, file: &PictureFile, bytes: Bytes) -> Result<(), StorageError> {
        let path = self.path(file)?;
        let options = match &self.0 {
            // A folder keeps no attributes.
            Place::Disk { .. } => PutOptions::default(),
            Place::Bucket(_) => PutOptions { attributes: attributes(), ..PutOptions::default() },
        };
        in_time(self.store().put_opts(&path, bytes.into(), options)).await.map(drop)
    }

    /// Reads a file; `None` when there is none.
    pub async fn get(&self, file: &PictureFile) -> Result<Option<Bytes>, StorageError> {
        let path = self.path(file)?;
        let read = in_time(async {
            let found = self.store().get_opts(&path, GetOptions::default()).await?;
            // Somebody else's file.
            if found.meta.size > FILE_BYTES_MAX { Ok(None) } else { found.bytes().await.map(Some) }
        });
        match read.await {
            Err(StorageError::Failed(object_store::Error::NotFound { .. })) => Ok(None),
            read => read,
        }
    }

    /// Deletes a file; one that is not there is no error.
    pub async fn delete(&self, file: &PictureFile) -> Result<(), StorageError> {
        let path = self.path(file)?;
        match in_time(self.store().delete(&path)).await {
            Err(StorageError::Failed(object_store::Error::NotFound { .. })) => Ok(()),
            deleted => deleted,
        }
    }

    /// All files, in no order that could be relied on. Files with other names are left out.
    pub fn list(&self) -> Result<Listing<'_>, StorageError> {
        let prefix = self.prefix()?;
        Ok(Listing(self.store().list(Some(&prefix))))
    }

    /// A URL by which anybody may read a file for so long; `None` where files are in a folder.
    pub async fn presign(&self, file: &PictureFile, valid_for: Duration) -> Result<Option<String>, StorageError> {
        match &self.0 {
            Place::Disk { .. } => Ok(None),
            Place::Bucket(bucket) => {
                let path = self.path(file)?;
                let url = in_time(bucket.signed_url(Method::GET, &path, valid_for)).await?;
                Ok(Some(url.to_string()))
            }
        }
    }

    /// Takes away what writes left behind that were cut off before `before`; returns how many files those were. A bucket
    /// keeps nothing of such writes.
    pub async fn delete_unfinished(&self, before: Timestamp) -> Result<u64, StorageError> {
        let Place::Disk { folder, .. } = &self.0 else {
            return Ok(0);
        };
        let mut entries = match tokio::fs::read_dir(folder).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        let mut deleted = 0;
        while let Some(entry) = entries.next_entry().await? {
            if !is_unfinished(&entry.file_name().to_string_lossy()) {
                continue;
            }
            let written_at = entry.metadata().await.and_then(|found| found.modified());
            match written_at.map(Timestamp::try_from) {
                Ok(Ok(written_at)) if written_at < before => {
                    deleted += u64::from(tokio::fs::remove_file(entry.path()).await.is_ok());
                }
                // Younger, finished in the meantime, or of a time that is none.
                _ => {}
            }
        }
        Ok(deleted)
    }

    /// Writes a small file, reads it and deletes it, to see whether everything that is needed is allowed.
    pub async fn check(&self) -> Result<(), StorageError> {
        let file = crate::secrets::random_picture_file();
        let written = Bytes::from_static(b"a check of the storage; it may be deleted");
        self.put(&file, written.clone()).await?;
        let read = self.get(&file).await;
        self.delete(&file).await?;
        if read?.as_ref() == Some(&written) { Ok(()) } else { Err(StorageError::Altered) }
    }
}

/// The files of a storage, one after another.
pub struct Listing<'s>(BoxStream<'s, object_store::Result<ObjectMeta>>);

impl Listing<'_> {
    /// The next one; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<StoredPicture>, StorageError> {
        while let Some(meta) = in_time(self.0.try_next()).await? {
            if let Some(picture) = stored(&meta) {
                return Ok(Some(picture));
            }
        }
        Ok(None)
    }
}

/// `<digits>.jpg#<number>`: what a write has its bytes in until it is finished.
fn is_unfinished(name: &str) -> bool {
    name.split_once('#').is_some_and(|(file, number)| {
        file.parse::<PictureFile>().is_ok() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn stored(meta: &ObjectMeta) -> Option<StoredPicture> {
    Some(StoredPicture {
        file: meta.location.filename()?.parse().ok()?,
        bytes: meta.size,
        written_at: Timestamp::from_millisecond(meta.last_modified.timestamp_millis()).ok()?,
    })
}

/// Waits for a request to the storage, but not for ever.
async fn in_time<T>(request: impl Future<Output = object_store::Result<T>>) -> Result<T, StorageError> {
    let answer = tokio::time::timeout(REQUEST_TIME_MAX, request).await.map_err(|_| StorageError::TimedOut)?;
    Ok(answer?)
}

/// What browsers are told that have a file from the bucket itself.
fn attributes() -> Attributes {
    Attributes::from_iter([
        (Attribute::ContentType, "image/jpeg"),
        (Attribute::CacheControl, "public, max-age=31536000, immutable"),
    ])
}
