//! Mail jobs: what a mail says depends on the state when it is sent, and a mail that is no longer needed is not sent.

use countersign_db::DbError;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use super::JobError;
use crate::accounts::Accounts;
use crate::mail::{Message, Recipient, without_links};
use crate::model::{
    Contact, Device, EmailAddress, EventId, EventKind, JobId, Language, OneTimeToken, OneTimeTokenId, TokenPurpose,
    UserId, Verification,
};
use crate::secrets::one_time_secret::OneTimeSecret;
use crate::store;

impl Accounts {
    /// Sends a one-time token to its address, or the mail that its purpose has become meanwhile.
    pub(super) async fn send_token(&self, id: OneTimeTokenId, job: JobId) -> Result<(), JobError> {
        let now = self.clock().now();
        let found = store::one_time_tokens::find(self.db().read().await?.conn(), id).await?;
        let Some(token) = found.filter(|token| token.expires_at > now) else {
            return Ok(());
        };
        match (token.purpose, token.user) {
            (TokenPurpose::CompleteRegistration, _) => self.send_registration(&token, job, now).await,
            (TokenPurpose::VerifyEmail, None) => self.send_registration_again(&token, job, now).await,
            // Keep it until it is superseded or expires, like the token of an existing user.
            (_, None) => Ok(()),
            (_, Some(user)) => self.send_users_token(&token, user, job, now).await,
        }
    }

    async fn send_users_token(
        &self,
        token: &OneTimeToken,
        user: UserId,
        job: JobId,
        now: Timestamp,
    ) -> Result<(), JobError> {
        let Some(contact) = store::users::find_contact(self.db().read().await?.conn(), user).await? else {
            return Ok(()); // the token was deleted with the user
        };
        let is_theirs = contact.email == token.address;
        let links = &self.config().links;
        let message = match token.purpose {
            TokenPurpose::ResetPassword if is_theirs => {
                let link = self.secret_link(&links.reset_password, &self.secret_of(token)?);
                Message::ResetPassword { link, minutes: minutes(self.config().recovery.reset_ttl) }
            }
            TokenPurpose::VerifyEmail if is_theirs => {
                let secret = self.secret_of(token)?;
                let (link, minutes) = (self.secret_link(&links.verify_email, &secret), self.verification_minutes());
                Message::VerifyEmail { link, code: secret.code, minutes }
            }
            TokenPurpose::ConfirmEmailChange => {
                if self.find_owner(&token.address).await?.is_some() {
                    // Keep it like one that is sent: the account shows which address waits for its proof.
                    return Ok(());
                }
                let secret = self.secret_of(token)?;
                let (link, minutes) = (self.secret_link(&links.verify_email, &secret), self.verification_minutes());
                Message::ConfirmEmailChange { link, code: secret.code, minutes }
            }
            TokenPurpose::UndoEmailChange | TokenPurpose::UndoUnprovenChange if !is_theirs => {
                let undo_link = self.secret_link(&links.undo_email_change, &self.secret_of(token)?);
                let days = u32::try_from(self.config().recovery.email_undo_ttl.as_hours() / 24).unwrap_or(u32::MAX);
                Message::EmailChanged { new_address: masked(&contact.email), undo_link, days }
            }
            _ => return self.drop_token(token.id).await,
        };
        // At another address than the account's, the name may be that of a stranger or a thief.
        let proven = if is_theirs { contact.verification } else { Verification::Unverified };
        let language = contact.language.unwrap_or_else(|| token.language.clone());
        let recipient = recipient(token.address.clone(), contact.username, proven, language);
        Ok(self.mailer().send(&recipient, &message, job.uuid(), now).await?)
    }

    /// Mails how to complete the registration, or that the address already has an account.
    async fn send_registration(&self, token: &OneTimeToken, job: JobId, now: Timestamp) -> Result<(), JobError> {
        let links = &self.config().links;
        if let Some(owner) = self.find_owner(&token.address).await? {
            let (login_link, reset_link) =
                (self.config().link(&links.log_in), self.config().link(&links.forgot_password));
            let message = Message::AlreadyRegistered { login_link, reset_link };
            let language = owner.language.unwrap_or_else(|| token.language.clone());
            let recipient = recipient(owner.email, owner.username, owner.verification, language);
            self.mailer().send(&recipient, &message, job.uuid(), now).await?;
            return self.drop_token(token.id).await;
        }
        let Some(registration) = store::registrations::find(self.db().read().await?.conn(), token.id).await? else {
            return self.drop_token(token.id).await;
        };
        let secret = self.secret_of(token)?;
        let (link, minutes) = (self.secret_link(&links.verify_email, &secret), self.verification_minutes());
        let message = Message::CompleteRegistration { link, code: secret.code, minutes };
        let username = registration.username.as_str().to_owned();
        let recipient = recipient(token.address.clone(), username, Verification::Unverified, token.language.clone());
        Ok(self.mailer().send(&recipient, &message, job.uuid(), now).await?)
    }

