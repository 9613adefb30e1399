//! Read-only queries, which `http/`, `pages/` and hosts show as they are.

use countersign_db::DbError;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::model::{EmailAddress, EmailState, OneTimeToken, Profile, Session, TokenPurpose, UserId, Verification};
use crate::secrets::one_time_secret::hash_of;
use crate::store;

impl Accounts {
    /// Returns the public profile of a user, or `None` if there is no such user.
    pub async fn find_profile(&self, id: UserId) -> Result<Option<Profile>, DbError> {
        store::users::find_profile(self.db().read().await?.conn(), id).await
    }

    /// Returns whether a user's address is verified, and the pending new one; `None` if there is no such user.
    pub async fn find_email_state(&self, id: UserId) -> Result<Option<EmailState>, DbError> {
        let mut read = self.db().read().await?;
        let Some(is_verified) = store::users::find_verification(read.conn(), id).await? else { return Ok(None) };
        let pending = store::one_time_tokens::find_pending_address(read.conn(), id, self.clock().now()).await?;
        Ok(Some(EmailState { is_verified: is_verified == Verification::Verified, pending }))
    }

    /// Returns when the newest session that still exists began.
    pub async fn newest_login_at(&self) -> Result<Option<Timestamp>, DbError> {
        store::sessions::find_newest_created_at(self.db().read().await?.conn()).await
    }

    /// Lists a user's live sessions, most recently used first, at most 100.
    pub async fn list_sessions(&self, user: UserId) -> Result<Vec<Session>, DbError> {
        store::sessions::list_of_user(self.db().read().await?.conn(), user, self.clock().now()).await
    }

    /// Returns the address of the registration that a mailed token completes, or `None` for any other token. The
    /// user has to enter that registration's password.
    pub async fn find_registration_address(&self, token: &SecretString) -> Result<Option<EmailAddress>, DbError> {
        let found = self.find_mailed(token, TokenPurpose::CompleteRegistration).await?;
        Ok(found.map(|token| token.address))
    }

    /// Returns the address of the account whose password a mailed token resets, or `None` for any other token. The
    /// token was sent to that address, so its holder learns nothing new.
    pub async fn find_reset_address(&self, token: &SecretString) -> Result<Option<EmailAddress>, DbError> {
        let found = self.find_mailed(token, TokenPurpose::ResetPassword).await?;
        Ok(found.filter(|token| token.user.is_some()).map(|token| token.address))
    }

    async fn find_mailed(&self, token: &SecretString, purpose: TokenPurpose) -> Result<Option<OneTimeToken>, DbError> {
        let (hash, now) = (hash_of(token), self.clock().now());
        let found = store::one_time_tokens::find_live(self.db().read().await?.conn(), &hash, now).await?;
        Ok(found.filter(|token| token.purpose == purpose))
    }
}
