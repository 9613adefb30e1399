//! How an account gets another address: by a proof that comes from the new one, and until it is too late to be
//! undone from the old one.

use countersign_db::DbError;
use secrecy::SecretString;

use super::steps::attempts::RequestMailError;
use super::steps::promise::Secret;
use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{ClientInfo, EmailAddress, EventId, EventKind, SessionId, TokenPurpose, UserId};
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

impl From<DbError> for UndoEmailChangeError {
    fn from(error: DbError) -> Self {
        Self::Internal(error.into())
    }
}

impl Accounts {
    /// Promises a mail to `address`, by which it becomes this user's. Nothing tells the caller whether somebody has it.
    pub async fn request_email_change(
        &self,
        user: UserId,
        session: SessionId,
        address: &EmailAddress,
        client: &ClientInfo,
    ) -> Result<(), RequestMailError> {
        self.take(Limit::Mail, client)?;
        let now = self.clock().now();
        let mut tx = self.db().write().await?;
        self.count_mail(tx.conn(), address, now).await??;
        let contact = store::users::find_contact(tx.conn(), user).await?;
        let language = contact.and_then(|contact| contact.language).unwrap_or_else(|| self.language_of(client));
        let purpose = TokenPurpose::ConfirmEmailChange;
        let secret = Secret { purpose, user: Some(user), session: Some(session), address, language };
        match self.promise_secret(tx.conn(), secret, now).await {
            // The account was deleted meanwhile.
            Err(DbError::ForeignKeyViolation) => return Ok(()),
            promised => promised?,
        };
        tx.commit().await?;
        self.jobs_are_due();
        Ok(())
    }

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
        let token = found.filter(|token| token.purpose == TokenPurpose::UndoEmailChange);
        let token = token.ok_or(UndoEmailChangeError::InvalidToken)?;
        let user = token.user.ok_or(UndoEmailChangeError::InvalidToken)?;
        let mut tx = self.change(Changed::User(user)).await?;
        if !store::one_time_tokens::consume(tx.conn(), token.id).await? {
            return Err(UndoEmailChangeError::InvalidToken);
        }
        match store::users::restore_email(tx.conn(), user, &token.address, password_hash::VOID, now).await {
            Ok(true) => {}
            Ok(false) => return Err(UndoEmailChangeError::InvalidToken),
            Err(DbError::UniqueViolation) => return Err(UndoEmailChangeError::EmailTaken),
            Err(error) => return Err(error.into()),
        }
        for purpose in [TokenPurpose::VerifyEmail, TokenPurpose::ConfirmEmailChange] {
            store::one_time_tokens::delete_of_user(tx.conn(), user, purpose).await?;
        }
        // Not the older ones: they belong to whoever had the account before this address came to it.
        store::one_time_tokens::delete_undos_after(tx.conn(), user, &token).await?;
        store::sessions::delete_others(tx.conn(), user, None).await?;
        store::changes::insert(tx.conn(), user, None, now).await?;
        let language = token.language;
        let purpose = TokenPurpose::ResetPassword;
        let reset = Secret { purpose, user: Some(user), session: None, address: &token.address, language };
        self.promise_secret(tx.conn(), reset, now).await?;
        self.note_event(tx.conn(), EventId::new(now), user, EventKind::EmailChanged, client, now).await?;
        tx.commit().await?;
        self.jobs_are_due();
        Ok(())
    }
}
