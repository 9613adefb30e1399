//! What goes with a user: everything that refers to one, in the same transaction; the
//! picture's file goes after it.

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::model::UserId;
use crate::session_cache::Changed;
use crate::store;

impl Accounts {
    /// Deletes a user with all sessions and whatever a host's tables refer to one by cascade; the name and the address
    /// become free. Deleting a user who is gone already is no error.
    pub async fn delete_account(&self, user: UserId) -> Result<(), DbError> {
        let now = self.clock().now();
        let mut tx = self.change(Changed::User(user)).await?;
        let picture = store::users::delete(tx.conn(), user).await?;
        self.discard_picture(tx.conn(), picture.as_deref(), now).await?;
        store::changes::insert(tx.conn(), user, None, now).await?;
        tx.commit().await?;
        self.jobs_are_due();
        Ok(())
    }
}
