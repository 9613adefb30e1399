//! How a user loses the picture: the user refers to none from the commit on, and the file goes after.

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::model::{User, UserId};
use crate::session_cache::Changed;
use crate::store;

/// Why nothing was removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveProfilePictureError {
    /// There is no picture.
    #[error("there is no picture")]
    NoPicture,
    /// The user is gone.
    #[error("the user is gone")]
    UserGone,
    /// Something broke.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(RemoveProfilePictureError);

impl Accounts {
    /// Takes a user's picture away.
    pub async fn remove_profile_picture(&self, user: UserId) -> Result<User, RemoveProfilePictureError> {
        // Each further turn is lost to another picture of the same user.
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
