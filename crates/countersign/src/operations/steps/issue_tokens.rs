//! What a client gets for a session: an access token for a while, and the refresh token that gets the next one.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::model::{Methods, SessionId, Stay, UserId, later};
use crate::secrets::access_token::Bearer;

/// What a client needs to act as a user.
pub struct Tokens {
    /// The session that they are of.
    pub session: SessionId,
    /// How long it is meant to last, which says how long a browser keeps the cookie.
    pub stay: Stay,
    /// The access token, a JWT.
    pub access_token: SecretString,
    /// How long it is valid.
    pub expires_in: SignedDuration,
    /// The refresh token, valid once; opaque.
    pub refresh_token: SecretString,
    /// For browsers, instead of the two: the session's cookie.
    pub session_cookie: SecretString,
    /// For browsers, after a login: the cookie by which this device is known from then on, so that whoever guesses at the
    /// account from elsewhere does not keep its user out. It opens nothing. A device that others use, too, gets none.
    pub device_cookie: Option<SecretString>,
}

/// A session, as far as its tokens depend on it.
pub(in crate::operations) struct Issue {
    pub(in crate::operations) user: UserId,
    pub(in crate::operations) session: SessionId,
    pub(in crate::operations) authenticated_at: Timestamp,
    pub(in crate::operations) methods: Methods,
    pub(in crate::operations) stay: Stay,
    pub(in crate::operations) salt: Vec<u8>,
    pub(in crate::operations) refresh_counter: u64,
    /// When the session ends, whatever happens; no token outlives it.
    pub(in crate::operations) expires_at: Timestamp,
}

impl Accounts {
    /// Makes the tokens; nothing of them is stored.
    pub(in crate::operations) async fn issue_tokens(
        &self,
        issue: &Issue,
        now: Timestamp,
    ) -> Result<Tokens, InternalError> {
        let ends_at = later(now, self.config().session.access_token_ttl).min(issue.expires_at);
        let bearer = Bearer { user: issue.user, session: issue.session, authenticated_at: issue.authenticated_at };
        Ok(Tokens {
            session: issue.session,
            stay: issue.stay,
            access_token: self.sign_access_token(bearer, issue.methods, now, ends_at).await?.into(),
            expires_in: ends_at.duration_since(now),
            device_cookie: None,
            session_cookie: self.keys().session_cookie(issue.session, &issue.salt),
            refresh_token: self.keys().refresh_token(issue.session, &issue.salt, issue.refresh_counter),
        })
    }
}
