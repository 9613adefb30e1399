//! Removal of a profile picture: the commit removes the reference, and the file is deleted afterwards.

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::model::{User, UserId};
use crate::session_cache::Changed;
use crate::store;

/// Why no picture was removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveProfilePictureError {
    /// The user has no picture.
    #[error("there is no picture")]
    NoPicture,
    /// The user no longer exists.
    #[error("the user is gone")]
    UserGone,
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(RemoveProfilePictureError);

impl Accounts {
    /// Removes a user's picture.
    pub async fn remove_profile_picture(&self, user: UserId) -> Result<User, RemoveProfilePictureError> {
        // Repeats only if another change of the same user's picture won the race.
        loop {
            let mut change = self.change(Changed::User(user)).await?;
            let now = change.now();
            let old = store::image_files::find(change.conn(), user).await?;
            let old = old.ok_or(RemoveProfilePictureError::UserGone)?.ok_or(RemoveProfilePictureError::NoPicture)?;
            let Some(without) = store::image_files::replace(change.conn(), user, Some(&old), None, now).await? else {
                change.roll_back().await?;
                continue;
            };
            change.discard_picture(Some(&old)).await?;
            change.commit().await?;
            return Ok(without);
        }
    }
}
