//! Decides whom an access token speaks for: its user, while the session behind it lives.

use countersign_db::DbError;
use jiff::{SignedDuration, Timestamp};

use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::model::{Authenticated, SessionId};
use crate::store;

/// A session in use is noted as such no more often than this.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(5);

impl Accounts {
    /// Who logged in to get this access token; `None` when it is not ours, has expired, or its session or user is gone.
    pub async fn verify_access_token(&self, token: &str) -> Result<Option<Authenticated>, InternalError> {
        let now = self.clock().now();
        let Some(bearer) = self.believe(token, now).await? else {
            return Ok(None);
        };
        let found =
            store::sessions::find_authenticated(self.db().read().await?.conn(), bearer.session, bearer.user, now)
                .await?;
        let Some((authenticated, last_seen_at)) = found else {
            return Ok(None);
        };
        self.note_use(bearer.session, last_seen_at, now).await?;
        Ok(Some(authenticated))
    }

    /// A session that is used does not become idle; writing that down for each request would make every read a write.
    async fn note_use(&self, session: SessionId, last_seen_at: Timestamp, now: Timestamp) -> Result<(), DbError> {
        if now.duration_since(last_seen_at) < SEEN_EVERY {
            return Ok(());
        }
        let before = now.saturating_sub(SEEN_EVERY).unwrap_or(Timestamp::MIN);
        let mut tx = self.db().write().await?;
        store::sessions::touch(tx.conn(), session, before, now, self.idle_end(now)).await?;
        tx.commit().await
    }

    /// When a session that is used now becomes idle.
    pub(in crate::operations) fn idle_end(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.config().session_idle_ttl).unwrap_or(Timestamp::MAX)
    }
}
