//! The tokens of a session: a short-lived access token, a refresh token, and a cookie for browsers.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::model::{Methods, SessionId, Stay, UserId, later};
use crate::secrets::access_token::Bearer;

/// The tokens by which a client acts as a user.
#[non_exhaustive]
pub struct Tokens {
    /// The session they belong to.
    pub session: SessionId,
    /// How long the session should last, which determines how long a browser keeps the cookie.
    pub stay: Stay,
    /// The access token, a JWT.
    pub access_token: SecretString,
    /// How long the access token is valid.
    pub expires_in: SignedDuration,
    /// The refresh token; opaque, and valid once.
    pub refresh_token: SecretString,
    /// For browsers, instead of the two tokens: the session cookie.
    pub session_cookie: SecretString,
    /// For browsers, after a login: the device cookie. It marks a known device, so that an attacker who guesses from
    /// elsewhere does not lock the user out. It opens nothing. Shared devices get none.
    pub device_cookie: Option<SecretString>,
}

/// The parts of a session that its tokens depend on.
pub(in crate::operations) struct Issue {
    pub(in crate::operations) user: UserId,
    pub(in crate::operations) session: SessionId,
    pub(in crate::operations) authenticated_at: Timestamp,
    pub(in crate::operations) methods: Methods,
    pub(in crate::operations) stay: Stay,
    pub(in crate::operations) salt: Vec<u8>,
    pub(in crate::operations) refresh_counter: u64,
    /// The absolute end of the session; no token outlives it.
    pub(in crate::operations) expires_at: Timestamp,
}

impl Accounts {
    /// Makes the tokens. None of them is stored.
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
