//! Resending of the verification mail.

use crate::accounts::Accounts;
use crate::limits::Limit;
use crate::model::{ClientInfo, EmailAddress, TokenPurpose, Verification};
use crate::operations::steps::attempts::RequestMailError;
use crate::operations::steps::enqueue_mail::{Cause, TokenMail};
use crate::store;

impl Accounts {
    /// Enqueues another verification mail if the address is unverified. The caller cannot tell whether it is.
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
            cause: Cause::Anybody,
            client,
            user: unverified.map(|(user, _)| user),
            session: None,
            address,
            language: self.language_of(client),
        })
        .await
    }
}
