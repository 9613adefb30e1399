//! Mails that a change causes: a secret, a notice. The job is written in the change's own transaction and done after it.

use countersign_db::DbError;
use jiff::SignedDuration;
use uuid::Uuid;

use super::attempts::RequestMailError;
use super::change::Change;
use crate::accounts::Accounts;
use crate::model::{
    ClientInfo, EmailAddress, Job, Language, OneTimeToken, OneTimeTokenId, SessionId, TokenPurpose, UserId, later,
};
use crate::secrets;
use crate::secrets::one_time_secret::hash_of;
use crate::session_cache::Changed;
use crate::store;

/// A secret that is to be sent.
pub(in crate::operations) struct TokenMail<'s> {
    pub(in crate::operations) purpose: TokenPurpose,
    /// `None` when nobody has the address, or nobody yet.
    pub(in crate::operations) user: Option<UserId>,
    /// The session that asks. The token is worth nothing once it has ended.
    pub(in crate::operations) session: Option<SessionId>,
    pub(in crate::operations) address: &'s EmailAddress,
    pub(in crate::operations) language: Language,
}

impl Change<'_> {
    /// Enqueues a mail with a new secret; `None` when the session that asks has ended. Earlier tokens of the
    /// same user and purpose are superseded; not those that undo, because a second change must not remove the owner's way back.
    ///
    /// Where nobody has the address the same is written and superseded, so that it takes as long; no mail comes of it.
    pub(in crate::operations) async fn enqueue_token_mail(
        &mut self,
        mail: TokenMail<'_>,
    ) -> Result<Option<OneTimeTokenId>, DbError> {
        let TokenMail { purpose, user, session, address, language } = mail;
        let now = self.now();
        if let (Some(session), Some(user)) = (session, user)
            && !store::sessions::lives(self.conn(), session, user, now).await?
        {
            return Ok(None);
        }
        let id = OneTimeTokenId::new(now);
        let salt = secrets::bytes::<32>();
        let hash = hash_of(&self.accounts.keys().one_time_secret(id, &salt).token);
        match (purpose.is_superseded(), user) {
            (false, _) => {}
            (true, Some(user)) => store::one_time_tokens::delete_of_user(self.conn(), user, purpose).await?,
            (true, None) => store::one_time_tokens::delete_of_nobody(self.conn(), address, purpose).await?,
        }
        let expires_at = later(now, self.accounts.lifetime(purpose));
        let salt = salt.to_vec();
        let address = address.clone();
        let token =
            OneTimeToken { id, purpose, user, session, address, language, salt, hash, created_at: now, expires_at };
        store::one_time_tokens::insert(self.conn(), &token).await?;
        self.enqueue(&Job::SendToken(id)).await?;
        Ok(Some(id))
    }
}

impl Accounts {
    /// Enqueues a mail with a secret that anybody can ask for, and counts it for its address, whether or not somebody has that.
    pub(in crate::operations) async fn mail_token_alone(&self, mail: TokenMail<'_>) -> Result<(), RequestMailError> {
        // Where there is nobody, nobody's row is locked, which takes as long.
        let mut change = self.change(Changed::Rows(mail.user.unwrap_or(Uuid::nil().into()))).await?;
        let now = change.now();
        self.count_mail::<RequestMailError>(change.conn(), mail.address, now).await?;
        match change.enqueue_token_mail(mail).await {
            // The user was deleted after we looked.
            Err(DbError::ForeignKeyViolation) => Ok(()),
            enqueued => {
                enqueued?;
                Ok(change.commit().await?)
            }
        }
    }

    fn lifetime(&self, purpose: TokenPurpose) -> SignedDuration {
        let config = self.config();
        match purpose {
            TokenPurpose::VerifyEmail | TokenPurpose::CompleteRegistration | TokenPurpose::ConfirmEmailChange => {
                config.registration.verification_ttl
            }
            TokenPurpose::ResetPassword => config.recovery.reset_ttl,
            TokenPurpose::UndoEmailChange | TokenPurpose::UndoUnprovenChange => config.recovery.email_undo_ttl,
        }
    }

    /// What somebody who asks reads, as far as they say.
    pub(in crate::operations) fn language_of(&self, client: &ClientInfo) -> Language {
        self.config().mail.templates.negotiate(client.languages.as_deref()).clone()
    }
}
