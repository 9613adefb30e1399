//! The two ways in which a change causes a mail: a secret, or a notice. Each is counted for its address here, and its job is written in
//! the change's own transaction and done after it.

use countersign_db::DbError;
use jiff::SignedDuration;
use uuid::Uuid;

use super::attempts::RequestMailError;
use super::change::Change;
use crate::accounts::Accounts;
use crate::limits::TooManyAttempts;
use crate::model::{
    ClientInfo, EmailAddress, EventId, EventKind, Job, Language, OneTimeToken, OneTimeTokenId, SessionId, TokenPurpose,
    UserId, Verification, later,
};
use crate::secrets;
use crate::secrets::attempt_key::Counted;
use crate::secrets::one_time_secret::hash_of;
use crate::session_cache::Changed;
use crate::store;

/// Who causes a mail with a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::operations) enum Cause {
    /// Anybody can, so it is counted for its address, whether or not somebody has that.
    Anybody,
    /// An act on the account that has the address, which nobody has proven. It is counted apart, because how many mails are left of
    /// those that anybody can cause must not tell that there is an account.
    Account,
    /// Somebody by an address that its reader has proven, which has to be done again before the next. So it is not counted: what others
    /// use up must not keep the owner's way back from the owner.
    Reader,
}

/// A secret that is to be sent.
pub(in crate::operations) struct TokenMail<'s> {
    pub(in crate::operations) purpose: TokenPurpose,
    pub(in crate::operations) cause: Cause,
    /// Who asks.
    pub(in crate::operations) client: &'s ClientInfo,
    /// `None` when nobody has the address, or nobody yet.
    pub(in crate::operations) user: Option<UserId>,
    /// The session that asks. The token is worth nothing once it has ended.
    pub(in crate::operations) session: Option<SessionId>,
    pub(in crate::operations) address: &'s EmailAddress,
    pub(in crate::operations) language: Language,
}

/// What became of a mail with a secret.
pub(in crate::operations) enum Enqueued {
    Token(OneTimeTokenId),
    /// The session that asks has ended.
    SessionOver,
    /// The address has got as many as it may.
    TooMany(TooManyAttempts),
}

impl Change<'_> {
    /// Enqueues a mail with a new secret. Earlier tokens of the same user and purpose are superseded; not those that undo, because a
    /// second change must not remove the owner's way back.
    ///
    /// Where nobody has the address the same is written and superseded, so that it takes as long; no mail comes of it.
    pub(in crate::operations) async fn enqueue_token_mail(&mut self, mail: TokenMail<'_>) -> Result<Enqueued, DbError> {
        let TokenMail { purpose, cause, client, user, session, address, language } = mail;
        let (accounts, now) = (self.accounts, self.now());
        if let (Some(session), Some(user)) = (session, user)
            && store::sessions::find_stay(self.conn(), session, user, now).await?.is_none()
        {
            return Ok(Enqueued::SessionOver);
        }
        let counted = match cause {
            Cause::Anybody => Some(Counted::MailTo(address)),
            Cause::Account => Some(Counted::MailOfAccountTo(address)),
            Cause::Reader => None,
        };
        if let Some(counted) = counted
            && let Some(limited) = accounts.count_mail(self.conn(), &counted, now).await?
        {
            return Ok(Enqueued::TooMany(limited));
        }
        let id = OneTimeTokenId::new(now);
        let salt = secrets::bytes::<32>();
        let hash = hash_of(&accounts.keys().one_time_secret(id, &salt).token);
        match (purpose.is_superseded(), user) {
            (false, _) => {}
            (true, Some(user)) => store::one_time_tokens::delete_of_user(self.conn(), user, purpose).await?,
            (true, None) => store::one_time_tokens::delete_of_nobody(self.conn(), address, purpose).await?,
        }
        let expires_at = later(now, accounts.lifetime(purpose));
        let salt = salt.to_vec();
        let address = address.clone();
        let token =
            OneTimeToken { id, purpose, user, session, address, language, salt, hash, created_at: now, expires_at };
        let asker = accounts.keys().attempt_key(&Counted::CodesOf(client.network()));
        store::one_time_tokens::insert(self.conn(), &token, &asker).await?;
        self.enqueue(&Job::SendToken(id)).await?;
        Ok(Enqueued::Token(id))
    }

    /// Enqueues the notice of an event to its user; not to an address that nobody has proven, whose reader may be a stranger, and
    /// not beyond the limit.
    pub(super) async fn enqueue_notice(
        &mut self,
        event: EventId,
        kind: EventKind,
        user: UserId,
    ) -> Result<(), DbError> {
        let (accounts, now) = (self.accounts, self.now());
        let contact = store::users::find_contact(self.conn(), user).await?;
        let Some(contact) = contact.filter(|contact| contact.verification == Verification::Verified) else {
            return Ok(());
        };
        match accounts.count_mail(self.conn(), &Counted::NoticeTo(kind, &contact.email), now).await? {
            Some(_) => Ok(()),
            None => self.enqueue(&Job::SendNotice(event)).await,
        }
    }
}

impl Accounts {
    /// Enqueues a mail with a secret that anybody can ask for.
    pub(in crate::operations) async fn mail_token_alone(&self, mail: TokenMail<'_>) -> Result<(), RequestMailError> {
        // Where there is nobody, nobody's row is locked, which takes as long.
        let mut change = self.change(Changed::Rows(mail.user.unwrap_or(Uuid::nil().into()))).await?;
        match change.enqueue_token_mail(mail).await {
            // The user was deleted after we looked.
            Err(DbError::ForeignKeyViolation) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(Enqueued::TooMany(limited)) => Err(limited.into()),
            Ok(Enqueued::Token(_) | Enqueued::SessionOver) => Ok(change.commit().await?),
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
