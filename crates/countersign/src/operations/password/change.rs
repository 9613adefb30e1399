//! Password changes, which require the current password. All other sessions end, and pending password resets are void.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::limits::TooManyAttempts;
use crate::model::{ClientInfo, DeviceTrust, EventKind, Password, SessionId, Stay, UserId};
use crate::operations::steps::attempts::Attempt;
use crate::operations::steps::issue_tokens::Tokens;
use crate::operations::steps::record_event::NewEvent;
use crate::operations::steps::voids::Act;
use crate::secrets::attempt_key::Counted;
use crate::secrets::hashing_pool::Overloaded;
use crate::session_cache::Changed;
use crate::store;

/// Input of a password change.
#[non_exhaustive]
pub struct ChangePassword {
    /// The user.
    pub user: UserId,
    /// The session that makes the request. It continues.
    pub session: SessionId,
    /// The current password.
    pub current: Password,
    /// The new password.
    pub new: Password,
    /// The client that makes the request.
    pub client: ClientInfo,
}

impl ChangePassword {
    /// A change of this user's password, made in this session.
    pub fn new(user: UserId, session: SessionId, current: Password, new: Password, client: ClientInfo) -> Self {
        Self { user, session, current, new, client }
    }
}

/// Why the password was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangePasswordError {
    /// The current password is wrong, or was changed concurrently.
    #[error("the present password is another")]
    WrongPassword,
    /// The session that makes the request has ended.
    #[error("the session is over")]
    SessionOver,
    /// The new password is one of the most common ones.
    #[error("the password is among the most common ones")]
    CommonPassword,
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

from_db_error!(ChangePasswordError);

impl Accounts {
    /// Changes a user's password and returns new tokens for the session that makes the request. Its earlier cookie and
    /// refresh token are void. Its earlier access tokens stay valid until they expire but no longer count as a recent
    /// login.
    pub async fn change_password(&self, change: ChangePassword) -> Result<Tokens, ChangePasswordError> {
        if self.is_too_common(&change.new) {
            return Err(ChangePasswordError::CommonPassword);
        }
        let attempt = self.reserve_attempt::<ChangePasswordError>(&Counted::Session(change.session)).await?;
        let changed = self.compare_and_change(change, &attempt).await;
        self.settle_attempt(&attempt, changed, |error| matches!(error, ChangePasswordError::Overloaded(_))).await
    }

    async fn compare_and_change(
        &self,
        change: ChangePassword,
        attempt: &Attempt,
    ) -> Result<Tokens, ChangePasswordError> {
        let ChangePassword { user, session, current, new, client } = change;
        let requester = client.requester(DeviceTrust::Known);
        let stored = store::users::find_password_hash(self.db().read().await?.conn(), user).await?;
        let checked = self.check_password(requester, stored.as_deref(), &Arc::new(current)).await?;
        let (Some(stored), Some(_)) = (stored, checked) else { return Err(ChangePasswordError::WrongPassword) };
        let new = self.hash_password(requester, &Arc::new(new)).await?;

        let mut change = self.change(Changed::User(user)).await?;
        let now = change.now();
        if !store::users::replace_password_hash(change.conn(), user, &stored, &new, now).await? {
            return Err(ChangePasswordError::WrongPassword);
        }
        change.void(Act::PasswordChanged, user, Some(session)).await?;
        let renewed = change.renew_session(user, session).await?.ok_or(ChangePasswordError::SessionOver)?;
        self.forget_attempts(change.conn(), attempt).await?;
        self.clear_stranger_attempts(change.conn(), user).await?;
        let changed = NewEvent::by_owner(EventKind::PasswordChanged, user, Some(session));
        change.record_and_notify(changed, &client).await?;
        change.commit().await?;
        let mut devices = self.devices_of(&client).into_iter();
        let device = devices.find(|device| self.keys().is_device_of(device, user, &stored));
        let device_cookie = match renewed.stay {
            Stay::Kept => Some(self.keys().device_cookie(user, device.as_ref(), &new, now)),
            Stay::Brief => None,
        };
        let tokens = self.issue_tokens(&renewed, now).await?;
        Ok(Tokens { device_cookie, ..tokens })
    }
}
