//! Decides what of a profile can change: the name and the address, if nobody else has them. Another address ends the other
//! sessions, because it is what people log in with.

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::model::{EmailAddress, SessionId, User, UserId, Username};
use crate::session_cache::Changed;
use crate::store;

/// What to change; `None` leaves as it is.
pub struct EditProfile {
    /// The public name.
    pub username: Option<Username>,
    /// The private address.
    pub email: Option<EmailAddress>,
    /// The session that asks; another address ends all others.
    pub session: SessionId,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EditProfileError {
    /// Somebody else has this name.
    #[error("the username is taken")]
    UsernameTaken,
    /// Somebody else has this address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The user is gone.
    #[error("the user is gone")]
    UserGone,
    /// Something broke.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl From<DbError> for EditProfileError {
    fn from(error: DbError) -> Self {
        Self::Internal(error.into())
    }
}

impl Accounts {
    /// Changes a user's name, address or both.
    pub async fn edit_profile(&self, user: UserId, edit: EditProfile) -> Result<User, EditProfileError> {
        let EditProfile { username, email, session } = edit;
        let now = self.clock().now();
        let _changing = self.changing(Changed::User(user));
        let mut tx = self.db().write().await?;
        let before = store::users::find_email(tx.conn(), user).await?;
        match store::users::update_profile(tx.conn(), user, username.as_ref(), email.as_ref(), now).await {
            Ok(Some(edited)) => {
                if before.is_some_and(|before| before != edited.email) {
                    store::sessions::delete_others(tx.conn(), user, session).await?;
                }
                store::changes::insert(tx.conn(), user, None, now).await?;
                tx.commit().await?;
                Ok(edited)
            }
            Ok(None) => Err(EditProfileError::UserGone),
            Err(DbError::UniqueViolation) => {
                // PostgreSQL answers nothing more in a transaction that failed.
                tx.roll_back().await?;
                Err(self.who_has_it(user, username.as_ref()).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn who_has_it(&self, user: UserId, username: Option<&Username>) -> Result<EditProfileError, DbError> {
        if let Some(username) = username {
            let owner = store::users::find_id_by_username(self.db().read().await?.conn(), username).await?;
            if owner.is_some_and(|owner| owner != user) {
                return Ok(EditProfileError::UsernameTaken);
            }
        }
        Ok(EditProfileError::EmailTaken)
    }
}
