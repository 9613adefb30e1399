//! Profile edits: the username and the e-mail address, both unique. A new address ends the other sessions, because
//! users log in with it. Unless registration is open, a new address applies only after it is proven.

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::config::RegistrationMode;
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{ClientInfo, EmailAddress, EventKind, SessionId, TokenPurpose, User, UserId, Username};
use crate::operations::steps::change_address::NewAddress;
use crate::operations::steps::enqueue_mail::{Cause, Enqueued, TokenMail};
use crate::operations::steps::record_event::NewEvent;
use crate::session_cache::Changed;
use crate::store;

/// Profile fields to change; `None` keeps the current value.
#[non_exhaustive]
pub struct EditProfile {
    /// The public name.
    pub username: Option<Username>,
    /// The private address. Unless the mode is [`RegistrationMode::Open`], the new one applies only after it is proven.
    pub email: Option<EmailAddress>,
    /// The session that makes the request. A new address ends all others.
    pub session: SessionId,
    /// The client that makes the request.
    pub client: ClientInfo,
}

impl EditProfile {
    /// An edit that changes nothing yet.
    pub fn new(session: SessionId, client: ClientInfo) -> Self {
        Self { username: None, email: None, session, client }
    }
}

/// Why the profile was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditProfileError {
    /// Another user has this name.
    #[error("the username is taken")]
    UsernameTaken,
    /// Another user has this address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The user no longer exists.
    #[error("the user is gone")]
    UserGone,
    /// Too many mails requested by this network or sent to this address.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(EditProfileError);

impl Accounts {
    /// Changes a user's name, address or both.
    ///
    /// ```
    /// use countersign::model::{ClientInfo, SessionId, UserId, Username};
    /// use countersign::{Accounts, EditProfile, EditProfileError};
    ///
    /// async fn rename(accounts: &Accounts, user: UserId, session: SessionId, name: Username) -> Result<(), EditProfileError> {
    ///     let mut edit = EditProfile::new(session, ClientInfo::default());
    ///     edit.username = Some(name);
    ///     accounts.edit_profile(user, edit).await?;
    ///     Ok(())
    /// }
    /// ```
    pub async fn edit_profile(&self, user: UserId, edit: EditProfile) -> Result<User, EditProfileError> {
        let EditProfile { username, email, session, client } = edit;
        // With open registration, registering already reveals whether an address is taken, and the API contract
        // requires a new address to apply at once.
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
                // PostgreSQL accepts no further statements in a failed transaction.
                change.roll_back().await?;
                return Err(self.taken_error(user, username.as_ref()).await?);
            }
            Err(error) => return Err(error.into()),
        };
        if edited.username != before.username {
            let renamed = NewEvent::by_owner(EventKind::UsernameChanged, user, Some(session));
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

    async fn taken_error(&self, user: UserId, username: Option<&Username>) -> Result<EditProfileError, DbError> {
        if let Some(username) = username {
            let owner = store::users::find_id_by_username(self.db().read().await?.conn(), username).await?;
            if owner.is_some_and(|owner| owner != user) {
                return Ok(EditProfileError::UsernameTaken);
            }
        }
        Ok(EditProfileError::EmailTaken)
    }
}
