//! What goes with a user: everything that refers to one, in the same transaction; the picture's file goes after it.

use countersign_db::DbError;

use super::steps::voids::Act;
use crate::accounts::Accounts;
use crate::model::UserId;
use crate::session_cache::Changed;
use crate::store;

impl Accounts {
    /// Deletes a user with all sessions and whatever a host's tables refer to one by cascade; the name and the address
    /// become free. Deleting a user who is gone already is no error.
    pub async fn delete_account(&self, user: UserId) -> Result<(), DbError> {
        let mut change = self.change(Changed::User(user)).await?;
        change.void(Act::AccountDeleted, user, None).await?;
        let picture = store::users::delete(change.conn(), user).await?;
        change.discard_picture(picture.as_deref()).await?;
        change.commit().await
    }
}
