//! Upload of a profile picture: the new file is stored before the user refers to it, and the old one is deleted
//! afterwards. An interruption at any point leaves a picture that can be fetched.

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, TooManyAttempts};
use crate::media::{PrepareError, StorageError, Upload};
use crate::model::{ClientInfo, PictureFile, User, UserId};
use crate::secrets::random_picture_file;
use crate::session_cache::Changed;
use crate::store;

/// Why the picture was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetProfilePictureError {
    /// The upload is not a usable picture; the text says why.
    #[error("not a usable picture: {0}")]
    Invalid(String),
    /// Too many pictures wait to be decoded.
    #[error("too many pictures are waiting to be decoded")]
    Overloaded,
    /// The picture could not be stored.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The user no longer exists.
    #[error("the user is gone")]
    UserGone,
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(SetProfilePictureError);

impl From<PrepareError> for SetProfilePictureError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Invalid(invalid) => Self::Invalid(invalid.to_string()),
            PrepareError::Overloaded => Self::Overloaded,
            PrepareError::Upload(error) => {
                Self::Storage(StorageError::Folder(std::io::Error::new(error.kind(), error)))
            }
        }
    }
}

impl Accounts {
    /// Returns an upload that accepts up to the maximum size of a picture, unless this network has uploaded too often.
    pub fn new_upload(&self, client: &ClientInfo) -> Result<Upload, TooManyAttempts> {
        self.take(Limit::Upload, client)?;
        Ok(Upload::new(self.config().media.upload_bytes_max))
    }

    /// Sets a user's picture from `upload`: a JPEG, PNG, GIF or WebP, from which a square of 300 by 300 pixels is made.
    pub async fn set_profile_picture(&self, user: UserId, upload: Upload) -> Result<User, SetProfilePictureError> {
        let prepared = self.decoding().prepare(upload).await?;
        let file = random_picture_file();
        let storage = self.storage()?;
        storage.put(&file, prepared).await?;
        let set = self.refer_to_picture(user, &file).await;
        if let Err(error) = &set {
            // After a failed commit the row may still refer to the file, so the sweep decides later.
            if !matches!(error, SetProfilePictureError::Internal(_)) {
                let _ = storage.delete(&file).await;
            }
        }
        set
    }

    async fn refer_to_picture(&self, user: UserId, file: &PictureFile) -> Result<User, SetProfilePictureError> {
        // Repeats only if another change of the same user's picture won the race.
        loop {
            let mut change = self.change(Changed::User(user)).await?;
            let now = change.now();
            let old = store::image_files::find(change.conn(), user).await?.ok_or(SetProfilePictureError::UserGone)?;
            let set =
                store::image_files::replace(change.conn(), user, old.as_deref(), Some(file.as_str()), now).await?;
            let Some(set) = set else {
                change.roll_back().await?;
                continue;
            };
            change.discard_picture(old.as_deref()).await?;
            change.commit().await?;
            return Ok(set);
        }
    }
}
