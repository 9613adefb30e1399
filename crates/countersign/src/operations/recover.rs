//! How somebody gets back in who has forgotten the password: by a secret that is sent to their address.

use std::sync::Arc;

use countersign_db::DbError;
use secrecy::SecretString;
use uuid::Uuid;

use super::steps::attempts::RequestMailError;
use super::steps::challenge::ChallengeRequired;
use super::steps::enqueue_mail::TokenMail;
use super::steps::record_event::Happened;
use super::steps::voids::Act;
use crate::accounts::Accounts;
use crate::config::Blocklist;
use crate::error::InternalError;
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{
    ChallengePurpose, ChallengeSolution, ClientInfo, EmailAddress, EventKind, Password, Standing, TokenPurpose,
    Verification,
};
use crate::secrets::hashing_pool::Overloaded;
use crate::secrets::one_time_secret::hash_of;
use crate::session_cache::Changed;
use crate::store;

/// Why no mail was promised.
#[derive(Debug, thiserror::Error)]
pub enum ForgotPasswordError {
    /// A proof of work has to be done first.
    #[error(transparent)]
    ChallengeRequired(#[from] ChallengeRequired),
    /// Too many mails for this network or this address.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// Something broke.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl From<DbError> for ForgotPasswordError {
    fn from(error: DbError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<RequestMailError> for ForgotPasswordError {
    fn from(error: RequestMailError) -> Self {
        match error {
            RequestMailError::TooMany(limited) => Self::TooMany(limited),
            RequestMailError::Internal(error) => Self::Internal(error),
        }
    }
}

/// Why no new password was set.
#[derive(Debug, thiserror::Error)]
pub enum ResetPasswordError {
    /// Unknown, used, superseded or expired, or the user is gone or has another address now.
    #[error("the reset token is not valid")]
    InvalidToken,
    /// The password is among the most common; the token can be used again.
    #[error("the password is among the most common ones")]
    CommonPassword,
    /// Too many secrets were presented by this network; the token can be used again.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// Too many passwords are being hashed; the token can be used again.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// Something broke.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl From<DbError> for ResetPasswordError {
    fn from(error: DbError) -> Self {
        Self::Internal(error.into())
    }
}

impl Accounts {
    /// Promises a mail by which a new password can be chosen, if somebody has this address. Nothing tells the caller
    /// whether.
    pub async fn forgot_password(
        &self,
        address: &EmailAddress,
        solution: Option<&ChallengeSolution>,
        client: &ClientInfo,
    ) -> Result<(), ForgotPasswordError> {
        self.demand_challenge::<ForgotPasswordError>(ChallengePurpose::ForgotPassword, solution).await?;
        self.take(Limit::Mail, client)?;
        let found = store::users::find_verification_by_email(self.db().read().await?.conn(), address).await?;
        let user = found.map(|(user, _)| user);
        self.mail_token_alone(TokenMail {
            purpose: TokenPurpose::ResetPassword,
            user,
            session: None,
            address,
            language: self.language_of(client),
        })
        .await?;
        Ok(())
    }

    /// Promises once more the mail that asks to confirm an address, if it waits for that. Nothing tells the caller whether.
    pub async fn resend_verification(
        &self,
        address: &EmailAddress,
        client: &ClientInfo,
    ) -> Result<(), RequestMailError> {
        self.take(Limit::Mail, client)?;
        let found = store::users::find_verification_by_email(self.db().read().await?.conn(), address).await?;
        let unverified = found.filter(|(_, verification)| *verification == Verification::Unverified);
        self.mail_token_alone(TokenMail {
            purpose: TokenPurpose::VerifyEmail,
            user: unverified.map(|(user, _)| user),
            session: None,
            address,
            language: self.language_of(client),
        })
        .await
    }

    async fn mail_token_alone(&self, mail: TokenMail<'_>) -> Result<(), RequestMailError> {
        // Where there is nobody, nobody's row is locked, which takes as long.
        let mut change = self.change(Changed::Rows(mail.user.unwrap_or(Uuid::nil().into()))).await?;
        let now = change.now();
        self.count_mail(change.conn(), mail.address, now).await??;
        match change.enqueue_token_mail(mail).await {
            // The user was deleted after we looked.
            Err(DbError::ForeignKeyViolation) => Ok(()),
            enqueued => {
                enqueued?;
                Ok(change.commit().await?)
            }
        }
    }

    /// Sets a new password by a token from a mail. That proves control of the address, so it ends all sessions, voids what was
    /// pending and clears failed attempts. Returns the cookie by which this device is known from then on; see
    /// [`Tokens::device_cookie`].
    ///
    /// [`Tokens::device_cookie`]: crate::Tokens::device_cookie
    pub async fn reset_password(
        &self,
        token: &SecretString,
        new: Password,
        client: &ClientInfo,
    ) -> Result<SecretString, ResetPasswordError> {
        self.take(Limit::Secret, client)?;
        if self.config().password.blocklist == Blocklist::Common && new.is_common() {
            return Err(ResetPasswordError::CommonPassword);
        }
        let hash = hash_of(token);
        let now = self.clock().now();
        let found = store::one_time_tokens::find_live(self.db().read().await?.conn(), &hash, now).await?;
        let token = found.filter(|token| token.purpose == TokenPurpose::ResetPassword);
        let token = token.ok_or(ResetPasswordError::InvalidToken)?;
        let user = token.user.ok_or(ResetPasswordError::InvalidToken)?;
        let asker = client.asker(Standing::Known);
        let new = self.hashing().hash(asker, self.config().password.hash_parameters, &Arc::new(new)).await?;

        let mut change = self.change(Changed::User(user)).await?;
        let now = change.now();
        let is_theirs = store::one_time_tokens::consume(change.conn(), token.id, now).await?
            && store::users::reset_password_hash(change.conn(), user, &token.address, &new, now).await?;
        if !is_theirs {
            return Err(ResetPasswordError::InvalidToken);
        }
        change.void(Act::PasswordReset, user, None).await?;
        self.forget_strangers(change.conn(), user).await?;
        let reset = Happened::by_owner(EventKind::PasswordReset, user, None);
        change.record_and_notify(reset, client).await?;
        change.commit().await?;
        Ok(self.keys().device_cookie(user, None, &new, now))
    }
}
