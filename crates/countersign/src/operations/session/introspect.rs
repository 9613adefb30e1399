//! Token introspection for other services (RFC 7662).

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::model::{Authenticated, LiveSession, Methods, SessionId, User};
use crate::secrets::session_secret::PresentedRefreshToken;
use crate::store;

/// A token that is currently valid.
#[non_exhaustive]
pub struct ActiveToken {
    /// The user it belongs to.
    pub user: User,
    /// The session it belongs to.
    pub session: SessionId,
    /// Access or refresh token.
    pub kind: TokenKind,
    /// When the user last authenticated, as far as this token proves it.
    pub authenticated_at: Timestamp,
    /// The methods of that authentication.
    pub methods: Methods,
}

/// The two tokens of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// Sent with each request.
    Access,
    /// Exchanged for new tokens.
    Refresh,
}

impl ActiveToken {
    fn new(found: Authenticated, kind: TokenKind) -> Self {
        let Authenticated { user, session, authenticated_at, methods } = found;
        Self { user, session, kind, authenticated_at, methods }
    }
}

impl Accounts {
    /// Returns what a token currently grants, or `None` if it grants nothing.
    pub async fn introspect(&self, token: &SecretString) -> Result<Option<ActiveToken>, InternalError> {
        let now = self.clock().now();
        if let Some(token) = PresentedRefreshToken::parse(token) {
            return self.introspect_refresh_token(&token, now).await;
        }
        let found = self.verify_access_token(token.expose_secret()).await?;
        Ok(found.map(|found| ActiveToken::new(found, TokenKind::Access)))
    }

    async fn introspect_refresh_token(
        &self,
        token: &PresentedRefreshToken,
        now: Timestamp,
    ) -> Result<Option<ActiveToken>, InternalError> {
        let found = store::sessions::find_live(self.db().read().await?.conn(), token.session, now).await?;
        let is_valid = |session: &LiveSession| {
            session.refresh_counter <= token.counter && self.keys().is_genuine_refresh_token(token, &session.salt)
        };
        Ok(found.filter(is_valid).map(|found| ActiveToken::new(found.authenticated, TokenKind::Refresh)))
    }

    /// Returns whether `secret` is the configured introspection secret, compared in constant time.
    pub fn may_introspect(&self, secret: &str) -> bool {
        let known = self.config().tokens.introspection_secret.as_ref();
        known.is_some_and(|known| known.expose().as_bytes().ct_eq(secret.as_bytes()).into())
    }
}
