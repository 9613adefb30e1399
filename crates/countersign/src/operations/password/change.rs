//! What it takes to change a password: the present one. All other sessions end, and so do the mails that would let
//! another be chosen.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::limits::TooManyAttempts;
use crate::model::{ClientInfo, EventKind, Password, SessionId, Standing, Stay, UserId};
use crate::operations::steps::attempts::Attempt;
use crate::operations::steps::issue_tokens::Tokens;
use crate::operations::steps::record_event::Happened;
use crate::operations::steps::voids::Act;
use crate::secrets::attempt_key::Counted;
use crate::secrets::hashing_pool::Overloaded;
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
    /// The session that asks has ended.
    #[error("the session is over")]
    SessionOver,
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

from_db_error!(ChangePasswordError);

impl Accounts {
    /// Changes a user's password. The session that asks goes on with the secrets that are returned: its earlier cookie and refresh
    /// token are void, and its earlier access tokens, until they expire, count for no recent login.
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
        let asker = client.asker(Standing::Known);
        let stored = store::users::find_password_hash(self.db().read().await?.conn(), user).await?;
        let checked = self.check_password(asker, stored.as_deref(), &Arc::new(current)).await?;
        let (Some(stored), Some(_)) = (stored, checked) else { return Err(ChangePasswordError::WrongPassword) };
        let new = self.hash_password(asker, &Arc::new(new)).await?;

        let mut change = self.change(Changed::User(user)).await?;
        let now = change.now();
        if !store::users::replace_password_hash(change.conn(), user, &stored, &new, now).await? {
            return Err(ChangePasswordError::WrongPassword);
        }
        change.void(Act::PasswordChanged, user, Some(session)).await?;
        let renewed = change.renew_session(user, session).await?.ok_or(ChangePasswordError::SessionOver)?;
        self.forget_attempts(change.conn(), attempt).await?;
        self.forget_strangers(change.conn(), user).await?;
        let changed = Happened::by_owner(EventKind::PasswordChanged, user, Some(session));
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
