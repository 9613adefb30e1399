//! Forgotten passwords: mails a secret to the account's address.

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{ChallengePurpose, ChallengeSolution, ClientInfo, EmailAddress, TokenPurpose};
use crate::operations::steps::attempts::RequestMailError;
use crate::operations::steps::challenge::ChallengeRequired;
use crate::operations::steps::enqueue_mail::{Cause, TokenMail};
use crate::store;

/// Why no mail was enqueued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForgotPasswordError {
    /// A proof of work is required first.
    #[error(transparent)]
    ChallengeRequired(#[from] ChallengeRequired),
    /// Too many mails requested by this network or sent to this address.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(ForgotPasswordError);

impl From<RequestMailError> for ForgotPasswordError {
    fn from(error: RequestMailError) -> Self {
        match error {
            RequestMailError::TooMany(limited) => Self::TooMany(limited),
            RequestMailError::Internal(error) => Self::Internal(error),
        }
    }
}

impl Accounts {
    /// Enqueues a mail with a password reset link, if a user has this address. The caller cannot tell whether one has.
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
            cause: Cause::Anybody,
            client,
            user,
            session: None,
            address,
            language: self.language_of(client),
        })
        .await?;
        Ok(())
    }
}
