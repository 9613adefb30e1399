//! What of a profile can change: the name and the address, if nobody else has them. Another address ends the other
//! sessions, because it is what people log in with. Where addresses have to be proven, it waits for that instead.

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::config::RegistrationMode;
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{ClientInfo, EmailAddress, EventKind, SessionId, TokenPurpose, User, UserId, Username};
use crate::operations::steps::change_address::NewAddress;
use crate::operations::steps::enqueue_mail::{Cause, Enqueued, TokenMail};
use crate::operations::steps::record_event::Happened;
use crate::session_cache::Changed;
use crate::store;

/// What to change; `None` leaves as it is.
pub struct EditProfile {
    /// The public name.
    pub username: Option<Username>,
    /// The private address. With [`RegistrationMode::Verified`] it becomes another only when that has been proven.
    pub email: Option<EmailAddress>,
    /// The session that asks; another address ends all others.
    pub session: SessionId,
    /// Who is asking.
    pub client: ClientInfo,
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
    /// Too many mails for this network or this address.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// Something broke.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(EditProfileError);

impl Accounts {
    /// Changes a user's name, address or both.
    pub async fn edit_profile(&self, user: UserId, edit: EditProfile) -> Result<User, EditProfileError> {
        let EditProfile { username, email, session, client } = edit;
        // Where anybody may register without a proof, a registration tells as much of an address, and the API's contract has it count
        // at once.
        let must_prove = self.config().registration.mode != RegistrationMode::Open;
        let (email, to_prove) = if must_prove { (None, email) } else { (email, None) };
        let mut change = self.change(Changed::User(user)).await?;
        let now = change.now();
        let before = store::users::find_contact(change.conn(), user).await?.ok_or(EditProfileError::UserGone)?;
        if [&email, &to_prove].into_iter().flatten().any(|address| *address != before.email) {
            self.take(Limit::Mail, &client)?;
        }
        let edited = store::users::update_profile(change.conn(), user, username.as_ref(), email.as_ref(), now).await;
        let edited = match edited {
            Ok(edited) => edited.ok_or(EditProfileError::UserGone)?,
            Err(DbError::UniqueViolation) => {
                // PostgreSQL answers nothing more in a transaction that failed.
                change.roll_back().await?;
                return Err(self.who_has_it(user, username.as_ref()).await?);
            }
            Err(error) => return Err(error.into()),
        };
        if edited.username != before.username {
            let renamed = Happened::by_owner(EventKind::UsernameChanged, user, Some(session));
            change.record(renamed, &client).await?;
        }
        let is_new = |address: &EmailAddress| *address != before.email;
        let to_mail = match (email.filter(is_new), to_prove.filter(is_new)) {
            (Some(email), _) => {
                let present = Some(session);
                change.follow_change_of_address(user, &before, NewAddress::Unproven, present, &client).await?;
                Some((TokenPurpose::VerifyEmail, None, email))
            }
            (None, Some(email)) => Some((TokenPurpose::ConfirmEmailChange, Some(session), email)),
            (None, None) => None,
        };
        if let Some((purpose, session, address)) = to_mail {
            let language = before.language.clone().unwrap_or_else(|| self.language_of(&client));
            let mail = TokenMail {
                purpose,
                cause: Cause::Anybody,
                client: &client,
                user: Some(user),
                session,
                address: &address,
                language,
            };
            if let Enqueued::TooMany(limited) = change.enqueue_token_mail(mail).await? {
                return Err(limited.into());
            }
        }
        change.commit().await?;
        Ok(edited)
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
