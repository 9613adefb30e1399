//! Decides whom an access token speaks for: its user, while the session behind it lives.

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::model::User;
use crate::store;

impl Accounts {
    /// The user of an access token; `None` when it is not ours, has expired, or its session or user is gone.
    pub async fn verify_access_token(&self, token: &str) -> Result<Option<User>, DbError> {
        let now = self.clock().now();
        let Some(bearer) = self.tokens().verify(token, now) else {
            return Ok(None);
        };
        store::sessions::find_user(self.db().read().await?.conn(), bearer.session, bearer.user, now).await
    }
}
