//! What it takes to change a password: the present one. All other sessions end, and so do the mails that would let
//! another be chosen.

use std::sync::Arc;

use countersign_db::DbError;
use secrecy::SecretString;

use super::steps::attempts::Attempt;
use crate::accounts::Accounts;
use crate::config::Blocklist;
use crate::error::InternalError;
use crate::limits::TooManyAttempts;
use crate::model::{ClientInfo, EventKind, Password, SessionId, Standing, TokenPurpose, UserId};
use crate::secrets::attempt_key::Counted;
use crate::secrets::hashing_pool::Overloaded;
use crate::secrets::password_hash::{self, PasswordHash};
use crate::session_cache::Changed;
use crate::store;

/// What a change of the password needs.
pub struct ChangePassword {
    /// Whose.
    pub user: UserId,
    /// The session that asks; it goes on.
    pub session: SessionId,
    /// The present password.
    pub current: Password,
    /// The one that takes its place.
    pub new: Password,
    /// Who is asking.
    pub client: ClientInfo,
}

/// Why the password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// Another password than the present one, or it was changed at the same time.
    #[error("the present password is another")]
    WrongPassword,
    /// The new one is among the most common.
    #[error("the password is among the most common ones")]
    CommonPassword,
    /// Too many wrong passwords in this session.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// Something broke.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl From<DbError> for ChangePasswordError {
    fn from(error: DbError) -> Self {
        Self::Internal(error.into())
    }
}

impl Accounts {
    /// Changes a user's password. Gives the cookie by which this device is known from then on, in place of the one that was good
    /// for the password before; see [`Tokens::device_cookie`].
    ///
    /// [`Tokens::device_cookie`]: crate::Tokens::device_cookie
    pub async fn change_password(&self, change: ChangePassword) -> Result<SecretString, ChangePasswordError> {
        if self.config().blocklist == Blocklist::Common && change.new.is_common() {
            return Err(ChangePasswordError::CommonPassword);
        }
        let attempt = self.reserve_attempt(&Counted::Session(change.session)).await??;
        let changed = self.compare_and_change(change, &attempt).await;
        if let Err(ChangePasswordError::Overloaded(_)) = changed {
            self.refund_attempt_alone(&attempt).await?;
        }
        changed
    }

    async fn compare_and_change(
        &self,
        change: ChangePassword,
        attempt: &Attempt,
    ) -> Result<SecretString, ChangePasswordError> {
        let ChangePassword { user, session, current, new, client } = change;
        let (costs, asker) = (&self.config().hash_parameters, client.asker(Standing::Known));
        let stored = store::users::find_password_hash(self.db().read().await?.conn(), user).await?;
        let hash = stored.as_deref().and_then(|stored| PasswordHash::parse(stored).ok());
        let hash = hash.unwrap_or_else(|| password_hash::decoy(costs));
        let matched = self.hashing().verify(asker, &hash, &Arc::new(current)).await?;
        let stored = stored.filter(|_| matched).ok_or(ChangePasswordError::WrongPassword)?;
        let new = self.hashing().hash(asker, *costs, &Arc::new(new)).await?;

        let now = self.clock().now();
        let mut tx = self.change(Changed::User(user)).await?;
        if !store::users::replace_password_hash(tx.conn(), user, &stored, &new, now).await? {
            return Err(ChangePasswordError::WrongPassword);
        }
        store::sessions::delete_others(tx.conn(), user, Some(session)).await?;
        store::sessions::confirm(tx.conn(), session, now).await?;
        store::one_time_tokens::delete_of_user(tx.conn(), user, TokenPurpose::ResetPassword).await?;
        self.forget_attempts(tx.conn(), attempt).await?;
        self.forget_strangers(tx.conn(), user).await?;
        store::changes::insert(tx.conn(), user, None, now).await?;
        self.promise_notice(tx.conn(), user, EventKind::PasswordChanged, &client, now).await?;
        tx.commit().await?;
        self.jobs_are_due();
        let device = self.device_of(&client).filter(|device| self.device_keys().is_of(device, user, &stored));
        Ok(self.device_keys().cookie(user, device.as_ref(), &new, now))
    }
}