    /// Sends the mail of a registration that waits for the address, which no unverified user has.
    async fn send_registration_again(&self, token: &OneTimeToken, job: JobId, now: Timestamp) -> Result<(), JobError> {
        let waiting = store::one_time_tokens::find_registration(self.db().read().await?.conn(), token, now).await?;
        if let Some(registration) = waiting
            && self.find_owner(&token.address).await?.is_none()
        {
            self.send_registration(&registration, job, now).await?;
        }
        Ok(())
    }

    /// Notifies a user of an account event.
    pub(super) async fn send_notice(&self, id: EventId, job: JobId) -> Result<(), JobError> {
        let now = self.clock().now();
        let mut read = self.db().read().await?;
        let Some(event) = store::events::find(read.conn(), id).await? else {
            return Ok(()); // the event was deleted
        };
        let contact = store::users::find_contact(read.conn(), event.subject).await?;
        // The address may have changed since and be unverified.
        let Some(contact) = contact.filter(|contact| contact.verification == Verification::Verified) else {
            return Ok(());
        };
        drop(read);
        let (links, at) = (&self.config().links, event.happened_at);
        let account_link = self.config().link(&links.account);
        let message = match event.kind {
            EventKind::RefreshTokenReused => Message::RefreshTokenReused { at, account_link },
            EventKind::NewSignIn => {
                let device = event.user_agent.as_deref().and_then(Device::parse);
                let address = event.address.unwrap_or_else(|| "?".to_owned());
                Message::NewSignIn { device, address, at, account_link }
            }
            EventKind::PasswordChanged | EventKind::PasswordReset => {
                Message::PasswordChanged { at, reset_link: self.config().link(&links.forgot_password) }
            }
            // Other events cause no notice. The old address learns of a change by its undo link.
            _ => return Ok(()),
        };
        let language = contact.language.unwrap_or_else(|| self.config().mail.templates.default_language().clone());
        let recipient = recipient(contact.email, contact.username, contact.verification, language);
        Ok(self.mailer().send(&recipient, &message, job.uuid(), now).await?)
    }

    async fn drop_token(&self, id: OneTimeTokenId) -> Result<(), JobError> {
        let mut tx = self.db().write().await?;
        store::one_time_tokens::delete(tx.conn(), id).await?;
        Ok(tx.commit().await?)
    }

    async fn find_owner(&self, address: &EmailAddress) -> Result<Option<Contact>, DbError> {
        let mut read = self.db().read().await?;
        match store::users::find_verification_by_email(read.conn(), address).await? {
            Some((user, _)) => store::users::find_contact(read.conn(), user).await,
            None => Ok(None),
        }
    }

    fn secret_of(&self, token: &OneTimeToken) -> Result<OneTimeSecret, JobError> {
        let secret = self.keys().recover_one_time_secret(token.id, &token.salt, &token.hash);
        secret.ok_or_else(|| {
            let text = "it was promised under another SECRET_KEY; give that one in SECRET_KEY_PREVIOUS";
            JobError::Later(text.to_owned())
        })
    }

    fn secret_link(&self, page: &str, secret: &OneTimeSecret) -> SecretString {
        let page = self.config().link(page);
        let separator = if page.contains('?') { '&' } else { '?' };
        format!("{page}{separator}token={}", secret.token.expose_secret()).into()
    }

    fn verification_minutes(&self) -> u32 {
        minutes(self.config().registration.verification_ttl)
    }
}

/// Returns the recipient of a mail. At an unverified address, a username must not lead to another site.
fn recipient(address: EmailAddress, username: String, proven: Verification, language: Language) -> Recipient {
    let username = match proven {
        Verification::Verified => username,
        Verification::Unverified => without_links(&username),
    };
    Recipient { address, username, language }
}

fn minutes(ttl: SignedDuration) -> u32 {
    u32::try_from(ttl.as_mins()).unwrap_or(u32::MAX)
}

/// Masks an address: recognisable, but useless for writing to it or visiting its site. The old address may be somebody
/// else's by now, and the owner of the new one chose its domain.
fn masked(address: &EmailAddress) -> String {
    let (local, domain) = address.as_str().split_once('@').unwrap_or((address.as_str(), ""));
    let first = |text: &str| text.chars().next().unwrap_or('?');
    let ending = domain.rsplit('.').next().unwrap_or_default();
    format!("{}…@{}….{ending}", first(local), first(domain))
}
