//! Password reset, by a secret that was mailed to the account's address.

use std::sync::Arc;

use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{ClientInfo, DeviceTrust, EventKind, Password, TokenPurpose};
use crate::operations::steps::record_event::NewEvent;
use crate::operations::steps::voids::Act;
use crate::secrets::hashing_pool::Overloaded;
use crate::secrets::one_time_secret::hash_of;
use crate::session_cache::Changed;
use crate::store;

/// Why the password was not reset.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResetPasswordError {
    /// The token is unknown, used, superseded or expired, or the user no longer exists or has another address.
    #[error("the reset token is not valid")]
    InvalidToken,
    /// The password is one of the most common ones. The token stays valid.
    #[error("the password is among the most common ones")]
    CommonPassword,
    /// This network presented too many secrets. The token stays valid.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// Too many passwords are being hashed. The token stays valid.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(ResetPasswordError);

impl Accounts {
    /// Sets a new password with a mailed token. That proves control of the address, so it ends all sessions, voids what
    /// was pending and clears failed attempts. Returns the device cookie by which this device is known from then on;
    /// see [`Tokens::device_cookie`].
    ///
    /// [`Tokens::device_cookie`]: crate::Tokens::device_cookie
    pub async fn reset_password(
        &self,
        token: &SecretString,
        new: Password,
        client: &ClientInfo,
    ) -> Result<SecretString, ResetPasswordError> {
        self.take(Limit::Secret, client)?;
        if self.is_too_common(&new) {
            return Err(ResetPasswordError::CommonPassword);
        }
        let hash = hash_of(token);
        let now = self.clock().now();
        let found = store::one_time_tokens::find_live(self.db().read().await?.conn(), &hash, now).await?;
        let token = found.filter(|token| token.purpose == TokenPurpose::ResetPassword);
        let token = token.ok_or(ResetPasswordError::InvalidToken)?;
        let user = token.user.ok_or(ResetPasswordError::InvalidToken)?;
        let requester = client.requester(DeviceTrust::Known);
        let new = self.hash_password(requester, &Arc::new(new)).await?;

        let mut change = self.change(Changed::User(user)).await?;
        let now = change.now();
        let is_theirs = store::one_time_tokens::consume(change.conn(), token.id, now).await?
            && store::users::reset_password_hash(change.conn(), user, &token.address, &new, now).await?;
        if !is_theirs {
            return Err(ResetPasswordError::InvalidToken);
        }
        change.void(Act::PasswordReset, user, None).await?;
        self.clear_stranger_attempts(change.conn(), user).await?;
        let reset = NewEvent::by_owner(EventKind::PasswordReset, user, None);
        change.record_and_notify(reset, client).await?;
        change.commit().await?;
        Ok(self.keys().device_cookie(user, None, &new, now))
    }
}
