//! Refresh token rotation with reuse detection. A token is exchanged once and yields the same successor again within
//! the replay window. After that, presenting it ends the session, because two parties hold it and one of them stole it.

use countersign_db::DbError;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{ClientInfo, EventKind, Horizon, LiveSession, earlier};
use crate::operations::steps::issue_tokens::{Issue, Tokens};
use crate::operations::steps::record_event::NewEvent;
use crate::operations::steps::voids::Act;
use crate::secrets::session_secret::PresentedRefreshToken;
use crate::session_cache::Changed;
use crate::store;

/// Why no tokens were issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshTokensError {
    /// The token is not ours, or its session has ended.
    #[error("the refresh token is not valid")]
    Invalid,
    /// The token was exchanged before the replay window. The session has been ended.
    #[error("the refresh token had been used before")]
    Reused,
    /// Too many refresh tokens from this network were refused.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(RefreshTokensError);

/// What the counter of a genuine token means.
enum TokenAge {
    /// The current token, which this request exchanges. A token newer than the database knows counts too: the database
    /// was restored from a backup that is older than the token.
    Current,
    /// Exchanged within the replay window: a lost response, or another tab.
    JustExchanged,
    /// Exchanged before the replay window.
    Exchanged,
}

impl Accounts {
    /// Exchanges a refresh token for new tokens (RFC 6749, section 6).
    pub async fn refresh_tokens(
        &self,
        token: &SecretString,
        client: &ClientInfo,
    ) -> Result<Tokens, RefreshTokensError> {
        let exchanged = self.exchange(token, client).await;
        self.event_counts().refreshes.add(match &exchanged {
            Ok((_, TokenAge::JustExchanged)) => "repeated",
            Ok(_) => "exchanged",
            Err(RefreshTokensError::Invalid) => "invalid",
            Err(RefreshTokensError::Reused) => "reused",
            Err(RefreshTokensError::TooMany(_)) => "limited",
            Err(RefreshTokensError::Internal(_)) => "failed",
        });
        exchanged.map(|(tokens, _)| tokens)
    }

    async fn exchange(
        &self,
        token: &SecretString,
        client: &ClientInfo,
    ) -> Result<(Tokens, TokenAge), RefreshTokensError> {
        let attempt = self.take(Limit::Refresh, client)?;
        let now = self.clock().now();
        let token = PresentedRefreshToken::parse(token).ok_or(RefreshTokensError::Invalid)?;
        let found = store::sessions::find_live(self.db().read().await?.conn(), token.session, now).await?;
        let session = found.filter(|session| self.keys().is_genuine_refresh_token(&token, &session.salt));
        let session = session.ok_or(RefreshTokensError::Invalid)?;
        let age = self.exchange_or_repeat(&token, &session, client, now).await?;
        if matches!(age, TokenAge::Exchanged) {
            self.end_compromised(&token, &session, client).await?;
            return Err(RefreshTokensError::Reused);
        }
        attempt.refund();
        let issue = Issue {
            user: session.authenticated.user.id,
            session: token.session,
            authenticated_at: session.authenticated.authenticated_at,
            methods: session.authenticated.methods,
            stay: session.stay,
            salt: session.salt,
            refresh_counter: token.counter.saturating_add(1),
            expires_at: session.expires_at,
        };
        Ok((self.issue_tokens(&issue, now).await?, age))
    }

    /// Advances the counter with one conditional update: of concurrent requests with the current token, one exchanges
    /// it, and the others find that it was just exchanged.
    async fn exchange_or_repeat(
        &self,
        token: &PresentedRefreshToken,
        session: &LiveSession,
        client: &ClientInfo,
        now: Timestamp,
    ) -> Result<TokenAge, RefreshTokensError> {
        let counter = token.counter;
        let window_begins = earlier(now, self.config().session.refresh_replay_window);
        let mut change = self.change(Changed::Nothing).await?;
        if counter >= session.refresh_counter {
            let idle_expires_at = self.idle_end(now);
            let rotated =
                store::sessions::rotate(change.conn(), token.session, counter, client, now, idle_expires_at).await?;
            if rotated {
                store::refresh_rotations::insert(change.conn(), token.session, counter, now).await?;
                store::refresh_rotations::delete_older(change.conn(), token.session, window_begins).await?;
                change.commit().await?;
                return Ok(TokenAge::Current);
            }
        }
        let rotated_at = store::refresh_rotations::find(change.conn(), token.session, counter).await?;
        match rotated_at {
            // A time in the future was written by a fast clock: start the replay window now, instead of extending it by
            // the error.
            Some(rotated_at) if Horizon::new(now, SignedDuration::ZERO).is_beyond(rotated_at) => {
                store::refresh_rotations::date(change.conn(), token.session, counter, now).await?;
                change.commit().await?;
                Ok(TokenAge::JustExchanged)
            }
            Some(rotated_at) if rotated_at >= window_begins => Ok(TokenAge::JustExchanged),
            // The session was ended concurrently.
            None if store::sessions::find_live(change.conn(), token.session, now).await?.is_none() => {
                Err(RefreshTokensError::Invalid)
            }
            // Exchanged too long ago, or so long ago that the row was deleted.
            Some(_) | None => Ok(TokenAge::Exchanged),
        }
    }

    async fn end_compromised(
        &self,
        token: &PresentedRefreshToken,
        session: &LiveSession,
        client: &ClientInfo,
    ) -> Result<(), DbError> {
        let user = session.authenticated.user.id;
        let mut change = self.change(Changed::Session(user, token.session)).await?;
        if change.void(Act::RefreshTokenReused, user, Some(token.session)).await? > 0 {
            let reused = NewEvent::by_system(EventKind::RefreshTokenReused, user, Some(token.session));
            change.record_and_notify(reused, client).await?;
            change.commit().await?;
        }
        Ok(())
    }
}
