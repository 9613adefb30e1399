//! The two kinds of mail that a change enqueues: a secret or a notice. Each counts against its address here. The job is
//! written in the change's transaction and runs after it.

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

/// What causes a mail with a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::operations) enum Cause {
    /// Any client can cause it, so it counts against the address, whether or not an account has it.
    Anybody,
    /// An act on the account that has the address, which is unverified. It has its own counter: how many mails are left
    /// of those that anybody can cause must not reveal that the account exists.
    Account,
    /// An act of the address's reader, who has to prove the address again before the next one. It is not counted: an
    /// attacker must not be able to use up the owner's way back.
    Reader,
}

/// A secret to mail.
pub(in crate::operations) struct TokenMail<'s> {
    pub(in crate::operations) purpose: TokenPurpose,
    pub(in crate::operations) cause: Cause,
    /// The client that requests it.
    pub(in crate::operations) client: &'s ClientInfo,
    /// `None` if no user has the address, or none yet.
    pub(in crate::operations) user: Option<UserId>,
    /// The session that requests it. The token is void once the session has ended.
    pub(in crate::operations) session: Option<SessionId>,
    pub(in crate::operations) address: &'s EmailAddress,
    pub(in crate::operations) language: Language,
}

/// The result of enqueuing a mail with a secret.
pub(in crate::operations) enum Enqueued {
    Token(OneTimeTokenId),
    /// The session that requests it has ended.
    SessionOver,
    /// The address has reached its limit.
    TooMany(TooManyAttempts),
}

impl Change<'_> {
    /// Enqueues a mail with a new secret. Supersedes earlier tokens of the same user and purpose, except undo tokens,
    /// because a second change must not remove the owner's way back.
    ///
    /// If no user has the address, the same rows are written and superseded, so that it takes as long, but no mail is
    /// sent.
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
            (true, None) => store::one_time_tokens::delete_without_user(self.conn(), address, purpose).await?,
        }
        let expires_at = later(now, accounts.lifetime(purpose));
        let salt = salt.to_vec();
        let address = address.clone();
        let token =
            OneTimeToken { id, purpose, user, session, address, language, salt, hash, created_at: now, expires_at };
        let requester = accounts.keys().attempt_key(&Counted::CodesOf(client.network()));
        store::one_time_tokens::insert(self.conn(), &token, &requester).await?;
        self.enqueue(&Job::SendToken(id)).await?;
        Ok(Enqueued::Token(id))
    }

    /// Enqueues the notice of an event to its user. Sends none to an unverified address, whose reader may be a
    /// stranger, and none above the limit.
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
    /// Enqueues a mail with a secret that any client can request.
    pub(in crate::operations) async fn mail_token_alone(&self, mail: TokenMail<'_>) -> Result<(), RequestMailError> {
        // Without a user, lock the row of the nil id, which takes as long.
        let mut change = self.change(Changed::Rows(mail.user.unwrap_or(Uuid::nil().into()))).await?;
        match change.enqueue_token_mail(mail).await {
            // The user was deleted after the lookup.
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

    /// Returns the language of the client, negotiated from its `Accept-Language` header.
    pub(in crate::operations) fn language_of(&self, client: &ClientInfo) -> Language {
        self.config().mail.templates.negotiate(client.languages.as_deref()).clone()
    }
}
