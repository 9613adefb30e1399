//! Picture storage: a folder or a bucket with one file per picture, written completely or not at all.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutOptions};

#[cfg(feature = "s3")]
use super::bucket::{BucketPatience, open_bucket};
use crate::config::{PICTURES_FOLDER, StoragePolicy};
use crate::model::PictureFile;

/// Maximum duration of a storage request including its retries.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(12);
#[cfg(feature = "s3")]
/// Short, because a browser waits for the answer.
const PATIENCE: BucketPatience = BucketPatience {
    request_time_max: REQUEST_TIME_MAX,
    attempt_time_max: Duration::from_secs(5),
    connect_time_max: Duration::from_secs(2),
    retries_max: 2,
};
/// Maximum size of a file, in bytes. Ours are smaller.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why the storage failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The storage returned an error or did not answer.
    #[error("the picture storage: {0}")]
    Failed(#[from] object_store::Error),
    /// The request took too long.
    #[error("the picture storage took too long")]
    TimedOut,
    /// A file of the folder cannot be inspected.
    #[error("the picture folder: {0}")]
    Folder(#[from] io::Error),
    /// The bytes read differ from those written.
    #[error("the picture storage gave back something else than was written")]
    Altered,
}

/// A file in the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredPicture {
    /// The name.
    pub file: PictureFile,
    /// The size, in bytes.
    pub bytes: u64,
    /// When it was written, by the storage's clock.
    pub written_at: Timestamp,
}

/// A folder or a bucket of pictures; cheap to clone.
#[derive(Clone, Debug)]
pub struct Storage(Place);

#[derive(Clone, Debug)]
enum Place {
    Disk {
        files: LocalFileSystem,
        folder: PathBuf,
    },
    #[cfg(feature = "s3")]
    Bucket(object_store::aws::AmazonS3),
}

impl Storage {
    /// Opens the configured storage without making a request.
    pub fn open(policy: &StoragePolicy) -> Result<Self, StorageError> {
        Ok(Self(match policy {
            StoragePolicy::Disk { folder } => {
                // Resolved now, because the program may change its working directory later.
                let folder = std::path::absolute(folder)?.join(PICTURES_FOLDER);
                // Files that the database refers to must survive a power cut.
                Place::Disk { files: LocalFileSystem::new().with_fsync(true), folder }
            }
            #[cfg(feature = "s3")]
            StoragePolicy::S3(policy) => Place::Bucket(open_bucket(policy, PATIENCE)?),
        }))
    }

    fn store(&self) -> &dyn ObjectStore {
        match &self.0 {
            Place::Disk { files, .. } => files,
            #[cfg(feature = "s3")]
            Place::Bucket(bucket) => bucket,
        }
    }

    fn prefix(&self) -> Result<Path, StorageError> {
        Ok(match &self.0 {
            Place::Disk { folder, .. } => Path::from_absolute_path(folder).map_err(object_store::Error::from)?,
            #[cfg(feature = "s3")]
            Place::Bucket(_) => Path::from(PICTURES_FOLDER),
        })
    }

    fn path(&self, file: &PictureFile) -> Result<Path, StorageError> {
        Ok(self.prefix()?.join(file.as_str()))
    }

    /// Writes a file. It appears once it is complete, and not before.
    pub async fn put(&self, file: &PictureFile, bytes: Bytes) -> Result<(), StorageError> {
        let path = self.path(file)?;
        let options = match &self.0 {
            // A folder stores no attributes.
            Place::Disk { .. } => PutOptions::default(),
            #[cfg(feature = "s3")]
            Place::Bucket(_) => super::bucket::put_options(),
        };
        in_time(self.store().put_opts(&path, bytes.into(), options)).await.map(drop)
    }

    /// Reads a file, or returns `None` if there is none.
    pub async fn get(&self, file: &PictureFile) -> Result<Option<Bytes>, StorageError> {
        let path = self.path(file)?;
        let read = in_time(async {
            let found = self.store().get_opts(&path, GetOptions::default()).await?;
            // Not a file of ours.
            if found.meta.size > FILE_BYTES_MAX { Ok(None) } else { found.bytes().await.map(Some) }
        });
        match read.await {
            Err(StorageError::Failed(object_store::Error::NotFound { .. })) => Ok(None),
            read => read,
        }
    }

    /// Deletes a file. Succeeds if there is none.
    pub async fn delete(&self, file: &PictureFile) -> Result<(), StorageError> {
        let path = self.path(file)?;
        match in_time(self.store().delete(&path)).await {
            Err(StorageError::Failed(object_store::Error::NotFound { .. })) => Ok(()),
            deleted => deleted,
        }
    }

    /// Lists all files in no particular order. Skips files with other names.
    pub fn list(&self) -> Result<Listing<'_>, StorageError> {
        let prefix = self.prefix()?;
        Ok(Listing(self.store().list(Some(&prefix))))
    }

    #[cfg(feature = "s3")]
    /// Returns a URL by which anybody can read a file for `valid_for`, or `None` if files are in a folder.
    pub async fn presign(&self, file: &PictureFile, valid_for: Duration) -> Result<Option<String>, StorageError> {
        match &self.0 {
            Place::Disk { .. } => Ok(None),
            Place::Bucket(bucket) => {
                use object_store::signer::{Method, Signer as _};
                let path = self.path(file)?;
                let url = in_time(bucket.signed_url(Method::GET, &path, valid_for)).await?;
                Ok(Some(url.to_string()))
            }
        }
    }

    /// Deletes what writes that were interrupted before `before` left behind, and returns how many files that were. A
    /// bucket keeps nothing of such writes.
    pub async fn delete_unfinished(&self, before: Timestamp) -> Result<u64, StorageError> {
        let folder = match &self.0 {
            Place::Disk { folder, .. } => folder,
            #[cfg(feature = "s3")]
            Place::Bucket(_) => return Ok(0),
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
                // Younger, finished meanwhile, or with an invalid time.
                _ => {}
            }
        }
        Ok(deleted)
    }

    /// Writes, reads and deletes a small file to check that the storage grants all permissions that are needed.
    pub async fn check(&self) -> Result<(), StorageError> {
        let file = crate::secrets::random_picture_file();
        let written = Bytes::from_static(b"a check of the storage; it may be deleted");
        self.put(&file, written.clone()).await?;
        let read = self.get(&file).await;
        self.delete(&file).await?;
        if read?.as_ref() == Some(&written) { Ok(()) } else { Err(StorageError::Altered) }
    }
}

/// The files of a storage, fetched one by one.
pub struct Listing<'s>(BoxStream<'s, object_store::Result<ObjectMeta>>);

impl Listing<'_> {
    /// Returns the next file, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<StoredPicture>, StorageError> {
        while let Some(meta) = in_time(self.0.try_next()).await? {
            if let Some(picture) = stored(&meta) {
                return Ok(Some(picture));
            }
        }
        Ok(None)
    }
}

/// Whether this is the temporary name of an unfinished write: `<digits>.jpg#<number>`.
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

/// Waits for a storage request, up to [`REQUEST_TIME_MAX`].
async fn in_time<T>(request: impl Future<Output = object_store::Result<T>>) -> Result<T, StorageError> {
    let answer = tokio::time::timeout(REQUEST_TIME_MAX, request).await.map_err(|_| StorageError::TimedOut)?;
    Ok(answer?)
}
