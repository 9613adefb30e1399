//! Logout: ends one session, all other sessions, or the session of a token.

use countersign_db::DbError;
use secrecy::{ExposeSecret as _, SecretString};

use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::model::{ClientInfo, EventKind, SessionId, UserId};
use crate::operations::steps::record_event::NewEvent;
use crate::operations::steps::voids::Act;
use crate::secrets::session_secret::PresentedRefreshToken;
use crate::session_cache::Changed;
use crate::store;

impl Accounts {
    /// Ends a session of this user and returns whether it existed. Its tokens are refused from the next request on.
    pub async fn end_session(&self, user: UserId, session: SessionId, client: &ClientInfo) -> Result<bool, DbError> {
        let mut change = self.change(Changed::Session(user, session)).await?;
        let ended = change.void(Act::SessionEnded, user, Some(session)).await? > 0;
        if ended {
            change.record(NewEvent::by_owner(EventKind::SessionEnded, user, Some(session)), client).await?;
            change.commit().await?;
        }
        Ok(ended)
    }

    /// Ends all sessions of this user except `kept`, voids pending links, and returns how many sessions ended.
    pub async fn end_other_sessions(&self, user: UserId, kept: SessionId, client: &ClientInfo) -> Result<u64, DbError> {
        let mut change = self.change(Changed::User(user)).await?;
        let ended = change.void(Act::OthersLoggedOut, user, Some(kept)).await?;
        change.record(NewEvent::by_owner(EventKind::OtherSessionsEnded, user, Some(kept)), client).await?;
        change.commit().await?;
        Ok(ended)
    }

    /// Ends the session of a refresh or access token (RFC 7009). Any other text is ignored: there is nothing to end.
    pub async fn revoke(&self, token: &SecretString, client: &ClientInfo) -> Result<(), InternalError> {
        let now = self.clock().now();
        if let Some(token) = PresentedRefreshToken::parse(token) {
            let found = store::sessions::find_live(self.db().read().await?.conn(), token.session, now).await?;
            if let Some(session) = found.filter(|session| self.keys().is_genuine_refresh_token(&token, &session.salt)) {
                self.end_session(session.authenticated.user.id, token.session, client).await?;
            }
        } else if let Some(bearer) = self.verify_token(token.expose_secret(), now).await? {
            self.end_session(bearer.user, bearer.session, client).await?;
        }
        Ok(())
    }
}
