//! Whether somebody who is logged in has shown lately that they know the password.

use std::sync::Arc;

use countersign_db::DbError;
use jiff::{SignedDuration, Timestamp};

use super::steps::attempts::Attempt;
use super::steps::issue_tokens::{Issue, Tokens};
use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::limits::TooManyAttempts;
use crate::model::{ClientInfo, Horizon, Password, SessionId, Standing, UserId};
use crate::secrets;
use crate::secrets::attempt_key::Counted;
use crate::secrets::hashing_pool::Overloaded;
use crate::secrets::password_hash::{self, PasswordHash};
use crate::session_cache::Changed;
use crate::store;

/// Why nothing was confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ReauthenticateError {
    /// Another password.
    #[error("the password is not the user's")]
    WrongPassword,
    /// The session or the user is gone.
    #[error("the session is over")]
    SessionOver,
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

impl From<DbError> for ReauthenticateError {
    fn from(error: DbError) -> Self {
        Self::Internal(error.into())
    }
}

impl Accounts {
    /// Takes the password once more. What was known of the session until then is void: another one goes on in its place, which
    /// counts as freshly logged in.
    pub async fn reauthenticate(
        &self,
        user: UserId,
        session: SessionId,
        password: Password,
        client: &ClientInfo,
    ) -> Result<Tokens, ReauthenticateError> {
        let attempt = self.reserve_attempt(&Counted::Session(session)).await??;
        let confirmed = self.compare_and_confirm(user, session, password, client, &attempt).await;
        if let Err(ReauthenticateError::Overloaded(_)) = confirmed {
            self.refund_attempt_alone(&attempt).await?;
        }
        confirmed
    }

    async fn compare_and_confirm(
        &self,
        user: UserId,
        session: SessionId,
        password: Password,
        client: &ClientInfo,
        attempt: &Attempt,
    ) -> Result<Tokens, ReauthenticateError> {
        let stored = store::users::find_password_hash(self.db().read().await?.conn(), user).await?;
        let hash = stored.and_then(|stored| PasswordHash::parse(&stored).ok());
        let hash = hash.unwrap_or_else(|| password_hash::decoy(&self.config().hash_parameters));
        if !self.hashing().verify(client.asker(Standing::Known), &hash, &Arc::new(password)).await? {
            return Err(ReauthenticateError::WrongPassword);
        }
        let now = self.clock().now();
        let salt = secrets::bytes::<32>();
        let next = self.new_session(user, &salt, client, now);
        let mut tx = self.change(Changed::Session(session)).await?;
        if !store::sessions::delete(tx.conn(), session, user).await? {
            return Err(ReauthenticateError::SessionOver);
        }
        self.forget_attempts(tx.conn(), attempt).await?;
        store::sessions::insert(tx.conn(), &next).await?;
        store::one_time_tokens::hand_over(tx.conn(), user, session, next.id).await?;
        store::changes::insert(tx.conn(), user, Some(session), now).await?;
        tx.commit().await?;
        let issue = Issue { user, session: next.id, salt: &salt, refresh_counter: 0, expires_at: next.expires_at };
        Ok(self.issue_tokens(&issue, now).await?)
    }

    /// Whether the password was given recently enough for what must not be done by whoever finds an open laptop. An instant that
    /// only a wrong clock can have written is not recent: asking once more locks nobody out.
    pub fn is_recent(&self, authenticated_at: Timestamp) -> bool {
        let now = self.clock().now();
        !Horizon::new(now, SignedDuration::ZERO).is_beyond(authenticated_at)
            && now.duration_since(authenticated_at) <= self.config().reauthentication_ttl
    }
}
