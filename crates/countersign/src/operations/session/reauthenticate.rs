//! Reauthentication: a user who is logged in proves their identity again.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::limits::TooManyAttempts;
use crate::model::{ClientInfo, DeviceTrust, Horizon, Methods, Password, SessionId, Strength, UserId};
use crate::operations::steps::attempts::Attempt;
use crate::operations::steps::issue_tokens::Tokens;
use crate::operations::steps::start_session::{MatchedBy, StartSession};
use crate::operations::steps::voids::Act;
use crate::secrets::attempt_key::Counted;
use crate::secrets::hashing_pool::Overloaded;
use crate::session_cache::Changed;
use crate::store;

/// Why the reauthentication failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReauthenticateError {
    /// The password is wrong.
    #[error("the password is not the user's")]
    WrongPassword,
    /// The session or the user no longer exists.
    #[error("the session is over")]
    SessionOver,
    /// Too many wrong passwords in this session.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(ReauthenticateError);

impl Accounts {
    /// Checks the password again. Replaces the session with a new one that counts as freshly logged in; the old
    /// session's secrets are void.
    pub async fn reauthenticate(
        &self,
        user: UserId,
        session: SessionId,
        password: Password,
        client: &ClientInfo,
    ) -> Result<Tokens, ReauthenticateError> {
        let attempt = self.reserve_attempt::<ReauthenticateError>(&Counted::Session(session)).await?;
        let confirmed = self.compare_and_confirm(user, session, password, client, &attempt).await;
        self.settle_attempt(&attempt, confirmed, |error| matches!(error, ReauthenticateError::Overloaded(_))).await
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
        let requester = client.requester(DeviceTrust::Known);
        let checked = self.check_password(requester, stored.as_deref(), &Arc::new(password)).await?;
        let (Some(stored), Some(_)) = (stored, checked) else { return Err(ReauthenticateError::WrongPassword) };
        let mut change = self.change(Changed::Session(user, session)).await?;
        let now = change.now();
        let stay = store::sessions::find_stay(change.conn(), session, user, now).await?;
        let start = StartSession {
            user,
            methods: Methods::PASSWORD,
            stay: stay.ok_or(ReauthenticateError::SessionOver)?,
            password_hash: &stored,
            upgrade: None,
            found_by: MatchedBy::Nothing,
            client,
        };
        // The password was changed, or the user deleted, after we read the hash.
        let next = change.start_session(&start).await?.ok_or(ReauthenticateError::WrongPassword)?;
        change.void(Act::Reauthenticated, user, Some(session)).await?;
        self.forget_attempts(change.conn(), attempt).await?;
        store::one_time_tokens::hand_over(change.conn(), user, session, next.session).await?;
        change.commit().await?;
        Ok(self.issue_tokens(&next, now).await?)
    }

    /// Whether an authentication is recent and strong enough for an act that an unattended browser must not allow. A
    /// time in the future was written by a wrong clock and is not recent: authenticating again locks nobody out.
    pub fn is_recent(&self, authenticated_at: Timestamp, methods: Methods, at_least: Strength) -> bool {
        let now = self.clock().now();
        methods.strength() >= at_least
            && !Horizon::new(now, SignedDuration::ZERO).is_beyond(authenticated_at)
            && now.duration_since(authenticated_at) <= self.config().session.reauthentication_ttl
    }
}
