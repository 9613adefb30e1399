//! The way back for the reader of the former address: a change is undone, and everything opened since is closed.

use countersign_db::DbError;
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{ClientInfo, EventKind, TokenPurpose};
use crate::operations::steps::enqueue_mail::{Cause, TokenMail};
use crate::operations::steps::record_event::Happened;
use crate::operations::steps::voids::Act;
use crate::secrets::one_time_secret::hash_of;
use crate::secrets::password_hash;
use crate::session_cache::Changed;
use crate::store;

/// Why nothing was undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoEmailChangeError {
    /// Unknown, used or expired.
    #[error("the link is not valid")]
    InvalidToken,
    /// Somebody else has the former address by now.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Too many secrets were presented by this network; the token can be used again.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// Something broke.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(UndoEmailChangeError);

impl Accounts {
    /// Makes the former address the user's again, by a token that was sent there. Whoever changed it knows the password or
    /// sits at an open session, so both are out: all sessions end, the password is void, and a mail lets a new one be
    /// chosen.
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
        // Not the older ones: they belong to those who had the account before this address came to it.
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
        change.record(Happened::by_owner(EventKind::EmailChangeUndone, user, None), client).await?;
        Ok(change.commit().await?)
    }
}
