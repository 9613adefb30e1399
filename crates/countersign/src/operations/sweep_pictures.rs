//! Decides which files of the storage are nobody's: those that no user refers to, once they are old enough not to be on
//! their way to one.

use countersign_db::DbError;
use jiff::{SignedDuration, Timestamp};

use crate::accounts::Accounts;
use crate::media::{StorageError, StoredPicture};
use crate::store;

/// How old a file has to be that is taken for nobody's. Between writing it and the commit that refers to it there are
/// seconds, as far as the clocks of storage and server agree.
pub const PICTURE_AGE_MIN: SignedDuration = SignedDuration::from_hours(1);

/// Files that are looked at together.
const BATCH: usize = 500;

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
        let before = self.clock().now().saturating_sub(age_min).unwrap_or(Timestamp::MIN);
        let storage = self.storage()?;
        let mut swept = SweptPictures { kept: 0, deleted: storage.delete_unfinished(before).await? };
        storage
            .list(BATCH, async |found: Vec<StoredPicture>| {
                for StoredPicture { file, written_at, .. } in found {
                    let is_young = written_at > before;
                    // A connection for each file, so that nobody waits for one until the storage has answered.
                    if is_young || store::users::has_image_file(self.db().read().await?.conn(), file.as_str()).await? {
                        swept.kept += 1;
                    } else {
                        storage.delete(&file).await?;
                        swept.deleted += 1;
                    }
                }
                Ok::<(), SweepPicturesError>(())
            })
            .await?;
        Ok(swept)
    }
}
