//! What is promised together with a change: a secret by mail, a notice. All of it is written in the change's own
//! transaction, and done after it.

use countersign_db::{Conn, DbError};
use jiff::{SignedDuration, Timestamp};

use crate::accounts::Accounts;
use crate::model::{
    ClientInfo, EmailAddress, EventId, EventKind, Job, Language, OneTimeToken, OneTimeTokenId, SecurityEvent,
    SessionId, TokenPurpose, UserId,
};
use crate::secrets;
use crate::secrets::one_time_secret::hash_of;
use crate::store;

/// A secret that shall be sent.
pub(in crate::operations) struct Secret<'s> {
    pub(in crate::operations) purpose: TokenPurpose,
    /// `None` when nobody has the address, or nobody yet.
    pub(in crate::operations) user: Option<UserId>,
    /// The session that asks.
    pub(in crate::operations) session: Option<SessionId>,
    pub(in crate::operations) address: &'s EmailAddress,
    pub(in crate::operations) language: Language,
}

impl Accounts {
    /// Promises that a secret is sent. Those of the same user and purpose are out with it; but not those that undo, or
    /// whoever changes an address twice would leave its owner nothing.
    ///
    /// Where nobody has the address the same is written and superseded, so that it takes as long; no mail comes of it.
    pub(in crate::operations) async fn promise_secret(
        &self,
        mut conn: Conn<'_>,
        secret: Secret<'_>,
        now: Timestamp,
    ) -> Result<OneTimeTokenId, DbError> {
        let Secret { purpose, user, session, address, language } = secret;
        let id = OneTimeTokenId::new(now);
        let salt = secrets::bytes::<32>();
        let hash = hash_of(&self.one_time_keys().secret(id, &salt).token);
        match (purpose, user) {
            (TokenPurpose::UndoEmailChange | TokenPurpose::CompleteRegistration, _) => {}
            (_, Some(user)) => store::one_time_tokens::delete_of_user(conn.reborrow(), user, purpose).await?,
            (_, None) => store::one_time_tokens::delete_of_nobody(conn.reborrow(), address, purpose).await?,
        }
        let expires_at = now.saturating_add(self.lifetime(purpose)).unwrap_or(Timestamp::MAX);
        let salt = salt.to_vec();
        let address = address.clone();
        let token = OneTimeToken { id, purpose, user, session, address, language, salt, hash, expires_at };
        store::one_time_tokens::insert(conn.reborrow(), &token, now).await?;
        self.promise_job(conn, &Job::SendToken(id), now).await?;
        Ok(id)
    }

    /// Writes down what happened to an account, and promises its user a notice.
    pub(in crate::operations) async fn promise_notice(
        &self,
        mut conn: Conn<'_>,
        user: UserId,
        kind: EventKind,
        client: &ClientInfo,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let id = EventId::new(now);
        self.note_event(conn.reborrow(), id, user, kind, client, now).await?;
        self.promise_job(conn, &Job::SendNotice(id), now).await
    }

    /// Writes down what happened to an account.
    pub(in crate::operations) async fn note_event(
        &self,
        conn: Conn<'_>,
        id: EventId,
        user: UserId,
        kind: EventKind,
        client: &ClientInfo,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let address = client.address.ip().map(|address| address.to_string());
        let event = SecurityEvent { id, user, kind, address, user_agent: client.user_agent.clone(), happened_at: now };
        store::security_events::insert(conn, &event).await
    }

    fn lifetime(&self, purpose: TokenPurpose) -> SignedDuration {
        let config = self.config();
        match purpose {
            TokenPurpose::VerifyEmail | TokenPurpose::CompleteRegistration | TokenPurpose::ConfirmEmailChange => {
                config.verification_ttl
            }
            TokenPurpose::ResetPassword => config.reset_ttl,
            TokenPurpose::UndoEmailChange => config.email_undo_ttl,
        }
    }

    /// What somebody who asks reads, as far as they say.
    pub(in crate::operations) fn language_of(&self, client: &ClientInfo) -> Language {
        self.config().mail.templates.negotiate(client.languages.as_deref()).clone()
    }
}
