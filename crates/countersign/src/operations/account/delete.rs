//! What goes with a user: everything that refers to one, in the same transaction; the picture's file goes after it.

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::model::{ClientInfo, EventKind, UserId};
use crate::operations::steps::record_event::Happened;
use crate::operations::steps::voids::Act;
use crate::session_cache::Changed;
use crate::store;

impl Accounts {
    /// Deletes a user with all sessions and whatever a host's tables refer to one by cascade; the name and the address
    /// become free. Deleting a user who is gone already is no error.
    ///
    /// What is kept is that and when things happened to the account, without addresses and browsers.
    pub async fn delete_account(&self, user: UserId, client: &ClientInfo) -> Result<(), DbError> {
        let mut change = self.change(Changed::User(user)).await?;
        if store::users::find_contact(change.conn(), user).await?.is_none() {
            return Ok(());
        }
        change.record(Happened::by_owner(EventKind::AccountDeleted, user, None), client).await?;
        store::events::erase_places(change.conn(), user).await?;
        change.void(Act::AccountDeleted, user, None).await?;
        let picture = store::users::delete(change.conn(), user).await?;
        change.discard_picture(picture.as_deref()).await?;
        change.commit().await
    }
}
