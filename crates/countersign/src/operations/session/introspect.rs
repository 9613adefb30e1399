//! What another service may learn of a token that was presented to it (RFC 7662).

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::model::{Authenticated, LiveSession, Methods, SessionId, User};
use crate::secrets::session_secret::PresentedRefreshToken;
use crate::store;

/// A token that is valid now.
pub struct ActiveToken {
    /// Whose it is.
    pub user: User,
    /// The session that it belongs to.
    pub session: SessionId,
    /// Which of the two it is.
    pub kind: TokenKind,
    /// When the user last proved who they are, as far as this token counts for it.
    pub authenticated_at: Timestamp,
    /// How they did.
    pub methods: Methods,
}

/// The two tokens of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Sent with each request.
    Access,
    /// Gets the next tokens.
    Refresh,
}

impl ActiveToken {
    fn new(found: Authenticated, kind: TokenKind) -> Self {
        let Authenticated { user, session, authenticated_at, methods } = found;
        Self { user, session, kind, authenticated_at, methods }
    }
}

impl Accounts {
    /// What a token is good for at the moment; `None` when for nothing.
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

    /// Whether this is the secret that other services ask about tokens with.
    pub fn may_introspect(&self, secret: &str) -> bool {
        let known = self.config().tokens.introspection_secret.as_ref();
        known.is_some_and(|known| known.expose().as_bytes().ct_eq(secret.as_bytes()).into())
    }
}
