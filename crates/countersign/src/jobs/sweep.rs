//! Decides what is taken away when its time is over: sessions, one-time tokens, used challenges, invitations, devices not
//! seen for long, attempts that are forgiven.

use countersign_db::DbError;
use jiff::{SignedDuration, Timestamp};

use super::JobError;
use crate::accounts::Accounts;
use crate::limits::{FORGIVEN_AFTER, LimitPolicy};
use crate::model::Horizon;
use crate::store;

/// Rows that are taken away in one transaction, so that logins need not wait for it.
const ROWS_AT_ONCE: i64 = 500;
/// A device that was not used for so long is a new one.
const DEVICE_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

impl Accounts {
    pub(super) async fn sweep(&self) -> Result<(), JobError> {
        let now = self.clock().now();
        while self.sweep_some(now).await? >= ROWS_AT_ONCE.unsigned_abs() {}
        let mut tx = self.db().write().await?;
        store::invitations::delete_spent(tx.conn(), now).await?;
        let before = now.saturating_sub(DEVICE_KEPT).unwrap_or(Timestamp::MIN);
        store::known_devices::delete_older(tx.conn(), before).await?;
        Ok(tx.commit().await?)
    }

    async fn sweep_some(&self, now: Timestamp) -> Result<u64, DbError> {
        let ahead_max = self.config().limits.as_ref().map(LimitPolicy::ahead_max);
        let counted = Horizon::new(now, ahead_max.unwrap_or(SignedDuration::ZERO));
        let mut tx = self.db().write().await?;
        let sessions = store::sessions::delete_expired(tx.conn(), now, ROWS_AT_ONCE).await?;
        let tokens = store::one_time_tokens::delete_expired(tx.conn(), now, ROWS_AT_ONCE).await?;
        let attempts = store::attempts::delete_forgiven(tx.conn(), FORGIVEN_AFTER, counted, ROWS_AT_ONCE).await?;
        let challenges = store::spent_challenges::delete_expired(tx.conn(), now, ROWS_AT_ONCE).await?;
        tx.commit().await?;
        Ok(sessions.max(tokens).max(attempts).max(challenges))
    }
}
