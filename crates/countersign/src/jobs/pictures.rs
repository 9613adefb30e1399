//! Deletion of picture files that no user refers to: replaced or removed ones at once, and those of interrupted uploads
//! once a day, when they are too old to belong to an upload in progress.

use countersign_db::DbError;
use jiff::SignedDuration;

use super::JobError;
use crate::accounts::Accounts;
use crate::media::{StorageError, StoredPicture};
use crate::model::{PictureFile, earlier};
use crate::store;

/// Minimum age of a file to be deleted as unreferenced. Between writing a file and the commit that refers to it there
/// are seconds, plus the difference between the clocks of storage and server.
pub const PICTURE_AGE_MIN: SignedDuration = SignedDuration::from_hours(1);

/// Why a sweep failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepPicturesError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The result of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweptPictures {
    /// Files that users refer to, or that are too young to tell.
    pub kept: u64,
    /// Deleted files.
    pub deleted: u64,
}

impl Accounts {
    /// Deletes files that no user refers to and that are at least `age_min` old. [`PICTURE_AGE_MIN`] is safe.
    pub async fn sweep_pictures(&self, age_min: SignedDuration) -> Result<SweptPictures, SweepPicturesError> {
        let before = earlier(self.clock().now(), age_min);
        let storage = self.storage()?;
        let mut swept = SweptPictures { kept: 0, deleted: storage.delete_unfinished(before).await? };
        let mut files = storage.list()?;
        while let Some(StoredPicture { file, written_at, .. }) = files.next().await? {
            let is_young = written_at > before;
            // One connection per file, so that none is held while waiting for the storage.
            if is_young || store::image_files::is_referenced(self.db().read().await?.conn(), file.as_str()).await? {
                swept.kept += 1;
            } else {
                storage.delete(&file).await?;
                swept.deleted += 1;
            }
        }
        Ok(swept)
    }

    pub(super) async fn delete_picture(&self, file: &PictureFile) -> Result<(), JobError> {
        Ok(self.storage()?.delete(file).await?)
    }

    pub(super) async fn sweep_unreferenced_pictures(&self) -> Result<(), JobError> {
        let swept = self.sweep_pictures(PICTURE_AGE_MIN).await.map_err(|error| JobError::Later(error.to_string()))?;
        if swept.deleted > 0 {
            tracing::info!(
                deleted = swept.deleted,
                kept = swept.kept,
                "files of pictures were deleted that nobody had"
            );
        }
        Ok(())
    }
}

impl From<StorageError> for JobError {
    fn from(error: StorageError) -> Self {
        Self::Later(error.to_string())
    }
}
