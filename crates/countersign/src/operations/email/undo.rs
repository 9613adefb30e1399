//! Undoing an address change: the reader of the former address gets the account back, and access gained since is
//! revoked.

use countersign_db::DbError;
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{ClientInfo, EventKind, TokenPurpose};
use crate::operations::steps::enqueue_mail::{Cause, TokenMail};
use crate::operations::steps::record_event::NewEvent;
use crate::operations::steps::voids::Act;
use crate::secrets::one_time_secret::hash_of;
use crate::secrets::password_hash;
use crate::session_cache::Changed;
use crate::store;

/// Why the change was not undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UndoEmailChangeError {
    /// The token is unknown, used or expired.
    #[error("the link is not valid")]
    InvalidToken,
    /// Another user has the former address now.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// This network presented too many secrets; the token stays valid.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(UndoEmailChangeError);

impl Accounts {
    /// Restores the former address with a token that was mailed to it. The person who changed the address knows the
    /// password or has an open session. So all sessions end, the password is void, and a mail lets the user choose a
    /// new one.
    pub async fn undo_email_change(
        &self,
        token: &SecretString,
        client: &ClientInfo,
    ) -> Result<(), UndoEmailChangeError> {
        self.take(Limit::Secret, client)?;
        let now = self.clock().now();
        let found = store::one_time_tokens::find_live(self.db().read().await?.conn(), &hash_of(token), now).await?;
        let token = found.filter(|token| token.purpose.undoes()).ok_or(UndoEmailChangeError::InvalidToken)?;
        let user = token.user.ok_or(UndoEmailChangeError::InvalidToken)?;
        let mut change = self.change(Changed::User(user)).await?;
        let now = change.now();
        if !store::one_time_tokens::consume(change.conn(), token.id, now).await? {
            return Err(UndoEmailChangeError::InvalidToken);
        }
        match store::users::restore_email(change.conn(), user, &token.address, password_hash::VOID, now).await {
            Ok(true) => {}
            Ok(false) => return Err(UndoEmailChangeError::InvalidToken),
            Err(DbError::UniqueViolation) => return Err(UndoEmailChangeError::EmailTaken),
            Err(error) => return Err(error.into()),
        }
        change.void(Act::AddressChangeUndone, user, None).await?;
        // Keep older undo tokens: they belong to the readers of addresses that the account had before this one.
        store::one_time_tokens::delete_undos_after(change.conn(), user, &token).await?;
        let language = token.language;
        let purpose = TokenPurpose::ResetPassword;
        let mail = TokenMail {
            purpose,
            cause: Cause::Reader,
            client,
            user: Some(user),
            session: None,
            address: &token.address,
            language,
        };
        change.enqueue_token_mail(mail).await?;
        change.record(NewEvent::by_owner(EventKind::EmailChangeUndone, user, None), client).await?;
        Ok(change.commit().await?)
    }
}
