//! Deletion of files that no user has: at once those that were replaced or removed, once a day those that were left by
//! uploads that were cut off, when they are old enough not to be on their way to a user.

use countersign_db::DbError;
use jiff::SignedDuration;

use super::JobError;
use crate::accounts::Accounts;
use crate::media::{StorageError, StoredPicture};
use crate::model::{PictureFile, earlier};
use crate::store;

/// How old a file has to be that is taken for nobody's. Between writing it and the commit that refers to it there are
/// seconds, as far as the clocks of storage and server agree.
pub const PICTURE_AGE_MIN: SignedDuration = SignedDuration::from_hours(1);

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
pub enum SweepPicturesError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweptPictures {
    /// Files that users refer to, or that are too young to tell.
    pub kept: u64,
    /// Files that were deleted.
    pub deleted: u64,
}

impl Accounts {
    /// Deletes the files of the storage that no user refers to and that are at least so old; [`PICTURE_AGE_MIN`] is safe.
    pub async fn sweep_pictures(&self, age_min: SignedDuration) -> Result<SweptPictures, SweepPicturesError> {
        let before = earlier(self.clock().now(), age_min);
        let storage = self.storage()?;
        let mut swept = SweptPictures { kept: 0, deleted: storage.delete_unfinished(before).await? };
        let mut files = storage.list()?;
        while let Some(StoredPicture { file, written_at, .. }) = files.next().await? {
            let is_young = written_at > before;
            // A connection for each file, so that none is held while the storage is waited for.
            if is_young || store::image_files::is_somebodys(self.db().read().await?.conn(), file.as_str()).await? {
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

    pub(super) async fn sweep_nobodys_pictures(&self) -> Result<(), JobError> {
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
