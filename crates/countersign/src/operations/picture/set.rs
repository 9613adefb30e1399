//! How a user gets another picture: the new file is there before the user refers to it, and the old one goes after.
//! Whatever is cut off in between, the user's picture can be fetched.

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, TooManyAttempts};
use crate::media::{PrepareError, StorageError, Upload};
use crate::model::{ClientInfo, PictureFile, User, UserId};
use crate::secrets::random_picture_file;
use crate::session_cache::Changed;
use crate::store;

/// Why the picture stayed as it was.
#[derive(Debug, thiserror::Error)]
pub enum SetProfilePictureError {
    /// The upload is no picture that can be used; the text says why.
    #[error("not a usable picture: {0}")]
    Invalid(String),
    /// Too many pictures are waiting to be decoded.
    #[error("too many pictures are waiting to be decoded")]
    Overloaded,
    /// The picture could not be stored.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The user is gone.
    #[error("the user is gone")]
    UserGone,
    /// Something broke.
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
    /// An upload that takes as many bytes as a picture may have, unless this network has sent too many.
    pub fn new_upload(&self, client: &ClientInfo) -> Result<Upload, TooManyAttempts> {
        self.take(Limit::Upload, client)?;
        Ok(Upload::new(self.config().media.upload_bytes_max))
    }

    /// Gives a user the picture in `upload`: a JPEG, PNG, GIF or WebP, of which a square of 300 by 300 pixels is made.
    pub async fn set_profile_picture(&self, user: UserId, upload: Upload) -> Result<User, SetProfilePictureError> {
        let prepared = self.decoding().prepare(upload).await?;
        let file = random_picture_file();
        let storage = self.storage()?;
        storage.put(&file, prepared).await?;
        let set = self.refer_to_picture(user, &file).await;
        if let Err(error) = &set {
            // After a failed commit the row may refer to it all the same. Then the sweep decides, later.
            if !matches!(error, SetProfilePictureError::Internal(_)) {
                let _ = storage.delete(&file).await;
            }
        }
        set
    }

    async fn refer_to_picture(&self, user: UserId, file: &PictureFile) -> Result<User, SetProfilePictureError> {
        // Each further turn is lost to another picture of the same user.
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
