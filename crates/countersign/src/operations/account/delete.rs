//! Account deletion: removes a user and every row that refers to it in one transaction, and the picture's file
//! afterwards.

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::model::{ClientInfo, EventKind, UserId};
use crate::operations::steps::record_event::NewEvent;
use crate::operations::steps::voids::Act;
use crate::session_cache::Changed;
use crate::store;

impl Accounts {
    /// Deletes a user with all sessions and every row of a host's tables that refers to it by cascade. The name and the
    /// address become free. Succeeds if the user no longer exists.
    ///
    /// Keeps the account's events and their times, without network addresses and user agents.
    pub async fn delete_account(&self, user: UserId, client: &ClientInfo) -> Result<(), DbError> {
        let mut change = self.change(Changed::User(user)).await?;
        if store::users::find_contact(change.conn(), user).await?.is_none() {
            return Ok(());
        }
        change.record(NewEvent::by_owner(EventKind::AccountDeleted, user, None), client).await?;
        store::events::erase_places(change.conn(), user).await?;
        change.void(Act::AccountDeleted, user, None).await?;
        let picture = store::users::delete(change.conn(), user).await?;
        change.discard_picture(picture.as_deref()).await?;
        change.commit().await
    }
}
