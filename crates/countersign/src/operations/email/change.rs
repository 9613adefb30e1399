//! Requested address changes: a mail to the new address, which its reader confirms.

use crate::accounts::Accounts;
use crate::limits::Limit;
use crate::model::{ClientInfo, EmailAddress, SessionId, TokenPurpose, UserId};
use crate::operations::steps::attempts::RequestMailError;
use crate::operations::steps::enqueue_mail::{Cause, Enqueued, TokenMail};
use crate::session_cache::Changed;
use crate::store;

impl Accounts {
    /// Enqueues a mail to `address` with a link that makes it this user's. The caller cannot tell whether the address
    /// is taken.
    pub async fn request_email_change(
        &self,
        user: UserId,
        session: SessionId,
        address: &EmailAddress,
        client: &ClientInfo,
    ) -> Result<(), RequestMailError> {
        self.take(Limit::Mail, client)?;
        let mut change = self.change(Changed::Rows(user)).await?;
        let contact = store::users::find_contact(change.conn(), user).await?;
        let language = contact.and_then(|contact| contact.language).unwrap_or_else(|| self.language_of(client));
        let purpose = TokenPurpose::ConfirmEmailChange;
        let mail = TokenMail {
            purpose,
            cause: Cause::Anybody,
            client,
            user: Some(user),
            session: Some(session),
            address,
            language,
        };
        match change.enqueue_token_mail(mail).await? {
            Enqueued::TooMany(limited) => Err(limited.into()),
            // If the session has ended meanwhile, nothing is sent.
            Enqueued::Token(_) | Enqueued::SessionOver => Ok(change.commit().await?),
        }
    }
}
