//! Plain reads: what `http/`, `pages/` and hosts show without deciding anything.

use countersign_db::DbError;
use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::model::{EmailState, Profile, Session, UserId, Verification};
use crate::store;

impl Accounts {
    /// What everybody may see of a user; `None` when there is no such user.
    pub async fn find_profile(&self, id: UserId) -> Result<Option<Profile>, DbError> {
        store::users::find_profile(self.db().read().await?.conn(), id).await
    }

    /// How a user's address stands; `None` when there is no such user.
    pub async fn find_email_state(&self, id: UserId) -> Result<Option<EmailState>, DbError> {
        let mut read = self.db().read().await?;
        let Some(is_verified) = store::users::find_verification(read.conn(), id).await? else { return Ok(None) };
        let pending = store::one_time_tokens::find_pending_address(read.conn(), id, self.clock().now()).await?;
        Ok(Some(EmailState { is_verified: is_verified == Verification::Verified, pending }))
    }

    /// When somebody last logged in, as far as their session is still there.
    pub async fn newest_login_at(&self) -> Result<Option<Timestamp>, DbError> {
        store::sessions::find_newest_created_at(self.db().read().await?.conn()).await
    }

    /// Where a user is logged in, the session used last first; at most 100.
    pub async fn list_sessions(&self, user: UserId) -> Result<Vec<Session>, DbError> {
        store::sessions::list_of_user(self.db().read().await?.conn(), user, self.clock().now()).await
    }
}
